from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from pgcache.admin.commands import Answer
from pgcache.admin.exposition import Exposition
from pgcache.admin.merging import merge_answers, merge_departed, merge_metrics
from tests.proxy.rig import Rig


def _rows(answer: Answer) -> dict[str, str]:
    return {str(name): str(value) for name, value in answer.rows}


def _stats(**values: str) -> Answer:
    return Answer("SHOW", ("name", "value"), tuple(values.items()))


def test_counts_are_summed_and_the_ratio_is_of_the_sums() -> None:
    one = _stats(hits="8", misses="2", followers="0", hit_ratio="0.8000", paused="false")
    other = _stats(hits="0", misses="9", followers="1", hit_ratio="0.1000", paused="true")
    merged = merge_answers({1: one, 2: other}, 3)
    assert _rows(merged) == {
        "followers": "1",
        "hit_ratio": "0.4500",
        "hits": "8",
        "misses": "11",
        "paused": "true",
        "workers": "3",
        "workers_answering": "2",
    }
    assert merged.rows == tuple(sorted(merged.rows))


def test_shadow_modes_ratio_is_of_the_sums_too() -> None:
    one = _stats(shadow_hits="8", shadow_misses="2", shadow_hit_ratio="0.8000")
    other = _stats(shadow_hits="0", shadow_misses="0", shadow_hit_ratio="0.0")
    assert _rows(merge_answers({1: one, 2: other}, 2))["shadow_hit_ratio"] == "0.8000"
    idle = _stats(shadow_hits="0", shadow_misses="0", shadow_hit_ratio="0.0")
    assert _rows(merge_answers({1: idle, 2: other}, 2))["shadow_hit_ratio"] == "0.0000"


def test_a_count_that_only_one_has_stays() -> None:
    merged = merge_answers({1: _stats(a="1"), 2: _stats(b="2", locked="all")}, 2)
    assert _rows(merged) == {
        "a": "1",
        "b": "2",
        "locked": "all",
        "workers": "2",
        "workers_answering": "2",
    }


def test_words_are_all_shown() -> None:
    merged = merge_answers(
        {1: _stats(state="up", locked="3"), 2: _stats(state="down", locked="all")}, 2
    )
    assert _rows(merged)["state"] == "up,down"
    assert _rows(merged)["locked"] == "3,all"


def test_rows_of_one_query_become_one() -> None:
    columns = ("fingerprint", "database", "calls", "saved_ms", "longest_ms", "last", "query")
    one = Answer(
        "SHOW",
        columns,
        (("1a", "d", "1", "10", "10.0", "hit", "a"), ("2", "d", "1", "5", "5.0", "miss", "b")),
    )
    other = Answer(
        "SHOW",
        columns,
        (("2", "d", "3", "30", "9.5", "hit", "b"), ("2", "e", "1", "1", "1.0", "hit", "b")),
    )
    assert merge_answers({1: one, 2: other}, 2).rows == (
        ("2", "d", "4", "35", "9.5", "miss", "b"),
        ("1a", "d", "1", "10", "10.0", "hit", "a"),
        ("2", "e", "1", "1", "1.0", "hit", "b"),
    )


def test_unknown_tables_name_the_worker() -> None:
    one = Answer("SHOW", ("client", "state"), (("a", "idle"),))
    other = Answer("SHOW", ("client", "state"), (("b", "busy"), ("c", "idle")))
    merged = merge_answers({2: one, 1: other}, 2)
    assert merged.columns == ("worker", "client", "state")
    assert merged.rows == (("1", "b", "busy"), ("1", "c", "idle"), ("2", "a", "idle"))


def test_what_is_the_same_everywhere_is_shown_once() -> None:
    answer = Answer("SHOW", ("version",), (("pgcache 1",),))
    assert merge_answers({1: answer, 2: answer}, 2) == answer


def test_of_orders_the_largest_count_is_told() -> None:
    assert merge_answers({1: Answer("INVALIDATE 0"), 2: Answer("INVALIDATE 12")}, 2).tag == (
        "INVALIDATE 12"
    )
    assert merge_answers({1: Answer("PAUSE"), 2: Answer("PAUSE")}, 2).tag == "PAUSE"


ONE = """\
# HELP pgcache_hits_total Hits.
# TYPE pgcache_hits_total counter
pgcache_hits_total{kind="a"} 3.0
pgcache_hits_total{kind="b"} 1.0
# HELP pgcache_clients Clients.
# TYPE pgcache_clients gauge
pgcache_clients 4.0
# HELP pgcache_source_up Up.
# TYPE pgcache_source_up gauge
pgcache_source_up{source="x"} 1.0
# HELP pgcache_hit_duration_seconds Time.
# TYPE pgcache_hit_duration_seconds histogram
pgcache_hit_duration_seconds_bucket{le="1.0"} 2.0
pgcache_hit_duration_seconds_bucket{le="+Inf"} 3.0
pgcache_hit_duration_seconds_count 3.0
pgcache_hit_duration_seconds_sum 4.5
"""
OTHER = ONE.replace('source="x"} 1.0', 'source="x"} 0.0').replace('kind="b"', 'kind="c"')


def _samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_summed_by_label() -> None:
    found = _samples(merge_metrics({1: ONE, 2: OTHER}, 4).decode())
    assert found == {
        ("pgcache_hits_total", "a"): 6.0,
        ("pgcache_hits_total", "b"): 1.0,
        ("pgcache_hits_total", "c"): 1.0,
        ("pgcache_clients", ""): 8.0,
        ("pgcache_source_up", "x"): 0.0,
        ("pgcache_hit_duration_seconds_bucket", "1.0"): 4.0,
        ("pgcache_hit_duration_seconds_bucket", "+Inf"): 6.0,
        ("pgcache_hit_duration_seconds_count", ""): 6.0,
        ("pgcache_hit_duration_seconds_sum", ""): 9.0,
        ("pgcache_workers", ""): 4.0,
        ("pgcache_workers_answering", ""): 2.0,
    }


def test_ended_workers_leave_their_counts() -> None:
    found = _samples(merge_departed([ONE, OTHER]))
    assert ("pgcache_clients", "") not in found
    assert found["pgcache_hits_total", "a"] == 6.0
    assert found["pgcache_hit_duration_seconds_sum", ""] == 9.0
    merged = _samples(merge_metrics({0: merge_departed([ONE, OTHER]), 1: ONE}, 1).decode())
    assert merged["pgcache_hits_total", "a"] == 9.0
    assert merged["pgcache_clients", ""] == 4.0
    assert merged["pgcache_workers_answering", ""] == 1.0


async def test_one_workers_own_metrics_survive_the_merge() -> None:
    """Whatever the exposition says is read back, and alone it is not changed."""
    text = Exposition(Rig().engine).render().decode()
    merged = _samples(merge_metrics({1: text}, 1).decode())
    own = _samples(text)
    assert len(own) > 50
    volatile = {key for key in own if key[0].startswith("process_cpu")}
    assert {k: v for k, v in own.items() if k not in volatile}.items() <= merged.items()

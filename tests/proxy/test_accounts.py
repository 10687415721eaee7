"""What a conversation leaves in the queries' statistics."""

from __future__ import annotations

from typing import Any

import structlog

from pgcache.errors import Reason
from pgcache.metrics.queries import Query
from tests.proxy.rig import Line, Rig, whole_run
from tests.support.frames import FLUSH, query

SQL = "select v from t where v = "


def _ask(line: Line, text: str, seconds: float = 0.0) -> None:
    """One Query that takes the origin so long."""
    line.origin.is_held = True
    line.says(query(text))
    line.rig.now += seconds
    line.origin.release()


def _of(rig: Rig, part: str) -> Query:
    for _ in rig.engine.settle():
        pass
    (found,) = [each for each in rig.engine.queries if part in each.text]
    return found


async def test_texts_that_differ_in_literals_are_one_kind(rig: Rig, line: Line) -> None:
    _ask(line, f"{SQL}'a'", 2.0)
    _ask(line, f"{SQL}'b'", 4.0)
    for text in (f"{SQL}'a'", "SELECT v FROM t WHERE v = 'b'", f"{SQL}'b'"):
        _ask(line, text)
    found = _of(rig, "where v")
    assert found.text == "select v from t where v = ?"
    assert (found.hits, found.misses, found.passes) == (3, 2, {})
    assert (found.origin_seconds, found.longest) == (6.0, 4.0)
    assert found.saved_seconds == rig.counters.saved_seconds == 2.0 + 4.0 + 4.0
    assert (found.last, found.relations) == ("hit", ("public.t",))


async def test_hits_of_the_fast_lane_count_too(rig: Rig, line: Line) -> None:
    _ask(line, "select v from t", 1.0)
    for _ in range(10):
        line.says(query("select v from t"))
    assert _of(rig, "from t").hits == 10
    assert rig.counters.saved_seconds == 10.0
    assert _of(rig, "from t").hits == 10, "credited once"


async def test_settling_looks_at_what_was_hit_and_once(rig: Rig, line: Line) -> None:
    for name in "abc":
        _ask(line, f"{SQL}'{name}'", 1.0)
    owing = rig.engine.owing
    assert not owing
    for _ in range(10):
        _ask(line, f"{SQL}'b'")
    assert len(owing) == 1
    for _ in rig.engine.settle():
        pass
    assert not owing
    _ask(line, f"{SQL}'b'")
    _ask(line, f"{SQL}'c'")
    assert len(owing) == 2
    assert _of(rig, "where v").hits == 12


async def test_hits_of_an_entry_that_is_gone_are_not_lost(rig: Rig, line: Line) -> None:
    _ask(line, "select v from t", 1.0)
    _ask(line, "select v from t")
    rig.engine.store.clear()
    assert _of(rig, "from t").hits == 1


async def test_passes_have_their_reasons(rig: Rig, line: Line) -> None:
    _ask(line, "select v from t for update", 1.5)
    rig.engine.paused = True
    _ask(line, "select v from t", 0.5)
    assert _of(rig, "for update").passes == {Reason.ROW_LOCK: 1}
    by_text = {each.text: each for each in rig.engine.queries}
    assert by_text["select v from t"].passes == {Reason.PAUSED: 1}
    assert by_text["select v from t"].origin_seconds == 0.5


async def test_the_extended_protocol(rig: Rig, line: Line) -> None:
    for _ in range(3):
        line.says(whole_run("select v from t where v = $1", [b"a"]))
    found = _of(rig, "where v")
    assert (found.hits, found.misses) == (2, 1)
    line.says(query("begin isolation level serializable"))
    line.says(whole_run("select v from t where v = $1", [b"a"]))
    line.says(query("rollback"))
    assert _of(rig, "where v").passes == {Reason.ISOLATION_LEVEL: 1}


async def test_who_shares_an_execution_saves_it(rig: Rig) -> None:
    first, second = rig.line(), rig.line()
    first.origin.is_held = True
    first.says(query("select v from t"))
    second.says(query("select v from t"))
    rig.now += 3.0
    first.origin.release()
    await rig.rest()
    found = _of(rig, "from t")
    assert (found.hits, found.misses, found.saved_seconds) == (1, 1, 3.0)
    assert rig.counters.followers == 1


async def test_only_queries_are_listed(rig: Rig, line: Line) -> None:
    for text in ("begin", "insert into t values ('x')", "commit", "set work_mem = '1MB'", ""):
        _ask(line, text)
    assert len(rig.engine.queries) == 0
    assert line.state.asked == []


def _logged(logs: list[Any], event: str) -> list[Any]:
    return [line for line in logs if line["event"] == event]


async def test_why_not_is_told_once_for_each_kind_and_reason() -> None:
    rig = Rig(log={"why_not_cached": "once"})
    line = rig.line()
    with structlog.testing.capture_logs() as logs:
        for value in ("a", "b", "c"):
            _ask(line, f"{SQL}'{value}' for update")
        _ask(line, "select 1")
        _ask(line, "insert into t values ('x')")
    first, second = _logged(logs, "not cached")
    assert (first["reason"], first["database"], first["user"]) == ("row-lock", "shop", "alice")
    assert first["remedy"]
    assert second["reason"] == "no-table"
    (query_,) = [each for each in rig.engine.queries if "for update" in each.text]
    assert query_.passes == {Reason.ROW_LOCK: 3}, "telling is not counting"


async def test_why_not_is_told_each_time_or_never() -> None:
    for wish, times in (("all", 3), ("off", 0)):
        line = Rig(log={"why_not_cached": wish}).line()
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                _ask(line, "select v from t for update")
            _ask(line, "insert into t values ('x')")
        assert len(_logged(logs, "not cached")) == times


async def test_slow_queries_are_told() -> None:
    rig = Rig(log={"slow_query": "2s"})
    line = rig.line()
    with structlog.testing.capture_logs() as logs:
        _ask(line, f"{SQL}'a'", 2.5)
        _ask(line, f"{SQL}'b'", 1.5)
        _ask(line, f"{SQL}'a'")
        _ask(line, "select v from t for update", 3.0)
    slow = _logged(logs, "slow query")
    assert [(each["seconds"], each["verdict"]) for each in slow] == [
        (2.5, "miss"),
        (3.0, "row-lock"),
    ]
    assert slow[0]["sql"].startswith("select v from t where v = ")
    assert len(slow[0]["fingerprint"]) == 16


async def test_slow_statements_of_all_kinds_are_told() -> None:
    rig = Rig(log={"slow_query": "2s"})
    line = rig.line()
    written = "insert into t values ('secret')"
    with structlog.testing.capture_logs() as logs:
        _ask(line, written, 2.5)
        _ask(line, written, 1.0)
        _ask(line, "begin", 3.0)
        _ask(line, "commit", 4.0)
        _ask(line, "begin", 0.0)
        _ask(line, "commit", 5.0)
        _ask(line, "insert into t values ('a'); select v from t", 6.0)
        _ask(line, "", 7.0)
        line.origin.is_held = True
        line.says(whole_run(written)[:-5] + whole_run(written)[:-5] + whole_run(written))
        rig.now += 8.0
        line.origin.release()
    slow = _logged(logs, "slow query")
    assert [(each["seconds"], each["verdict"], each["statements"]) for each in slow] == [
        (2.5, "not-a-select", 1),
        (3.0, "not-a-select", 1),
        (4.0, "not-a-select", 1),
        (5.0, "not-a-select", 1),
        (6.0, "multi-statement", 1),
        (8.0, "not-a-select", 3),
    ]
    assert slow[0]["fingerprint"] == slow[-1]["fingerprint"]
    assert len(rig.engine.queries) == 0, "only queries have statistics"


async def test_a_long_pipeline_is_not_remembered_whole() -> None:
    rig = Rig(log={"slow_query": "2s"})
    line = rig.line()
    line.origin.is_held = True
    one = whole_run("insert into t values ('x')")[:-5]
    line.says(one * 1_000 + FLUSH)
    (turn,) = line.state.groups
    assert 0 < len(turn.asked) <= 100
    line.origin.release()


async def test_what_passes_in_the_extended_protocol_is_counted_as_in_the_simple(
    rig: Rig, line: Line
) -> None:
    for text in ("select v from t for update", "insert into t values ('x')", "begin", "commit"):
        line.says(query(text))
    simple = dict(rig.counters.passes)
    for text in ("select v from t for update", "insert into t values ('x')", "begin", "commit"):
        line.says(whole_run(text))
    doubled = {reason: 2 * count for reason, count in simple.items()}
    assert rig.counters.passes == doubled
    assert simple[Reason.ROW_LOCK] == 1
    assert simple[Reason.NOT_A_SELECT] == 3

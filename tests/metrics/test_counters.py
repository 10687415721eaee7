from __future__ import annotations

from pgcache.errors import Reason
from pgcache.metrics import Counters, Source


def test_a_fresh_object_counts_nothing() -> None:
    counters = Counters()
    assert counters.statements == 0
    assert counters.hit_ratio == 0.0
    assert set(counters.snapshot().values()) == {0}


def test_ratio_is_of_what_was_looked_up() -> None:
    counters = Counters(hits=6, followers=2, misses=2)
    counters.passes[Reason.EMPTY] += 90
    assert counters.hit_ratio == 0.8
    assert counters.passed == 90
    assert counters.statements == 100


def test_snapshot_names_reasons_and_sources_and_leaves_out_zeros() -> None:
    counters = Counters(hits=1)
    counters.passes[Reason.VOLATILE_FUNCTION] += 3
    counters.invalidations[Source.WRITE] += 2
    shown = counters.snapshot()
    assert shown["hits"] == 1
    assert shown["passes:volatile-function"] == 3
    assert shown["invalidations:write"] == 2
    assert "passes:empty-query" not in shown


def test_two_objects_share_nothing() -> None:
    first, second = Counters(), Counters()
    first.passes[Reason.EMPTY] += 1
    assert second.passed == 0

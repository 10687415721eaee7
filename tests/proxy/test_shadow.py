"""Shadow mode: everything is forwarded, and what would have hit is counted."""

from __future__ import annotations

import pytest

from tests.proxy.rig import Line, Rig, whole_run
from tests.support.frames import SYNC, bind, execute, parse, query

READ = "select v from t"
ANSWER = "T(v) D(one) D(two) C(SELECT_2) Z(I)"


def shadowed(**cache: object) -> tuple[Rig, Line]:
    rig = Rig(cache={"mode": "shadow", "ttl": 100, **cache})
    return rig, rig.line()


def counts(rig: Rig) -> tuple[int, int]:
    return rig.counters.shadow_hits, rig.counters.shadow_misses


def ask(rig: Rig, line: Line, question: bytes = query(READ), *, cost: float = 0.0) -> None:
    """Ask, which takes the origin so many seconds; it must always be asked."""
    line.asked()
    line.origin.is_held = True
    line.says(question)
    assert line.asked() != ""
    rig.now += cost
    line.origin.release()


async def test_nothing_is_served_and_the_time_is_counted() -> None:
    rig, line = shadowed()
    other = rig.line()
    for who in (line, other, line):
        ask(rig, who, cost=2.0)
        who.hears(ANSWER)
    assert counts(rig) == (2, 1)
    counters = rig.counters
    assert counters.shadow_saved_seconds == 4.0
    assert (counters.hits, counters.misses, counters.stores, counters.flights) == (0, 0, 0, 0)
    assert rig.engine.store.stats().entries == 0
    line.says(query("show pgcache.last"))
    assert b'fwd=bypass; detail=shadow; about="hit"' in line.heard()


async def test_ghosts_hold_no_rows_and_weigh_as_much_as_entries() -> None:
    rig, line = shadowed()
    ask(rig, line)
    real = Rig().line()
    real.says(query(READ))
    (ghost,) = list(rig.engine.ghosts)
    (entry,) = list(real.rig.engine.store)  # type: ignore[call-overload]
    assert ghost.rows == b""
    assert (ghost.size, ghost.row_count) == (entry.size, 2)


async def test_lifetimes_and_writes_count() -> None:
    rig, line = shadowed()
    ask(rig, line)
    rig.now += 101
    ask(rig, line)
    assert counts(rig) == (0, 2)
    line.says(query("insert into t values ('x')"))
    ask(rig, line)
    assert counts(rig) == (0, 3)
    ask(rig, line)
    assert counts(rig) == (1, 3)


async def test_what_is_too_cheap_or_large_would_not_have_been_kept() -> None:
    rig, line = shadowed(min_query_ms=1000)
    for _ in range(2):
        ask(rig, line)
    assert counts(rig) == (0, 2)
    rig, line = shadowed()
    rig.engine.ghosts.max_entry_bytes = 10
    for _ in range(3):
        ask(rig, line)
    assert counts(rig)[0] == 0


@pytest.mark.parametrize(
    ("first", "again", "hits"),
    [
        (whole_run(READ), whole_run(READ), 1),
        (whole_run(READ), whole_run(READ, limit=1), 1),
        (whole_run(READ, limit=1), whole_run(READ, limit=1), 1),
        (whole_run(READ, limit=1), whole_run(READ), 0),
        (whole_run(READ), query(READ), 1),
    ],
)
async def test_the_extended_protocol(first: bytes, again: bytes, hits: int) -> None:
    rig, line = shadowed()
    ask(rig, line, first)
    ask(rig, line, again)
    assert counts(rig) == (hits, 2 - hits)


async def test_named_statements() -> None:
    rig, line = shadowed()
    line.says(parse("s", READ), SYNC)
    for _ in range(3):
        ask(rig, line, bind("", "s") + execute("") + SYNC)
    assert counts(rig) == (2, 1)


async def test_a_session_may_opt_in_and_out() -> None:
    rig, line = shadowed()
    ask(rig, line)
    line.says(query("set pgcache.mode = 'on'"), query(READ), query(READ))
    line.asked()
    line.says(query(READ))
    assert line.asked() == ""
    assert rig.counters.hits == 2
    line.says(query("set pgcache.mode = 'shadow'"))
    ask(rig, line)
    assert counts(rig) == (1, 1)
    other = Rig().line()
    other.says(query("set pgcache.mode = 'shadow'"))
    for _ in range(2):
        ask(other.rig, other)
    assert counts(other.rig) == (1, 1)

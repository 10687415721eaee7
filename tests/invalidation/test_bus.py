"""The bus: what an order moves, in which database, also for results that are being fetched."""

from __future__ import annotations

import pytest

from pgcache.cache.store import NullStore
from pgcache.errors.reasons import Reason
from pgcache.invalidation.bus import Applied, Bus
from pgcache.invalidation.orders import Order
from pgcache.metrics.counters import Source
from pgcache.proxy import engine
from pgcache.proxy.engine import Database
from tests.proxy.rig import DATABASE, Line, Rig
from tests.support.frames import query

QUERY = "SELECT  v FROM t"
TAGGED = "/* pgcache: tags=revenue */ select v from t where v = 'one'"


@pytest.fixture
async def rig() -> Rig:
    return Rig()


@pytest.fixture
async def bus(rig: Rig) -> Bus[Database]:
    return Bus(rig.engine)


def is_hit(line: Line, text: str = QUERY) -> bool:
    """Ask; whether the origin was not asked."""
    line.asked()
    line.says(query(text))
    line.origin.answer()
    line.client.take()
    return line.asked() == ""


@pytest.mark.parametrize(
    ("order", "survives", "applied"),
    [
        (Order(tables=("t",)), False, Applied((DATABASE,), 1)),
        (Order(tables=("public.t", "u")), False, Applied((DATABASE,), 2)),
        (Order(tables=("public.u",)), True, Applied((DATABASE,), 1)),
        (Order(tables=("public.nothing",)), True, Applied((), 0, ("public.nothing",))),
        (Order(tags=("revenue",)), True, Applied((DATABASE,), 1)),
        (Order(everything=True), False, Applied((DATABASE,), 1)),
        (Order(everything=True, database=DATABASE), False, Applied((DATABASE,), 1)),
        (Order(everything=True, database="another"), True, Applied()),
        (Order(patterns=("select v from t%",)), False, Applied((DATABASE,), 1)),
        (Order(patterns=("SELECT   V%",)), False, Applied((DATABASE,), 1)),
        (Order(patterns=("%comment%",)), True, Applied((DATABASE,), 0)),
        (Order(patterns=("select v from t",), database="another"), True, Applied()),
        (Order(keys=("0000000000000000",)), True, Applied((DATABASE,), 0)),
    ],
)
async def test_what_an_order_reaches(
    rig: Rig, bus: Bus[Database], order: Order, survives: bool, applied: Applied
) -> None:
    line = rig.line()
    assert not is_hit(line)
    assert is_hit(line)
    assert bus.apply(order, Source.HTTP) == applied
    assert is_hit(line) is survives


@pytest.mark.parametrize(
    ("table", "survives"), [("t", False), ("public.u", True), ("public.nothing", False)]
)
async def test_tables_by_what_the_catalogs_said_last_while_nobody_uses_the_database(
    rig: Rig, bus: Bus[Database], table: str, survives: bool
) -> None:
    """A load at night leaves what it does not touch; a name unknown then may mean anything."""
    line = rig.line()
    is_hit(line)
    rig.catalog.current = None
    assert bus.apply(Order(tables=(table,)), Source.HTTP) == Applied((DATABASE,), 1)
    rig.catalog.reload()
    assert is_hit(line) is survives


async def test_after_definitions_changed_a_table_may_be_any(rig: Rig, bus: Bus[Database]) -> None:
    line = rig.line()
    is_hit(line)
    (database,) = rig.engine.databases()
    rig.catalog.is_slow = True
    database.schema_changed()
    assert database.remembered is None
    rig.catalog.reload()
    assert not is_hit(line)


async def test_a_tag_reaches_what_carries_it_and_no_more(rig: Rig, bus: Bus[Database]) -> None:
    line = rig.line()
    for text in (QUERY, TAGGED):
        is_hit(line, text)
        assert is_hit(line, text)
    bus.apply(Order(tags=("revenue",)), Source.HTTP)
    assert is_hit(line, QUERY)
    assert not is_hit(line, TAGGED)


@pytest.mark.parametrize(
    ("order", "is_stored"),
    [
        (Order(patterns=("%from t%",)), False),
        (Order(patterns=("%from u%",)), True),
        (Order(tables=("t",)), False),
        (Order(everything=True), False),
    ],
)
async def test_what_is_being_fetched_is_not_stored_if_the_order_is_about_it(
    rig: Rig, bus: Bus[Database], order: Order, is_stored: bool
) -> None:
    line = rig.line()
    line.origin.is_held = True
    line.says(query(QUERY))
    bus.apply(order, Source.CONSOLE)
    line.origin.release()
    line.client.take()
    assert is_hit(line) is is_stored


async def test_who_waits_for_an_execution_that_was_invalidated_runs_its_own(
    rig: Rig, bus: Bus[Database]
) -> None:
    leader, follower = rig.line(), rig.line()
    leader.origin.is_held = follower.origin.is_held = True
    leader.says(query(QUERY))
    follower.says(query(QUERY))
    assert follower.asked() == ""
    assert bus.apply(Order(patterns=("select%",)), Source.CONSOLE).count == 1
    await rig.rest()
    assert follower.asked() == "Q"
    leader.origin.release()
    assert rig.engine.counters.unstored[Reason.INVALIDATED] == 1
    follower.origin.release()
    assert is_hit(leader), "the follower's, which began afterwards, was stored"


async def test_it_is_counted_by_source(rig: Rig, bus: Bus[Database]) -> None:
    rig.line()
    for order in (Order(tables=("t",)), Order(patterns=("%",)), Order(tags=("x",))):
        bus.apply(order, Source.NOTIFY)
    assert rig.engine.counters.invalidations[Source.NOTIFY] == 3


async def test_where_entries_cannot_be_looked_through_all_go(rig: Rig, bus: Bus[Database]) -> None:
    line = rig.line()
    is_hit(line)
    before = rig.engine.database(DATABASE).generations.capture(())
    rig.engine.store = NullStore()
    assert bus.apply(Order(patterns=("nothing",)), Source.HTTP) == Applied((DATABASE,), 1)
    assert rig.engine.database(DATABASE).generations.capture(()) != before


async def test_a_large_store_is_looked_through_beside_the_sessions(
    rig: Rig, bus: Bus[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_KEYS_STEP", 1)
    line, other = rig.line(), rig.line()
    texts = [f"select v from t where v = '{number}'" for number in range(6)]
    for text in ("select v from u", *texts):
        is_hit(line, text)
        assert is_hit(line, text)
        assert is_hit(line, text), "by the fast lane"
    applied = bus.apply(Order(patterns=("select v from t%",)), Source.CONSOLE)
    assert applied.count == 0
    # Nothing of it is served from here on, wherever the walk has got to.
    assert not is_hit(line, texts[-1])
    assert is_hit(other, texts[-1]), "what was stored since is meant no more"
    assert is_hit(line, "select v from u")
    assert await applied.whole_count() == 6
    assert is_hit(line, texts[-1])
    assert not is_hit(line, texts[0])
    await rig.engine.close()

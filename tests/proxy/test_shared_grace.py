"""Stale and hot results beside a shared store: one proxy renews them, the store says which (P7)."""

from __future__ import annotations

from typing import cast

import pytest

from pgcache.cache.entry import Entry
from pgcache.cache.shared.keys import digest
from pgcache.proxy import background, checking
from tests.proxy import rig as rigs
from tests.proxy.rig import Line, Rig
from tests.proxy.sharing import TOKENS, FakeSpace, make_session, share, stored
from tests.support.frames import query

READ, ANSWER = "select v from t", "T(v) D(one) D(two) C(SELECT_2) Z(I)"
NEW = "T(v) D(one) D(two) D(new) C(SELECT_3) Z(I)"
RERUN = "PBDESCS"
EVENTUAL = {"public.t": {"consistency": "eventual"}}
SAME = [b"same"]
BUSY = [b"busy", TOKENS, b"f" * 16, 1]


@pytest.fixture(params=["strict", "eventual"])
async def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(rigs, "Session", make_session)
    tables = {"public.t": {"consistency": request.param}}
    return Rig(cache={"ttl": 100, "grace": 50}, tables=tables)


@pytest.fixture
async def space(rig: Rig) -> FakeSpace:
    return share(rig)


async def rest(rig: Rig) -> None:
    for _ in range(8):
        await rig.rest()
        cast(FakeSpace, rig.database.space).confirmer.says(True)


async def aged(rig: Rig, space: FakeSpace, line: Line) -> Entry:
    """An entry is past its lifetime; the table changed unseen."""
    line.says(query(READ))
    await rest(rig)
    line.heard()
    assert (line.asked(), space.ran) == ("Q", ["fetch", "fill"])
    rig.world.tables["public.t"].append(b"new")
    rig.now += 101
    space.ran.clear()
    space.wishes.clear()
    (entry,) = rig.engine.entries()
    return entry


async def asks(rig: Rig, line: Line) -> None:
    line.says(query(READ))
    await rest(rig)


async def begin(rig: Rig, line: Line) -> None:
    """The connection has been at rest for a moment."""
    line.session.background.begin()
    await rest(rig)
    line.settle()
    await rest(rig)


async def test_a_stale_result_is_confirmed_and_served_and_renewed(
    rig: Rig, space: FakeSpace
) -> None:
    line = rig.line()
    await aged(rig, space, line)
    await asks(rig, line)
    line.hears(ANSWER)
    assert (line.asked(), space.wishes) == ("", [b"edls"])
    await begin(rig, line)
    assert (line.asked(), space.wishes[1:], space.ran[-1]) == (RERUN, [b"edl"], "fill")
    await asks(rig, line)
    line.hears(NEW)
    assert line.asked() == ""
    assert (rig.counters.stale, rig.counters.refreshes, rig.counters.misses) == (1, 1, 1)


async def test_P7_what_another_proxy_is_at_is_served_as_stale_and_not_renewed(
    rig: Rig, space: FakeSpace
) -> None:
    line = rig.line()
    await aged(rig, space, line)
    for _ in range(3):
        space.fetched = [SAME, BUSY]
        await asks(rig, line)
        line.hears(ANSWER)
        await begin(rig, line)
        assert line.asked() == ""
    assert rig.counters.stale == 3
    assert not line.session.background.is_active


async def test_what_another_proxy_has_renewed_is_taken_from_the_store(
    rig: Rig, space: FakeSpace
) -> None:
    line, other = rig.line(), rig.line()
    entry = await aged(rig, space, line)
    entry.rows, entry.row_count = entry.rows[: len(entry.rows) // 2], 1
    renewed = stored(space, entry, age=1_000, left=99_000, kept=149_000)
    space.fetched = [SAME, renewed]
    await asks(rig, line)
    line.heard()
    await begin(rig, line)
    assert line.asked() == ""
    for who in (line, other):
        await asks(rig, who)
        who.hears("T(v) D(one) C(SELECT_1) Z(I)")
        assert who.asked() == ""
    assert rig.counters.stale == 1


async def test_P4_a_stale_one_of_the_store_has_the_same_hard_end(
    rig: Rig, space: FakeSpace
) -> None:
    line = rig.line()
    entry = await aged(rig, space, line)
    value = stored(space, entry, age=101_000, left=-1_000, kept=49_000)
    rig.engine.store.clear()
    space.fetched = [value, BUSY]
    await asks(rig, line)
    line.hears(ANSWER)
    assert (line.asked(), rig.counters.stale) == ("", 1)
    await begin(rig, line)
    space.fetched = [stored(space, entry, age=150_000, left=-50_000, kept=1)]
    await asks(rig, line)
    line.hears(NEW)


async def test_P3_what_the_store_does_not_confirm_is_not_served(rig: Rig, space: FakeSpace) -> None:
    line = rig.line()
    await aged(rig, space, line)
    for answer in (None, [b"locked"], [b"absent"]):
        space.fetched = [answer]
        await asks(rig, line)
        line.hears(NEW)
        assert line.asked() == "Q"
    assert rig.counters.stale == 0


async def test_a_refresh_that_was_cancelled_is_left_to_the_next_who_asks(
    rig: Rig, space: FakeSpace
) -> None:
    line, other = rig.line(), rig.line()
    await aged(rig, space, line)
    await asks(rig, line)
    line.hears(ANSWER)
    line.origin.is_held = True
    await begin(rig, line)
    assert line.asked() == RERUN
    line.session.lost(lambda: None)
    await rest(rig)
    assert space.ran[-1] == "release", "others may try"
    await asks(rig, other)
    other.hears(NEW)
    assert other.asked() == "Q"


async def test_a_client_that_leaves_leaves_its_connection_until_the_store_has_answered(
    rig: Rig, space: FakeSpace
) -> None:
    line, let_go = rig.line(), list[bool]()
    line.session.background.on_asked = lambda: let_go.append(line.session.is_needed)
    await aged(rig, space, line)
    space.fetched = [SAME, BUSY]
    await asks(rig, line)
    line.heard()
    assert line.session.client_gone()
    await rest(rig)
    assert let_go == [False]


async def test_a_client_that_is_faster_than_the_store_goes_first(
    rig: Rig, space: FakeSpace
) -> None:
    line = rig.line()
    await aged(rig, space, line)
    await asks(rig, line)
    line.heard()
    line.origin.is_held = True
    line.session.background.begin()
    line.says(query("begin"))
    await rest(rig)
    assert (line.asked(), space.ran[-1]) == ("Q", "release")
    line.origin.release()
    line.says(query("rollback"))
    line.asked()
    await begin(rig, line)
    assert line.asked() == RERUN


async def test_hot_results_are_renewed_ahead_unless_another_proxy_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rigs, "Session", make_session)
    rig = Rig(cache={"ttl": 100, "refresh_ahead": 1}, tables=EVENTUAL)
    rig.engine.random = lambda: 0.0
    space, line = share(rig), rig.line()
    line.origin.is_held = True
    line.says(query(READ))
    await rest(rig)
    rig.now += 10.0
    line.origin.release()
    await rest(rig)
    line.heard()
    line.asked()
    (entry,) = rig.engine.entries()
    rig.now += 80.0
    space.fetched = [stored(space, entry, age=5_000, left=95_000, kept=95_000)]
    await asks(rig, line)
    await begin(rig, line)
    assert line.asked() == ""
    (newer,) = rig.engine.entries()
    assert newer.expires_at == rig.now + 95.0
    rig.now += 85.0
    await asks(rig, line)
    await begin(rig, line)
    assert line.asked() == RERUN
    assert rig.counters.refreshes_ahead == 2
    assert rig.counters.stale == 0


async def test_what_turns_out_to_differ_is_forgotten_by_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rigs, "Session", make_session)
    monkeypatch.setattr(checking, "SUSPENSE", 0.0)
    monkeypatch.setattr(background, "IDLE", 0.0)
    cache = {"ttl": 100, "verify_ratio": 1.0, "refresh_ahead": 0}
    rig = Rig(cache=cache, tables=EVENTUAL)
    rig.engine.random = lambda: 0.0
    space, line, told = share(rig), rig.line(), list[bytes]()
    monkeypatch.setattr(type(rig.database.generations), "order", lambda _, o: told.append(o))
    await asks(rig, line)
    (entry,) = rig.engine.entries()
    rig.world.tables["public.t"].append(b"new")
    rig.now += 10
    line.asked()
    await asks(rig, line)
    await begin(rig, line)
    assert line.asked() == RERUN
    assert told == [b'{"matching":[],"queries":["%s"]}' % digest(entry.key).hex().encode()]
    assert "fill" not in space.ran[2:]

"""Turns whose rows are in the shared store: fetched and answered without the slow lane."""

from __future__ import annotations

from typing import cast

import pytest

from pgcache.cache.entry import Entry
from pgcache.cache.shared.codec import Codec
from pgcache.cache.shared.contract import Found, StoreLost
from pgcache.cache.shared.keys import digest
from pgcache.cache.shared.members import parse_members
from pgcache.proxy.shared import SharedFastLane
from tests.proxy import rig as rigs
from tests.proxy.plays import VALUED
from tests.proxy.rig import Line, Rig, whole_run
from tests.proxy.sharing import TOKENS, FakeSpace, make_session, share, stored
from tests.support.frames import SYNC, bind, describe_request, execute, parse, query

READ, ANSWER = "select v from t", "T(v) D(one) D(two) C(SELECT_2) Z(I)"
NOW = 1_700_000_000_000
EVENTUAL = {"public.t": {"consistency": "eventual"}}


@pytest.fixture(params=["strict", "eventual"])
async def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(rigs, "Session", make_session)
    return Rig(cache={"ttl": 100}, tables={"public.t": {"consistency": request.param}})


@pytest.fixture
async def space(rig: Rig) -> FakeSpace:
    return share(rig)


async def rest(rig: Rig) -> None:
    for _ in range(8):
        await rig.rest()


def kept(space: FakeSpace, entry: Entry) -> Found:
    """What the store says where it has an entry and nothing has moved."""
    before, after = Codec.around_times(
        Codec().encode(space.keys.entry(digest(entry.key)), entry, TOKENS)
    )
    times = b"%013d%013d" % (NOW, NOW + 60_000)
    members = space.id + b"%013d%010d" % (NOW + 1_000, 1) + b"c" * 8
    assert parse_members(members)
    token = TOKENS[:16]
    return [members, None, None, None, token, token, token], NOW, before + times + after, 60_000


async def elsewhere(rig: Rig, space: FakeSpace, line: Line, data: bytes) -> Entry:
    """Have the slow lane answer ``data`` with what the store has, and forget that here."""
    space.schema = TOKENS[:16]
    other = rig.line()
    other.says(data)
    await rest(rig)
    (entry,) = rig.engine.entries()
    rig.engine.store.clear()
    space.fetched.append(stored(space, entry))
    line.says(data)
    await rest(rig)
    assert line.heard() == other.heard()
    assert line.asked() == ""
    forget(rig)
    space.ran.clear()
    space.link.client.is_away = False
    return entry


def forget(rig: Rig) -> None:
    """Memory has no room for anything."""
    rig.engine.store.clear()


DATA = {
    "simple": query(READ),
    "extended": whole_run(READ),
    "valued": whole_run(VALUED, [b"one"]),
}


@pytest.fixture(params=DATA)
def data(request: pytest.FixtureRequest) -> bytes:
    return DATA[request.param]


async def test_it_is_answered_without_the_slow_lane(
    rig: Rig, space: FakeSpace, data: bytes
) -> None:
    line = rig.line()
    direct = rig.line()
    entry = await elsewhere(rig, space, line, data)
    hits, client = rig.counters.hits, space.link.client
    for _ in range(3):
        line.says(data)
        assert len(client.asked) == 1
        assert (line.heard(), line.session.is_idle) == (b"", False)
        client.says(kept(space, entry))
        told = line.heard()
        assert line.session.is_idle
        forget(rig)
    assert (space.ran, line.asked()) == ([], "")
    assert rig.counters.hits == hits + 3
    client.is_away = True
    direct.says(data)
    await rest(rig)
    assert told == direct.heard()


async def test_what_was_fetched_is_in_memory_for_the_next_time(
    rig: Rig, space: FakeSpace, data: bytes
) -> None:
    line = rig.line()
    entry = await elsewhere(rig, space, line, data)
    line.says(data)
    space.link.client.says(kept(space, entry))
    told = line.heard()
    line.says(data)
    space.confirmer.says(True)
    assert line.heard() == told
    assert (space.link.client.asked, space.ran) == ([], [])


async def test_other_parameters_of_the_statement_are_fetched_as_well(
    rig: Rig, space: FakeSpace
) -> None:
    line, other = rig.line(), rig.line()
    other.says(whole_run(VALUED, [b"two"]))
    await rest(rig)
    (entry,) = rig.engine.entries()
    forget(rig)
    await elsewhere(rig, space, line, whole_run(VALUED, [b"one"]))
    line.says(whole_run(VALUED, [b"two"]))
    space.link.client.says(kept(space, entry))
    assert (line.heard(), space.ran, line.asked()) == (other.heard(), [], "")


async def test_what_the_store_does_not_have_takes_the_slow_lane_and_is_not_sought_again(
    rig: Rig, space: FakeSpace, data: bytes
) -> None:
    line = rig.line()
    entry = await elsewhere(rig, space, line, data)
    client = space.link.client
    line.says(data)
    nothing = kept(space, entry)
    client.says((nothing[0], NOW, None, -2))
    await rest(rig)
    told = line.heard()
    assert space.ran == ["fetch", "fill"]
    forget(rig)
    line.says(data)
    assert client.asked == [], "the last was in vain"
    await rest(rig)
    assert line.heard() == told


async def test_a_store_that_is_lost_is_no_trouble(rig: Rig, space: FakeSpace, data: bytes) -> None:
    line = rig.line()
    await elsewhere(rig, space, line, data)
    line.says(data)
    space.link.client.says(StoreLost("gone"))
    await rest(rig)
    assert b"one" in line.heard()
    assert line.session.is_idle


async def test_P3_what_has_moved_here_meanwhile_is_not_answered(rig: Rig, space: FakeSpace) -> None:
    line, data = rig.line(), DATA["simple"]
    entry = await elsewhere(rig, space, line, data)
    line.says(data)
    rig.line().says(query("insert into t values ('x')"))
    space.link.client.says(kept(space, entry))
    await rest(rig)
    line.hears("T(v) D(one) D(two) D(x) C(SELECT_3) Z(I)")


async def test_S03_definitions_that_changed_meanwhile_are_looked_at(
    rig: Rig, space: FakeSpace
) -> None:
    line, data = rig.line(), DATA["simple"]
    entry = await elsewhere(rig, space, line, data)
    line.says(data)
    rig.database.schema_changed()
    space.link.client.says(kept(space, entry))
    await rest(rig)
    assert (line.asked(), b"one" in line.heard()) == ("Q", True)


async def test_an_entry_of_another_shape_is_not_played(rig: Rig, space: FakeSpace) -> None:
    """Somebody recorded it without its description."""
    line, data = rig.line(), DATA["simple"]
    entry = await elsewhere(rig, space, line, data)
    entry.row_description = None
    line.says(data)
    space.link.client.says(kept(space, entry))
    await rest(rig)
    line.hears(ANSWER)
    assert space.ran == ["fetch", "fill"]


async def test_what_comes_behind_it_does_not_overtake_it(rig: Rig, space: FakeSpace) -> None:
    line, data = rig.line(), DATA["simple"]
    entry = await elsewhere(rig, space, line, data)
    line.says(data)
    line.says(query("select 1"))
    await rest(rig)
    told = line.heard()
    assert rigs.words(told)[: len(ANSWER.split())] == ANSWER.split()
    assert rigs.words(told)[-1] == "Z(I)"
    space.link.client.says(kept(space, entry))
    assert line.heard() == b"", "it came too late, and is nobody's"


async def test_W33_a_client_that_leaves_meanwhile_is_no_trouble(
    rig: Rig, space: FakeSpace, data: bytes
) -> None:
    line = rig.line()
    entry = await elsewhere(rig, space, line, data)
    line.says(data)
    line.session.client_gone()
    space.link.client.says(kept(space, entry))
    await rest(rig)
    assert line.session.is_idle


async def test_W43_a_client_that_does_not_read_is_answered_when_it_does(
    rig: Rig, space: FakeSpace
) -> None:
    line, data = rig.line(), DATA["simple"]
    entry = await elsewhere(rig, space, line, data)
    line.says(data)
    line.session.hold_answers(True)
    space.link.client.says(kept(space, entry))
    assert line.heard() == b""
    line.session.hold_answers(False)
    await rest(rig)
    line.hears(ANSWER)


async def test_a_pipeline_is_for_the_slow_lane(rig: Rig, space: FakeSpace) -> None:
    line, data = rig.line(), whole_run(READ)
    await elsewhere(rig, space, line, data)
    line.says(data + data)
    assert space.link.client.asked == []
    await rest(rig)
    assert rigs.words(line.heard()).count("C(SELECT_2)") == 2
    assert cast(SharedFastLane, line.session._fast).take_wanted() is None


async def test_W65_a_limit_that_another_entry_may_reach_is_for_the_slow_lane(
    rig: Rig, space: FakeSpace
) -> None:
    """The next entry may have more rows than are asked for."""
    limited = parse("", READ) + bind("", "") + describe_request("P", "") + execute("", 5) + SYNC
    line = rig.line()
    await elsewhere(rig, space, line, limited)
    line.says(limited)
    assert space.link.client.asked == []

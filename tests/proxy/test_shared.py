"""Strict hits of the fast lane: answered once the store has confirmed them, in order, or slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from pgcache.cache.entry import Entry
from pgcache.cache.shared.codec import Codec
from pgcache.cache.shared.keys import build_keys
from pgcache.cache.shared.landings import Landings
from pgcache.cache.shared.link import StoreCounts, Times
from pgcache.cache.shared.orders import Orders
from pgcache.cache.shared.space import Space
from pgcache.proxy.flow import Peer
from pgcache.proxy.shared import SharedSession
from tests.proxy import rig as rigs
from tests.proxy.plays import VALUED
from tests.proxy.rig import Line, Rig, whole_run
from tests.support.frames import query

READ, ANSWER = "select v from t", "T(v) D(one) D(two) C(SELECT_2) Z(I)"
TOKENS = b"t" * 48


class Confirmer:
    """Keeps what is asked until the test answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[Entry, Callable[[bool], None]]] = []

    def ask(self, entry: Entry, answer: Callable[[bool], None]) -> None:
        self.asked.append((entry, answer))

    def says(self, is_current: bool) -> None:
        asked, self.asked = self.asked, []
        for _, answer in asked:
            answer(is_current)


class FakeLink:
    """What a lookup needs of a link."""

    times, patience, flight_wait, codec = Times(), 1.0, 1.0, Codec()

    def __init__(self) -> None:
        self.counts = StoreCounts()

    def clock(self) -> float:
        return 0.0

    def count_fetch(self) -> float:
        self.counts.fetches += 1
        return 0.0

    def background(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        return asyncio.ensure_future(work)


class FakeSpace:
    """A store that has nothing, takes everything, and finds all that is at hand right."""

    is_usable = is_joined = is_open = True
    id, schema = b"m" * 16, b"$" * 16

    def __init__(self, rig: Rig) -> None:
        self.generations = rig.database.generations
        self.link, self.confirmer = FakeLink(), Confirmer()
        self.keys, self.landings = build_keys("p", "fact"), Landings()
        self.leases: dict[bytes, bytes] = {}
        self.orders = Orders(lambda order: lambda key: order in key)
        self.ran: list[str] = []

    def is_trusted(self, _now: float) -> bool:
        return True

    def meet(self, _history: tuple[object, ...]) -> None:
        """It is joined already."""

    def take_orders(self, version: bytes, orders: bytes) -> None:
        """Hear of orders."""
        self.orders.take(version, orders)

    async def run(self, name: str, _keys: list[bytes], *arguments: Any, patience: float) -> Any:
        self.ran.append(name)
        if name != "fetch":
            return [b"stored"]
        at_hand = arguments[7]
        return [b"same"] if at_hand else [b"miss", TOKENS]


@pytest.fixture
async def space(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> FakeSpace:
    """Make every session of the rig one that shares a store."""

    def make(engine: Any, client: Peer, origin: Peer) -> SharedSession:
        return SharedSession(engine, client, origin)

    monkeypatch.setattr(rigs, "Session", make)
    space = FakeSpace(rig)
    rig.database.space = cast(Space, space)
    return space


async def prove(rig: Rig, line: Line, data: bytes) -> None:
    """Have it missed, and then found."""
    for _ in range(2):
        line.says(data)
        for _ in range(5):
            await rig.rest()
    line.heard()
    line.asked()


async def ready(rig: Rig, space: FakeSpace, data: bytes) -> Line:
    """A session that waits for the store to confirm its answer to ``data``."""
    line = rig.line()
    await prove(rig, line, data)
    space.ran.clear()
    line.says(data)
    assert len(space.confirmer.asked) == 1, line.transcript()
    assert line.heard() == b""
    return line


@pytest.mark.parametrize("data", [query(READ), whole_run(READ)], ids=["simple", "extended"])
async def test_a_confirmed_hit_is_answered_without_the_slow_lane(
    rig: Rig, space: FakeSpace, data: bytes
) -> None:
    line = await ready(rig, space, data)
    was_idle, before = line.session.is_idle, rig.counters.hits
    space.confirmer.says(True)
    line.hears(ANSWER if data == query(READ) else f"1 2 {ANSWER}")
    assert rig.counters.hits == before + 1
    assert (was_idle, line.session.is_idle) == (False, True)
    assert (space.ran, line.asked()) == ([], "")


async def test_other_parameters_of_a_statement_are_confirmed_as_well(
    rig: Rig, space: FakeSpace
) -> None:
    line = await ready(rig, space, whole_run(VALUED, [b"one"]))
    space.confirmer.says(True)
    line.hears("1 2 T(v) D(one) C(SELECT_1) Z(I)")
    other = whole_run(VALUED, [b"two"])
    line.says(other)
    for _ in range(5):
        await rig.rest()
    line.heard()
    space.ran.clear()
    line.says(other)  # for the first time since it was stored: nothing of it is remembered
    assert len(space.confirmer.asked) == 1
    space.confirmer.says(True)
    line.hears("1 2 T(v) D(two) C(SELECT_1) Z(I)")
    assert space.ran == []


async def test_what_is_not_confirmed_takes_the_slow_lane(rig: Rig, space: FakeSpace) -> None:
    line = await ready(rig, space, query(READ))
    space.confirmer.says(False)
    for _ in range(5):
        await rig.rest()
    line.hears(ANSWER)
    assert space.ran == ["fetch"]


async def test_P3_what_has_moved_here_meanwhile_is_not_answered(rig: Rig, space: FakeSpace) -> None:
    line = await ready(rig, space, query(READ))
    rig.line().says(query("insert into t values ('x')"))
    space.confirmer.says(True)
    for _ in range(5):
        await rig.rest()
    line.hears("T(v) D(one) D(two) D(x) C(SELECT_3) Z(I)")


async def test_what_comes_behind_it_does_not_overtake_it(rig: Rig, space: FakeSpace) -> None:
    line = await ready(rig, space, query(READ))
    asked = space.confirmer.asked
    line.says(query("select 1"))
    for _ in range(5):
        await rig.rest()
    told = line.heard()
    assert rigs.words(told)[: len(ANSWER.split())] == ANSWER.split()
    assert rigs.words(told)[-1] == "Z(I)"
    for _, answer in asked:
        answer(True)
    assert line.heard() == b"", "the confirmation came too late, and is nobody's"


async def test_W33_a_client_that_leaves_meanwhile_is_no_trouble(rig: Rig, space: FakeSpace) -> None:
    line = await ready(rig, space, query(READ))
    line.session.client_gone()
    space.confirmer.says(True)
    for _ in range(5):
        await rig.rest()
    assert line.session.is_idle


async def test_W43_a_client_that_does_not_read_is_answered_when_it_does(
    rig: Rig, space: FakeSpace
) -> None:
    line = await ready(rig, space, query(READ))
    line.session.hold_answers(True)
    space.confirmer.says(True)
    assert line.heard() == b""
    line.session.hold_answers(False)
    for _ in range(5):
        await rig.rest()
    line.hears(ANSWER)


async def test_W32_a_cancel_request_finds_an_execution_of_its_own(
    rig: Rig, space: FakeSpace
) -> None:
    line = await ready(rig, space, query(READ))
    line.origin.is_held = True
    assert line.session.wants_cancel()
    line.origin.release()
    line.hears(ANSWER)

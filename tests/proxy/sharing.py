"""A shared store as a session sees it: what it is asked, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from pgcache.cache.entry import Entry
from pgcache.cache.shared.codec import Codec
from pgcache.cache.shared.contract import Fetched, Found, Stop, StoreLost
from pgcache.cache.shared.deadlines import Deadlines
from pgcache.cache.shared.keys import build_keys, digest
from pgcache.cache.shared.landings import Landings
from pgcache.cache.shared.link import StoreCounts, Times
from pgcache.cache.shared.orders import Orders
from pgcache.cache.shared.space import Space
from pgcache.cache.shared.standing import Standing
from pgcache.proxy.flow import Peer
from pgcache.proxy.shared import SharedSession
from tests.proxy.rig import Rig

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


class FakeClient:
    """Keeps what is fetched until the test answers; ``is_away``: nothing can be fetched."""

    def __init__(self) -> None:
        self.is_away = True
        self.asked: list[Fetched] = []

    def fetch_soon(
        self, _key: bytes, _fields: Sequence[bytes], _name: bytes, call: Fetched
    ) -> Stop | None:
        if self.is_away:
            return None
        self.asked.append(call)
        return lambda: None

    def says(self, found: Found | StoreLost) -> None:
        asked, self.asked = self.asked, []
        for call in asked:
            call(found)


class FakeLink:
    """What a lookup needs of a link."""

    times, patience, flight_wait, codec = Times(), 1.0, 1.0, Codec()
    era = 0

    def __init__(self, rig: Rig) -> None:
        self.counts = StoreCounts()
        self.client, self.deadlines = FakeClient(), Deadlines(60.0)
        self._rig = rig

    def note_failure(self, error: Exception, era: int) -> None:
        self.counts.failures += 1

    def refuse(self, error: Exception) -> None:
        self.counts.bad_values += 1

    def clock(self) -> float:
        return self._rig.now

    def count_fetch(self) -> float:
        self.counts.fetches += 1
        return self._rig.now

    def background(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        return asyncio.ensure_future(work)


class FakeSpace:
    """A store that has nothing, takes everything, and finds all that is at hand right; or says
    ``fetched`` in turn, of which None is no answer."""

    is_usable = is_joined = is_open = True
    id, schema = b"m" * 16, b"$" * 16

    def __init__(self, rig: Rig) -> None:
        self.generations = rig.database.generations
        self.link, self.confirmer = FakeLink(rig), Confirmer()
        self.keys, self.landings = build_keys("p", "fact"), Landings()
        self.leases: dict[bytes, bytes] = {}
        self.standing = Standing()
        self.orders = Orders(lambda order: lambda key: order in key)
        self.ran: list[str] = []
        self.wishes: list[bytes] = []
        self.fetched: list[list[Any] | None] = []

    def doubt(self) -> None:
        """It is asked again all the same."""

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
        self.wishes.append(arguments[4])
        if self.fetched:
            answer = self.fetched.pop(0)
            if answer is None:
                raise StoreLost("no answer")
            return answer
        at_hand = arguments[7]
        return [b"same"] if at_hand else [b"miss", TOKENS]


def share(rig: Rig) -> FakeSpace:
    """Have every session of the rig share a store."""
    space = FakeSpace(rig)
    rig.database.space = cast(Space, space)
    return space


def make_session(engine: Any, client: Peer, origin: Peer) -> SharedSession:
    """What takes the place of ``Session``."""
    return SharedSession(engine, client, origin)


def stored(
    space: FakeSpace, entry: Entry, *, age: int = 0, left: int = 60_000, kept: int = 60_000
) -> list[Any]:
    """What the store says where it has an entry, with its times in ms."""
    value = Codec().encode(space.keys.entry(digest(entry.key)), entry, TOKENS)
    return [b"hit", TOKENS, age, left, kept, value]

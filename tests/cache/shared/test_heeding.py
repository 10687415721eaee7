"""What a member does about what it hears."""

from __future__ import annotations

from pgcache.cache.shared.beats import Beats
from pgcache.cache.shared.cancels import Cancels
from pgcache.cache.shared.channel import (
    Beat,
    CancelAsked,
    CancelTaken,
    Landed,
    Moved,
    Ordered,
    Redefined,
)
from pgcache.cache.shared.generations import SharedGenerations
from pgcache.cache.shared.heeding import heed
from pgcache.cache.shared.landings import Landings
from pgcache.cache.shared.link import Times
from tests.cache.shared.test_generations import Teller

ME, OTHER = b"m" * 16, b"o" * 16


class Hearer:
    """A member that notes what it is told."""

    def __init__(self) -> None:
        self.id = ME
        self.beats, self.landings = Beats(Times(4.0)), Landings()
        self.generations = SharedGenerations(Teller())
        self.told: list[object] = []
        self.cancels = Cancels(self._say, self.told.append, self._take)

    async def _say(self, kind: bytes, digest: bytes) -> None:
        self.told.append((kind, digest))

    def _take(self, digest: bytes) -> None:
        self.told.append(digest)

    def redefined(self, token: bytes, *, is_own: bool = False) -> None:
        self.told.append((token, is_own))

    def take_orders(self, version: bytes, orders: bytes) -> None:
        self.told.append((version, orders))


async def test_what_others_moved_has_moved_here() -> None:
    hearer = Hearer()
    vector = hearer.generations.capture((1,))
    assert vector is not None
    heed(hearer, Moved(ME, frozenset((1,))))
    assert not hearer.generations.has_moved((1,), vector), "it did so itself when it said so"
    heed(hearer, Moved(OTHER, frozenset((1,))))
    assert hearer.generations.has_moved((1,), vector)


async def test_definitions_and_orders_also_where_they_are_its_own() -> None:
    hearer = Hearer()
    heed(hearer, Redefined(ME, b"token"))
    heed(hearer, Redefined(OTHER, b"token"))
    heed(hearer, Ordered(b"version", b"orders"))
    assert hearer.told == [(b"token", True), (b"token", False), (b"version", b"orders")]


async def test_a_cancel_request_of_another_proxy_is_looked_for_here() -> None:
    hearer = Hearer()
    heed(hearer, CancelAsked(ME, b"own"))
    heed(hearer, CancelAsked(OTHER, b"another"))
    heed(hearer, CancelTaken(b"nobody waits for it"))
    assert hearer.told == [b"another"]


async def test_landings_and_beats() -> None:
    hearer = Hearer()
    landed = Landed(b"f" * 16, stored=True, worth_it=True)
    heed(hearer, landed)
    assert await hearer.landings.wait(b"f" * 16, 0.0) == landed
    heed(hearer, Beat(hearer.beats.send(10.0)))
    assert hearer.beats.trusted_until == 13.0

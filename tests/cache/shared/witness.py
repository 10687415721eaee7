"""A database's state in the store as a test wants it, for those who ask by native commands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from pgcache.cache.generations import Generations
from pgcache.cache.shared.codec import Codec
from pgcache.cache.shared.contract import Fetched, Found, Peeked, Stop, StoreChanged, StoreLost
from pgcache.cache.shared.deadlines import Deadlines
from pgcache.cache.shared.generations import SharedGenerations
from pgcache.cache.shared.keys import Keys, build_keys
from pgcache.cache.shared.link import Link, StoreCounts
from pgcache.cache.shared.orders import Orders
from pgcache.cache.shared.standing import Standing

ME, OTHER = b"m" * 16, b"o" * 16
NOW = 1_700_000_000_000


def member(who: bytes, until: int) -> bytes:
    return who + b"%013d%010d" % (until, 1) + b"c" * 8


def token(letter: str) -> bytes:
    return letter.encode() * 16


# Fields of the state with which nothing may be served, None where they are missing.
MOVED = [
    pytest.param(b"r1", None, id="T-13 a token that is missing"),
    pytest.param(b"r1", token("x"), id="T-11 a token that has moved"),
    pytest.param(b"r1", b"L" + b"o" * 24, id="T-10 a lock"),
    pytest.param(b"*", token("x"), id="everything has moved"),
    pytest.param(b"*", b"L" + b"o" * 24, id="everything is locked"),
    pytest.param(b"$", token("x"), id="definitions have changed"),
    pytest.param(b"p", None, id="the state is lost"),
    pytest.param(b"p", member(OTHER, NOW + 500), id="no member any more"),
    pytest.param(
        b"p", member(ME, NOW + 500) + member(OTHER, NOW - 1), id="T-14 somebody is cut off"
    ),
    pytest.param(b"q", b"%d" % (NOW + 1), id="the state was empty not long ago"),
    pytest.param(b"t", b"%013d" % (NOW + 1), id="T-14 the clock has gone back"),
    pytest.param(b"x", token("x"), id="an order that was not heard yet"),
]


class FakeLink:
    """Counts, and runs work beside. Its client is the witness."""

    era, patience, codec = 0, 60.0, Codec()

    def __init__(self, client: Witness) -> None:
        self.counts = StoreCounts()
        self.deadlines = Deadlines(self.patience)
        self.client = client
        self.now = 1_000.0
        self.refused: list[Exception] = []

    def note_failure(self, error: Exception, era: int) -> None:
        self.counts.failures += 1
        self.era += isinstance(error, StoreChanged) and self.era == era

    def count_fetch(self) -> float:
        self.counts.fetches += 1
        return self.now

    def refuse(self, error: Exception) -> None:
        self.refused.append(error)

    def background(self, work: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)


class Witness:
    """A store's state, and its values, each with the time it is kept for in ms."""

    def __init__(self) -> None:
        self.fake = FakeLink(self)
        self.link = cast(Link, self.fake)
        self.keys: Keys | None = build_keys("p", "fact")
        self.is_connected = True  # else a connection has to be opened first
        self.id, self.schema = ME, token("$")
        self.generations = cast(SharedGenerations, Generations())
        self.orders = Orders(lambda order: lambda key: order in key)
        self.standing = Standing()
        self.is_usable = True
        self.error: StoreLost | None = None
        self.is_doubted = self.is_silent = False
        self.stopped = 0
        self.asked: list[list[bytes]] = []
        self.state: dict[bytes, bytes] = {
            b"p": member(ME, NOW + 1000) + member(OTHER, NOW + 500),
            b"*": token("*"),
            b"$": token("$"),
            b"r1": token("1"),
            b"r2": token("2"),
        }
        self.values: dict[bytes, tuple[bytes, int]] = {}

    def doubt(self) -> None:
        self.is_doubted = True

    def peek_soon(self, _key: bytes, fields: Sequence[bytes], call: Peeked) -> Stop | None:
        if not self.is_connected:
            return None
        self.asked.append(list(fields))
        found = self.error or ([self.state.get(field) for field in fields], NOW)
        if not self.is_silent:
            asyncio.get_running_loop().call_soon(call, found)
        return self._stop

    def fetch_soon(
        self, _key: bytes, fields: Sequence[bytes], name: bytes, call: Fetched
    ) -> Stop | None:
        if not self.is_connected:
            return None
        self.asked.append(list(fields))
        value, kept = self.values.get(name, (None, -2))
        found: Found = ([self.state.get(field) for field in fields], NOW, value, kept)
        if not self.is_silent:
            asyncio.get_running_loop().call_soon(call, self.error or found)
        return self._stop

    def _stop(self) -> None:
        self.stopped += 1

    async def peek(self, fields: Sequence[bytes]) -> tuple[list[bytes | None], int]:
        self.asked.append(list(fields))
        if self.error is not None:
            raise self.error
        return [self.state.get(field) for field in fields], NOW

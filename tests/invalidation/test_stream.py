"""A Redis stream of events, on a real Redis: what arrives, and what a loss may not hide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from pgcache.config.model import EventConfig
from pgcache.invalidation.bus import Applied, Bus
from pgcache.invalidation.events import Events
from pgcache.invalidation.orders import Order
from pgcache.invalidation.sight import Sight
from pgcache.invalidation.stream import KIND, Streaming
from pgcache.metrics.counters import Source
from tests.support.redis import RedisServer

STREAM = "pgcache:events"
CREATED = Order(tags=("revenue",))


class Place:
    """One reader of the stream, with a recording bus and what its sight says."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.orders: asyncio.Queue[Order] = asyncio.Queue()
        self.seen: asyncio.Queue[str] = asyncio.Queue()
        declared = {"order.created": EventConfig(tags=("revenue",))}
        events = Events(cast("Bus[Any]", self), declared, window=60, clock=lambda: 0.0)
        self.streaming = Streaming(
            server.url(), STREAM, events, cast(Sight, self), pause=lambda _: asyncio.sleep(0.01)
        )

    def apply(self, order: Order, source: Source) -> Applied:
        assert source is Source.STREAM
        self.orders.put_nowait(order)
        return Applied()

    def lost(self, kind: str, database: str, problem: str) -> None:
        assert (kind, database) == (KIND, "")
        self.seen.put_nowait("lost")

    def heard(self, kind: str, database: str, detail: str, *, missed: bool) -> None:
        self.seen.put_nowait("missed" if missed else "heard")

    def brought(self, kind: str, database: str) -> None:
        """Counted elsewhere."""

    def add(self, **fields: str) -> None:
        self.server.say("XADD", STREAM, "*", *(word for pair in fields.items() for word in pair))

    def all_orders(self) -> list[Order]:
        """Those carried out and not yet looked at."""
        return [self.orders.get_nowait() for _ in range(self.orders.qsize())]

    async def next_sight(self) -> str:
        """What is heard next, losses passed over."""
        while (seen := await self.seen.get()) == "lost":
            pass
        return seen

    async def hear_two(self) -> None:
        """Read two changes: once the second is read, the first one's place is kept."""
        assert await self.next_sight() == "heard"
        for name in ("first", "second"):
            self.add(tags=name)
            await self.orders.get()


@asynccontextmanager
async def reading(server: RedisServer) -> AsyncIterator[Place]:
    place = Place(server)
    place.streaming.start()
    assert place.seen.get_nowait() == "lost", "nothing is served before"
    try:
        yield place
    finally:
        await place.streaming.close()


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ({"event": "order.created", "amount": "3"}, CREATED),
        ({"message": "order.created"}, CREATED),
        ({"message": '{"tables": ["public.t"]}'}, Order(tables=("public.t",))),
        ({"tables": "public.t, public.u"}, Order(tables=("public.t", "public.u"))),
        ({"tags": "a", "database": "shop"}, Order(tags=("a",), database="shop")),
        ({"all": "true"}, Order(everything=True)),
        ({"event": "who knows"}, Order(everything=True)),
    ],
)
async def test_what_is_added_arrives(
    fields: dict[str, str], order: Order, redis_server: RedisServer
) -> None:
    async with reading(redis_server) as place:
        assert await place.next_sight() == "heard"
        place.add(**fields)
        assert await place.orders.get() == order


async def test_one_with_an_id_is_carried_out_once(redis_server: RedisServer) -> None:
    async with reading(redis_server) as place:
        assert await place.next_sight() == "heard"
        for identity in ("1", "1", "2"):
            place.add(event="order.created", id=identity)
        place.add(tags="end")
        found = [await place.orders.get() for _ in range(3)]
        assert found == [CREATED, CREATED, Order(tags=("end",))]


async def test_what_came_while_nobody_read_is_read_before_anything_is_served(
    redis_server: RedisServer,
) -> None:
    async with reading(redis_server) as place:
        await place.hear_two()
    place.add(tags="meanwhile")
    async with reading(redis_server) as later:
        assert await later.next_sight() == "heard"
        assert later.all_orders()[-1] == Order(tags=("meanwhile",))


async def test_a_lost_redis_is_told_and_a_stream_that_is_gone_counts_as_missed(
    redis_server: RedisServer,
) -> None:
    async with reading(redis_server) as place:
        assert await place.next_sight() == "heard"
        place.add(event="order.created")
        await place.orders.get()
        redis_server.restart()  # without its data
        assert await place.seen.get() == "lost"
        assert await place.next_sight() == "missed"
        place.add(event="order.created")
        assert await place.orders.get() == CREATED


async def test_a_stream_cut_off_behind_its_reader_counts_as_missed(
    redis_server: RedisServer,
) -> None:
    async with reading(redis_server) as place:
        await place.hear_two()
    place.add(tags="lost")
    place.add(tags="kept")
    redis_server.say("XTRIM", STREAM, "MAXLEN", "=", "1")
    async with reading(redis_server) as later:
        assert await later.next_sight() == "missed"
        assert later.all_orders() == [Order(tags=("kept",))]

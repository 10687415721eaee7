"""NOTIFY on a real origin: what arrives, what is lost, and that nothing stale is served then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import pytest

from pgcache.catalog.connect import Connect, build_connect
from pgcache.config.model import EventConfig
from pgcache.invalidation.bus import Applied, Bus
from pgcache.invalidation.events import Events
from pgcache.invalidation.listen import KIND, Listening
from pgcache.invalidation.orders import Order
from pgcache.invalidation.sight import Sight
from pgcache.metrics.counters import Source
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres

APP = "pgcache catalog"


class Place:
    """Listening in one database, with a recording bus, and what its sight says."""

    def __init__(self, connect: Connect) -> None:
        self.orders: asyncio.Queue[Order] = asyncio.Queue()
        self.seen: asyncio.Queue[str] = asyncio.Queue()
        self.pauses: list[float] = []
        declared = {"order.created": EventConfig(tags=("revenue",))}
        events = Events(cast("Bus[Any]", self), declared, window=60, clock=lambda: 0.0)
        self.listening = Listening("pgcache", events, cast(Sight, self), connect, pause=self._pause)

    def apply(self, order: Order, source: Source) -> Applied:
        assert source is Source.NOTIFY
        self.orders.put_nowait(order)
        return Applied()

    def lost(self, kind: str, database: str, problem: str) -> None:
        assert kind == KIND
        self.seen.put_nowait(f"lost {problem}")

    def heard(self, kind: str, database: str, detail: str) -> None:
        self.seen.put_nowait("heard")

    def brought(self, kind: str, database: str) -> None:
        """Counted elsewhere."""

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def listening(server: Server, database: str) -> AsyncIterator[Place]:
    place = Place(build_connect(server.url()))
    place.listening.watch(database)
    try:
        yield place
    finally:
        await place.listening.close()


def notify(server: Server, database: str, payload: str) -> None:
    with server.connect(database=database) as connection:
        connection.execute("SELECT pg_notify('pgcache', %s)", (payload,))


def kill(server: Server, database: str) -> None:
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{database}' AND application_name = '{APP}'"
    )


async def test_what_is_notified_arrives(newest_postgres: Server, newest_database: str) -> None:
    async with listening(newest_postgres, newest_database) as place:
        assert await place.seen.get() == "lost it is being connected"
        assert await place.seen.get() == "heard"
        for payload, order in (
            ("order.created", Order(tags=("revenue",), database=newest_database)),
            ('{"tables": "public.t"}', Order(tables=("public.t",), database=newest_database)),
            ("who knows", Order(everything=True, database=newest_database)),
            ("", Order(everything=True, database=newest_database)),
        ):
            notify(newest_postgres, newest_database, payload)
            assert await place.orders.get() == order


async def test_a_lost_connection_is_told_and_made_again(
    newest_postgres: Server, newest_database: str
) -> None:
    async with listening(newest_postgres, newest_database) as place:
        for _ in range(2):
            while await place.seen.get() != "heard":
                pass
            kill(newest_postgres, newest_database)
            assert (await place.seen.get()).startswith("lost ")
        while await place.seen.get() != "heard":
            pass
        notify(newest_postgres, newest_database, "order.created")
        assert (await place.orders.get()).tags == ("revenue",)


async def test_a_dropped_database_is_left_alone_until_it_is_used_again(
    newest_postgres: Server, newest_database: str
) -> None:
    async with listening(newest_postgres, "dropped_since") as place:
        assert "being connected" in await place.seen.get()
        assert "may have been dropped" in await place.seen.get()
        await asyncio.wait(place.listening._tasks.values())
        assert place.pauses == []
        place.listening.watch("dropped_since")
        assert "may have been dropped" in await place.seen.get()


class Deaf:
    """A connection that a pooler has swallowed LISTEN of."""

    def __init__(self) -> None:
        self.is_terminated = False

    async def add_listener(self, *_arguments: object) -> None:
        """Nothing will come."""

    async def execute(self, *_arguments: object, **_options: object) -> None:
        raise asyncpg.InterfaceError("nobody heard")

    def terminate(self) -> None:
        self.is_terminated = True


async def test_one_that_does_not_hear_itself_is_not_trusted() -> None:
    made: list[Deaf] = []

    async def connect(_database: str) -> Any:
        made.append(Deaf())
        return made[-1]

    place = Place(connect)
    place.listening.watch("shop")
    for _ in range(12):
        assert (await place.seen.get()).startswith("lost ")
    await place.listening.close()
    assert place.pauses[:3] == [0.5, 1.0, 2.0]
    assert max(place.pauses) == 30.0
    assert all(deaf.is_terminated for deaf in made)

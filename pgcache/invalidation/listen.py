"""NOTIFY on the origin as a source of orders: ``NOTIFY pgcache, 'order.created'``.

One connection for each database in use listens, as long as this process lives. PostgreSQL delivers
a notification only after its transaction can be seen (D-09), so what is fetched after it is new.

While nobody listens, notifications are lost for good. So a database is served from the cache only
while its connection is known to hear: until it does, and again after every loss, its statements
pass, and when it hears (again) everything that was stored before is given up.

Counterpart: ``events`` understands the messages. Must not know: sessions.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import structlog

from pgcache.catalog.connect import Connect, advise
from pgcache.catalog.loader import Connection
from pgcache.invalidation.events import Events
from pgcache.invalidation.orders import Order, OrderError
from pgcache.invalidation.sight import ORIGINS_OWN, Sight
from pgcache.metrics.counters import Source

log = structlog.get_logger("pgcache.invalidation")

KIND: Final = ORIGINS_OWN
_GREETING: Final = "pgcache hello "  # what a connection says to itself, to know that it hears
_HEARTBEAT: Final = 10.0  # seconds between looks whether the connection is still there
_PATIENCE: Final = 10.0  # seconds for its answer
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0

Pause = Callable[[float], Awaitable[None]]


class Listening:
    """Listens in every database that ``watch`` names. ``pause`` sleeps (seconds)."""

    def __init__(
        self,
        channel: str,
        events: Events,
        sight: Sight,
        connect: Connect,
        *,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._channel = channel
        self._events = events
        self._sight = sight
        self._connect = connect
        self._pause = pause
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def watch(self, database: str) -> None:
        """A session uses ``database``: listen there, if nobody does yet."""
        task = self._tasks.get(database)
        if task is None or task.done():
            if task is None:
                self._sight.lost(KIND, database, "it is being connected")
            self._tasks[database] = asyncio.get_running_loop().create_task(self._keep(database))

    async def close(self) -> None:
        """Listen no more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _keep(self, database: str) -> None:
        """Listen again and again, until the database is gone."""
        failures = 0
        while True:
            try:
                async with asyncio.timeout(_PATIENCE):
                    connection = await self._connect(database)
                try:
                    await self._listen(connection, database)
                    failures = 0
                    await self._watch(connection)
                finally:
                    connection.terminate()
            except asyncpg.InvalidCatalogNameError as error:
                self._sight.lost(KIND, database, advise(error, database))
                return  # dropped; ``watch`` begins anew where it is used again
            except Exception as error:
                problem = advise(error, database)
                self._sight.lost(KIND, database, problem)
                log.warning("notifications not heard", database=database, problem=problem)
            await self._pause(min(_FIRST_PAUSE * 2 ** min(failures, 10), _LONGEST_PAUSE))
            failures += 1

    async def _listen(self, connection: Connection, database: str) -> None:
        """Return when the connection surely hears: a pooler in between would swallow LISTEN."""
        greeting = _GREETING + secrets.token_hex(8)
        greeted = asyncio.Event()

        def on_notify(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            text = str(payload)
            if text == greeting:
                greeted.set()
            elif not text.startswith(_GREETING):
                self._take(text, database)

        await connection.add_listener(self._channel, on_notify)
        await connection.execute(
            "SELECT pg_catalog.pg_notify($1, $2)", self._channel, greeting, timeout=_PATIENCE
        )
        async with asyncio.timeout(_PATIENCE):
            await greeted.wait()
        self._sight.heard(KIND, database, f"channel {self._channel}")
        log.info("listening for notifications", database=database, channel=self._channel)

    async def _watch(self, connection: Connection) -> None:
        """Raise when the connection is lost, also without a word."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        while not connection.is_closed():
            try:
                async with asyncio.timeout(_HEARTBEAT):
                    await lost.wait()
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=_PATIENCE)
        raise ConnectionError("the listening connection was lost")

    def _take(self, text: str, database: str) -> None:
        self._sight.brought(KIND, database)
        try:
            message = self._events.read_text(text, database=database)
        except OrderError as error:
            # Something has changed, nobody knows what.
            log.warning(
                "notification not understood: everything of its database is invalidated",
                database=database,
                problem=error.message,
                advice=error.hint,
            )
            self._events.bus.apply(Order(everything=True, database=database), Source.NOTIFY)
        else:
            self._events.apply(message, Source.NOTIFY)

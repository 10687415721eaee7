"""A Redis stream as a source of events: ``XADD pgcache:events * event order.created``.

The place reached is kept, here and in Redis, so that nothing is missed while pgcache or Redis is
away: after a loss what came meanwhile is read before anything is served again. Where the stream was
cut off behind that place (XTRIM, MAXLEN), everything is given up.

Every proxy reads all of it: no consumer group, since each has to hear each event. Reading some
twice is harmless. Counterpart: ``events`` understands the messages. Must not know: sessions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import redis.asyncio
import structlog

from pgcache.invalidation.events import Events
from pgcache.invalidation.orders import Order, OrderError
from pgcache.invalidation.sight import Sight
from pgcache.metrics.counters import Source

log = structlog.get_logger("pgcache.invalidation")

KIND: Final = "stream"
_BLOCK_MS: Final = 5_000
_TIMEOUT: Final = 10.0  # seconds; a read that blocks has to end before
_BATCH: Final = 500
_CANCEL_PAUSE: Final = 0.2
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_BEGINNING: Final = "0-0"

Connection = Any  # redis-py's client, whose types say too little
Pause = Callable[[float], Awaitable[None]]


class Streaming:
    """Reads one stream for as long as it runs. ``pause`` sleeps (seconds)."""

    def __init__(
        self,
        url: str,
        stream: str,
        events: Events,
        sight: Sight,
        *,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._url = url
        self._stream = stream
        self._place = f"{stream}:pgcache-position"
        self._events = events
        self._sight = sight
        self._pause = pause
        self._position: str | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; nothing is served until the stream is read."""
        self._sight.lost(KIND, "", "it is being connected")
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Read no more."""
        task = self._task
        # The client library loses a cancellation that comes together with an answer.
        while task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_CANCEL_PAUSE)

    async def _keep(self) -> None:
        failures = 0
        while True:
            client: Connection = redis.asyncio.Redis.from_url(
                self._url, decode_responses=True, socket_timeout=_TIMEOUT, socket_keepalive=True
            )
            try:
                is_whole = await self._find_place(client)
                while await self._read(client, block=None):
                    pass  # what came while nobody read
                self._sight.heard(KIND, "", f"stream {self._stream}", missed=not is_whole)
                log.info("reading events", stream=self._stream, position=self._position)
                failures = 0
                while True:
                    await self._read(client, block=_BLOCK_MS)
            except Exception as error:
                problem = str(error) or type(error).__name__
                self._sight.lost(KIND, "", problem)
                log.warning("stream not heard", stream=self._stream, problem=problem)
            finally:
                await client.aclose()
            await self._pause(min(_FIRST_PAUSE * 2 ** min(failures, 10), _LONGEST_PAUSE))
            failures += 1

    async def _find_place(self, client: Connection) -> bool:
        """Go on where this or an earlier process stopped; whether nothing was cut off behind.

        One that begins anew begins at the end: it has stored nothing that could be old.
        """
        if self._position is None:
            self._position = await client.get(self._place)
        if self._position is None:
            last = await client.xrevrange(self._stream, count=1)
            self._position = last[0][0] if last else _BEGINNING
            return True
        if self._position == _BEGINNING:
            return False  # of an empty stream nobody can say what was cut off
        return bool(await client.xrange(self._stream, self._position, self._position))

    async def _read(self, client: Connection, *, block: int | None) -> bool:
        """Carry out the next events; whether there were any. ``block``: milliseconds to wait."""
        found = await client.xread({self._stream: self._position}, count=_BATCH, block=block)
        entries = found[0][1] if found else []
        for position, fields in entries:
            self._take(fields)
            self._position = position
        if entries:
            await client.set(self._place, self._position)
        return bool(entries)

    def _take(self, fields: Mapping[str, str]) -> None:
        self._sight.brought(KIND, "")
        try:
            self._events.apply(self._events.read_fields(fields), Source.STREAM)
        except OrderError as error:
            # Something has changed, nobody knows what.
            log.warning(
                "event not understood: everything is invalidated",
                problem=error.message,
                advice=error.hint,
            )
            self._events.bus.apply(Order(everything=True), Source.STREAM)

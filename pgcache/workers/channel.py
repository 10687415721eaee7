"""Questions and answers between the supervisor and one worker, both ways, over a socket pair.

A message is a length and JSON. Both ends may ask; answers come in any order. The end of the
channel is the end of the other process: everything that still waits fails with ``ChannelLost``.
Knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from pgcache.errors import PgcacheError

log = structlog.get_logger("pgcache.workers")

_LENGTH: Final = struct.Struct("!I")
# Metrics of thousands of series are well below; whatever passes this is not ours.
_MAX_MESSAGE: Final = 64 * 1024 * 1024


class ChannelLost(PgcacheError):
    """The process at the other end is gone."""


class RemoteFailure(PgcacheError):
    """The other end could not answer; the message is its own."""


Handler = Callable[[str, Any], Awaitable[Any]]


class Channel:
    """One end. ``handler`` answers what the other end asks; ``closed`` is set at the end."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
    ) -> None:
        self.closed = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._handler = handler
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    @classmethod
    async def open(cls, end: socket.socket, handler: Handler) -> Channel:
        """Take over one end of a pair of stream sockets."""
        reader, writer = await asyncio.open_unix_connection(sock=end)
        return cls(reader, writer, handler)

    async def ask(self, what: str, payload: Any = None) -> Any:
        """Return the other end's answer. Raises ChannelLost or RemoteFailure."""
        if self.closed.is_set():
            raise ChannelLost("the process at the other end is gone")
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._send({"ask": number, "what": what, "payload": payload})
            return await answer
        finally:
            del self._waiting[number]

    async def close(self) -> None:
        """End it; the other end notices."""
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)

    def _send(self, message: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            body = json.dumps(message).encode()
            self._writer.write(_LENGTH.pack(len(body)) + body)

    async def _listen(self) -> None:
        try:
            while True:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                if length > _MAX_MESSAGE:
                    log.error("a message between processes is too long", bytes=length)
                    return
                self._take(json.loads(await self._reader.readexactly(length)))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other process has ended
        finally:
            self._end()

    def _take(self, message: dict[str, Any]) -> None:
        if "ask" in message:
            task = asyncio.get_running_loop().create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        waiting = self._waiting.get(message["answer"])
        if waiting is None or waiting.done():
            return  # who asked has lost patience
        if "error" in message:
            waiting.set_exception(RemoteFailure(message["error"], hint=message["hint"]))
        else:
            waiting.set_result(message["payload"])

    async def _answer(self, message: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"answer": message["ask"]}
        try:
            answer["payload"] = await self._handler(message["what"], message["payload"])
        except PgcacheError as error:
            answer |= {"error": error.message, "hint": error.hint}
        except Exception as error:
            log.exception("a question between processes failed", what=message["what"])
            answer |= {"error": f"{type(error).__name__}: {error}", "hint": None}
        self._send(answer)

    def _end(self) -> None:
        self.closed.set()
        self._writer.close()
        for task in self._tasks:
            task.cancel()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ChannelLost("the process at the other end is gone"))

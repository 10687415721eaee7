"""A TCP connection that misbehaves on request: slow, silent, cut. A proxy of the tests' own.

It stands between two processes and runs in a thread, so that blocking tests can use it too.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import struct
import threading
import warnings
from collections.abc import Coroutine
from types import TracebackType
from typing import Any
from weakref import WeakSet

_CHUNK = 1 << 16
PATIENCE = 30.0
"""Seconds until a command to the thread counts as stuck."""


class Link:
    """Passes connections to `port` on to `target`, as well or as badly as it is told to.

    With `tls`, a server's context, it takes TLS and passes on what was in it.
    """

    def __init__(self, target: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self.target = target
        self._tls = tls
        self.port = 0
        self.accepted = 0
        """Connections that came so far."""
        self._delay = 0.0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._transports: WeakSet[asyncio.WriteTransport] = WeakSet()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen())

    def __enter__(self) -> Link:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def host(self) -> str:
        """Return the address that it listens on."""
        return "127.0.0.1"

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        return self.host, self.port

    def delay(self, seconds: float) -> None:
        """Hold every piece of data so long, in both directions; 0 ends it."""
        self._delay = seconds

    def stall(self) -> None:
        """Pass nothing on, as a partition does: connections open and stay, and are silent."""
        self._do(self._set_flowing(False))

    def deliver(self) -> None:
        """Pass on what `stall` holds, and go on stalling: late packets, and no more of them."""
        self._do(self._deliver())

    def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        self._do(self._cut(refuse=True))

    def reset(self) -> None:
        """Reset all connections; new ones are welcome."""
        self._do(self._cut(refuse=False))

    def heal(self) -> None:
        """Be a good connection again. What was held by `stall` is delivered."""
        self._delay = 0.0
        self._do(self._heal())

    def close(self) -> None:
        """End everything, the thread too."""
        if self._loop.is_closed():
            return
        self._do(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        with warnings.catch_warnings():
            # A connection that came in the last moment ends with its loop; nobody is to blame.
            warnings.simplefilter("ignore", ResourceWarning)
            self._transports.clear()
            gc.collect()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    # In the thread

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _set_flowing(self, flowing: bool) -> None:
        if flowing:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _deliver(self) -> None:
        held, self._flowing = self._flowing, asyncio.Event()
        held.set()

    async def _cut(self, *, refuse: bool) -> None:
        if refuse and self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            _reset(writer)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _shut(self) -> None:
        """Leave no task and no transport behind, not even of a connection that comes just now."""
        await self._cut(refuse=True)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            # Not asyncio's own: one that is accepting a connection would leave its socket open.
            for task in list(self._tasks):
                task.cancel()
            await asyncio.wait(others, timeout=0.01)
        for transport in list(self._transports):
            transport.abort()  # also those that were closed and still wait to deliver something
        for _ in range(3):  # transports are closed by callbacks
            await asyncio.sleep(0)

    async def _heal(self) -> None:
        self._flowing.set()
        if self._server is None:
            await self._listen()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._add(writer)
        try:
            await self._flowing.wait()
            far_reader, far_writer = await asyncio.open_connection(*self.target)
            self._add(far_writer)
            try:
                await self._join(reader, writer, far_reader, far_writer)
            finally:
                self._end(far_writer)
        except (OSError, asyncio.CancelledError):
            pass  # a broken connection is what this is for
        finally:
            self._end(writer)

    async def _join(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        """Pass data on both ways until either end closes."""
        pumps = {
            asyncio.create_task(self._pump(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()

    def _add(self, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._transports.add(writer.transport)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()  # what was written before an end is delivered


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the peer sees a reset, not an end; what ended by itself is left alone."""
    sock = writer.get_extra_info("socket")
    if sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

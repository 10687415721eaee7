"""A relay that looks at nothing: the least that forwarding costs a process written with uvloop.

Run as ``python -m benchmarks.bare PORT ORIGIN-PORT KIND``. ``plain`` and ``buffered`` are the two
kinds of asyncio's protocols; ``direct`` writes past the transport where its buffer is empty.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import cast

import uvloop

_VIEW = memoryview(bytearray(256 * 1024))


class Plain(asyncio.Protocol):
    """One end; what comes goes to ``peer``."""

    peer: Plain | Buffered
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.peer.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Both ends go together."""
        self.peer.transport.close()


class Direct(Plain):
    """The same, with a write of its own where nothing is queued."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket's number too."""
        super().connection_made(transport)
        self.number = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """Write at once what the socket takes."""
        peer = cast(Direct, self.peer)
        sent = 0
        if not peer.transport.get_write_buffer_size() and not peer.transport.is_closing():
            try:
                sent = os.write(peer.number, data)
            except BlockingIOError:
                sent = 0
        if sent < len(data):
            peer.transport.write(data[sent:])


class Buffered(asyncio.BufferedProtocol):
    """The same, all reading into one buffer."""

    peer: Plain | Buffered
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """One for all."""
        return _VIEW

    def buffer_updated(self, nbytes: int) -> None:
        """Pass it on."""
        self.peer.transport.write(bytes(_VIEW[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Both ends go together."""
        self.peer.transport.close()


End = Plain | Buffered
KINDS: dict[str, Callable[[], End]] = {"plain": Plain, "buffered": Buffered, "direct": Direct}


async def _serve(port: int, origin: int, build: Callable[[], End]) -> None:
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    listener.setblocking(False)
    while True:
        accepted, _ = await loop.sock_accept(listener)
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        here, there = build(), build()
        here.peer, there.peer = there, here
        await loop.create_connection(partial(_same, there), "127.0.0.1", origin)
        await loop.connect_accepted_socket(partial(_same, here), accepted)


def _same(end: End) -> End:
    return end


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), KINDS[sys.argv[3]]))

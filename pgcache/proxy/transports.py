"""The shell around a transport: backpressure, the end.

An ordinary ``asyncio.Protocol``: uvloop reads for all connections into one buffer of its loop, so
an idle one costs none, and a chunk is one object and one call. (``BufferedProtocol`` would be two
calls, with a memoryview between them.) uvloop also writes at once what the socket takes, and
queues only the rest.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import cast

from pgcache.proxy.flow import FlowControl, Hold


def deaf(_data: bytes) -> None:
    """Nothing is expected now."""


class Connection(asyncio.Protocol):
    """One connection; ``data_received`` of subclasses says what happens with its bytes."""

    transport: asyncio.Transport
    flow: FlowControl
    peer: Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there (again, after a TLS handshake)."""
        self.transport = cast(asyncio.Transport, transport)
        self.flow = FlowControl(self.transport)

    def pause_writing(self) -> None:
        """The transport's buffer is full: hold whoever fills it."""
        if self.peer is not None:
            self.peer.flow.hold(Hold.OTHER_FULL, True)

    def resume_writing(self) -> None:
        """There is room again."""
        if self.peer is not None:
            self.peer.flow.hold(Hold.OTHER_FULL, False)

    # -- what a session needs of a peer

    def send(self, data: bytes | memoryview) -> None:
        """Write, unless the other end is gone already. HOT PATH."""
        transport = self.transport
        if not transport.is_closing():
            transport.write(data)

    def send_all(self, pieces: Sequence[bytes | memoryview]) -> None:
        """The same of several pieces: one call of the system for all that the socket takes."""
        if not self.transport.is_closing():
            self.transport.writelines(pieces)

    def hold(self, why: Hold, held: bool) -> None:
        """Stop reading for a reason, or drop that reason."""
        self.flow.hold(why, held)

    def close(self) -> None:
        """Write what is left, then close."""
        self.transport.close()

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS layer, None without one."""
        return cast("ssl.SSLObject | None", self.transport.get_extra_info("ssl_object"))

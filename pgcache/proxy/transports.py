"""The shell around a transport: one buffer to read into, backpressure, the end.

``asyncio.BufferedProtocol`` lets all connections read into one buffer, because the loop fills it
and hands it over within one call: an idle connection costs no buffer, and a chunk is copied once.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, cast

from pgcache.proxy.flow import FlowControl, Hold

_SIZE: Final = 256 * 1024
_BUFFER: Final = bytearray(_SIZE)
_VIEW: Final = memoryview(_BUFFER)


class Connection(asyncio.BufferedProtocol):
    """One connection; subclasses say what happens with its bytes."""

    transport: asyncio.Transport
    flow: FlowControl
    peer: Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there (again, after a TLS handshake)."""
        self.transport = cast(asyncio.Transport, transport)
        self.flow = FlowControl(self.transport)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where the loop puts the next bytes."""
        return _VIEW

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came. HOT PATH."""
        self.received(bytes(_VIEW[:nbytes]))

    def received(self, data: bytes) -> None:
        """Take a chunk."""
        raise AssertionError("a connection without a purpose")

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
        """Write, unless the other end is gone already."""
        if not self.transport.is_closing():
            self.transport.write(data)

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

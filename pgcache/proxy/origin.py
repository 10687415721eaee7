"""The connection to PostgreSQL: opened for one client, with its TLS, and gone with it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from pgcache.config import Origin
from pgcache.errors import PgcacheError, ProtocolViolation
from pgcache.proxy.tls import ALPN, MUST
from pgcache.proxy.transports import Connection, deaf
from pgcache.wire.startup import build_ssl_request


class OriginUnreachable(PgcacheError):
    """PostgreSQL cannot be reached; the message says where and why."""

    sqlstate = "08006"


class OriginConnection(Connection):
    """The origin's end. ``on_data``, ``on_violation`` (it raised that) and ``on_lost`` are the
    owner's, and may be exchanged."""

    def __init__(self) -> None:
        self.on_data: Callable[[bytes], None] = self._unexpected
        self.on_violation: Callable[[ProtocolViolation], None] = _raise
        self.on_lost: Callable[[], None] = _nothing
        self._answer: asyncio.Future[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        """Hand on what came. HOT PATH."""
        try:
            self.on_data(data)
        except ProtocolViolation as error:
            self.on_violation(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """The origin hung up, or the network did."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the origin hung up"))
        self.on_lost()
        # Nobody comes back here: what these belong to may go, and need not be found as a cycle.
        self.on_data, self.on_violation, self.on_lost = deaf, _raise, _nothing

    def eof_received(self) -> bool:
        """Close with it."""
        return False

    def _unexpected(self, data: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(data)

    async def ask_for_tls(self) -> bytes:
        """Send SSLRequest; the one byte that comes back (W-02: more would be an attack)."""
        self._answer = asyncio.get_running_loop().create_future()
        self.send(build_ssl_request())
        answer = await self._answer
        self._answer = None
        return answer


def _nothing() -> None:
    """Nobody wants to know."""


def _raise(error: ProtocolViolation) -> None:
    """Nobody is in charge: the loop reports it, and closes the connection."""
    raise error


async def connect_origin(origin: Origin, context: ssl.SSLContext | None) -> OriginConnection:
    """Open a connection and its TLS. Raises OriginUnreachable."""
    try:
        async with asyncio.timeout(origin.connect_timeout):
            return await _connect(origin, context)
    except TimeoutError:
        why = f"no answer within {origin.connect_timeout:g} s"
    except ssl.SSLError as error:
        why = f"TLS failed: {error.reason or error}"
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
    raise OriginUnreachable(
        f"pgcache could not connect to PostgreSQL at {origin}: {why}",
        hint="Is PostgreSQL running there, and is upstream.url right?",
    )


async def _connect(origin: Origin, context: ssl.SSLContext | None) -> OriginConnection:
    loop = asyncio.get_running_loop()
    if origin.is_unix:
        _, protocol = await loop.create_unix_connection(OriginConnection, origin.socket_path)
        return protocol
    _, protocol = await loop.create_connection(OriginConnection, origin.host, origin.port)
    if context is None:
        return protocol
    try:
        answer = await protocol.ask_for_tls()
        if answer == b"S":
            await _start_tls(protocol, context, origin.host)
        elif answer != b"N":
            raise OSError("it does not answer like PostgreSQL")
        elif origin.sslmode in MUST:
            raise OSError(f"it offers no TLS, and sslmode={origin.sslmode.value} asks for it")
    except BaseException:
        protocol.transport.abort()
        raise
    return protocol


async def _start_tls(protocol: OriginConnection, context: ssl.SSLContext, host: str) -> None:
    loop = asyncio.get_running_loop()
    transport = await loop.start_tls(protocol.transport, protocol, context, server_hostname=host)
    if transport is None:
        raise OSError("the connection was closed during the TLS handshake")
    protocol.connection_made(transport)
    tls = protocol.tls
    if tls is not None and tls.selected_alpn_protocol() not in (None, ALPN):
        raise OSError("it chose another protocol than PostgreSQL's during the TLS handshake")

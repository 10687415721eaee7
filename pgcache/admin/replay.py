"""A client of the proxy's own: logs in over its listening address and sends bytes as they are.

Drivers would put the question in their own words; this one repeats a client's. Rows are counted
and thrown away. Counterpart: ``warmer`` knows what to ask. Decides nothing.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from base64 import b64encode
from collections.abc import Mapping
from types import TracebackType
from typing import Final

from pgcache.config import Address
from pgcache.errors import PgcacheError, ProtocolViolation
from pgcache.wire import codes, sasl
from pgcache.wire.frames import HEADER, HEADER_SIZE
from pgcache.wire.messages import build, build_query, parse_data_row
from pgcache.wire.scram import MECHANISM, ScramClient, md5_password
from pgcache.wire.startup import PROTOCOL_3_0, build_ssl_request, build_startup

_CLEARTEXT, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 3, 5, 10, 11, 12
_CHUNK: Final = 256 * 1024
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - recognised here, not listened on


class ReplayError(PgcacheError):
    """A login or a question that failed, in the origin's words."""


class Line:
    """One connection; use ``open`` and then it as a context manager."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()

    @classmethod
    async def open(
        cls,
        address: Address,
        parameters: Mapping[str, str],
        password: str | None,
        *,
        tls: bool = False,
    ) -> Line:
        """Log in. ``parameters``: the startup packet's, in latin-1. Raises ReplayError, OSError.

        ``tls``: the proxy takes no other clients. Its certificate is not looked at: the address is
        this process's own.
        """
        host = "localhost" if address.host in _EVERYWHERE else address.host
        line = cls(*await asyncio.open_connection(host, address.port))
        try:
            if tls:
                await line._start_tls()
            line._writer.write(build_startup(PROTOCOL_3_0, dict(parameters)))
            await line._log_in(parameters["user"], password)
        except BaseException:
            line.close()
            raise
        return line

    async def __aenter__(self) -> Line:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._writer.write(codes.MSG_TERMINATE)
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def query(self, text: str) -> list[list[bytes | None]]:
        """Run SQL of the warmer's own by a Query; its rows. Raises ReplayError."""
        return await self.run(build_query(text), keep=True)

    async def run(self, data: bytes, *, keep: bool = False) -> list[list[bytes | None]]:
        """Send messages that end with a Query or Sync, and read until the origin is ready again.

        Returns the rows with ``keep``. Raises ReplayError where the origin reports an error.
        """
        self._writer.write(data)
        await self._writer.drain()
        failure: ReplayError | None = None
        rows: list[list[bytes | None]] = []
        while True:
            kind, body = await self._message(skip=0 if keep else codes.DATA_ROW)
            if kind == codes.DATA_ROW:
                rows.append(parse_data_row(build(kind, body)))
            elif kind == codes.ERROR_RESPONSE:
                failure = failure or _failure(body)
            elif kind == codes.READY_FOR_QUERY:
                if failure is not None:
                    raise failure
                return rows

    # -- login

    async def _start_tls(self) -> None:
        self._writer.write(build_ssl_request())
        if await self._reader.readexactly(1) != b"S":
            raise ReplayError("the proxy offers no TLS to itself")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        await self._writer.start_tls(context)

    async def _log_in(self, user: str, password: str | None) -> None:
        scram: ScramClient | None = None
        while True:
            kind, body = await self._message()
            if kind == codes.ERROR_RESPONSE:
                raise _failure(body)
            if kind == codes.READY_FOR_QUERY:
                return
            code = int.from_bytes(body[:4], "big") if kind == codes.AUTHENTICATION else 0
            if code == 0:
                continue
            if code == _SASL_FINAL:
                if scram is None:
                    raise ProtocolViolation("SCRAM ended before it began")
                scram.verify(body[4:])
                continue
            if password is None:
                raise ReplayError(
                    f'no password is known for role "{_shown(user)}"',
                    hint="put it in warm_up.passfile, or give warm_up.user",
                )
            if code == _SASL:
                scram = _begin_scram(body, password)
                first = scram.first()
                answer = MECHANISM + b"\0" + len(first).to_bytes(4, "big") + first
            elif code == _SASL_CONTINUE and scram is not None:
                answer = scram.final(body[4:])
            else:
                answer = _plain_answer(code, body, user, password)
            self._writer.write(build(codes.PASSWORD, answer))

    # -- messages

    async def _message(self, *, skip: int = 0) -> tuple[int, bytes]:
        """The next message that is not of type ``skip``."""
        buffer = self._buffer
        position = 0
        while True:
            if len(buffer) - position >= HEADER_SIZE:
                kind, length = HEADER.unpack_from(buffer, position)
                end = position + 1 + length
                if end <= len(buffer):
                    if kind != skip:
                        body = bytes(buffer[position + HEADER_SIZE : end])
                        del buffer[:end]
                        return kind, body
                    position = end
                    continue
            del buffer[:position]
            position = 0
            data = await self._reader.read(_CHUNK)
            if not data:
                raise ReplayError("the proxy closed the connection")
            buffer += data


def _begin_scram(body: bytes, password: str) -> ScramClient:
    if MECHANISM not in sasl.mechanisms(b"R\0\0\0\0" + body):
        raise ReplayError("the origin asks for a SASL mechanism other than SCRAM-SHA-256")
    return ScramClient(password, b64encode(secrets.token_bytes(18)))


def _plain_answer(code: int, body: bytes, user: str, password: str) -> bytes:
    if code == _CLEARTEXT:
        return password.encode() + b"\0"
    if code == _MD5:
        return md5_password(user, password, body[4:8]) + b"\0"
    raise ReplayError(
        f"the origin asks for an authentication (code {code}) that needs more than a password",
        hint="give warm_up.user a password of its own",
    )


def _failure(body: bytes) -> ReplayError:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    error = ReplayError(fields.get(b"M", "an error without a message"), hint=fields.get(b"H"))
    error.sqlstate = fields.get(b"C", error.sqlstate)
    return error


def _shown(latin: str) -> str:
    return latin.encode("latin-1", "replace").decode("utf-8", "replace")

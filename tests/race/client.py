"""A raw client fast enough for a hundred thousand operations: bytes out, rows and status in."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support import frames
from tests.support.postgres import password_of

Row = list[bytes | None]
PATIENCE = 30.0
"""Seconds until a reply that does not come counts as a hang."""


@dataclass(slots=True)
class Reply:
    """What came back up to one ReadyForQuery."""

    rows: list[Row] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """SQLSTATE and message of each error."""
    status: str = ""


class Gone(Exception):
    """The connection ended."""


class Client(asyncio.Protocol):
    """One connection; `ask` sends bytes and waits until each query in them is answered."""

    def __init__(self) -> None:
        self._splitter = frames.Splitter()
        self._transport: asyncio.Transport | None = None
        self._wanted = 0
        self._replies: list[Reply] = []
        self._current = Reply()
        self._done: asyncio.Future[list[Reply]] | None = None
        self._scram = frames.Scram("")
        self._gone = asyncio.Event()
        self._login: tuple[tuple[str, int], str, str] | None = None
        self.pid = 0

    @classmethod
    async def connect(
        cls, address: tuple[str, int], user: str, database: str, options: str = ""
    ) -> Client:
        """Open a connection and log in."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(cls, *address)
        client._scram = frames.Scram(password_of(user))
        client._login = (address, user, database)
        parameters = {"user": user, "database": database, "options": options}
        try:
            (reply,) = await client.ask(frames.startup(parameters))
            if reply.errors:
                raise Gone(reply.errors[0])
        except BaseException:
            await client.drop()  # nobody else knows of it
            raise
        return client

    async def ask(self, data: bytes, answers: int = 1) -> list[Reply]:
        """Send bytes and return the replies, one for each ReadyForQuery."""
        self._done = asyncio.get_running_loop().create_future()
        self._wanted, self._replies = answers, []
        self.send(data)
        async with asyncio.timeout(PATIENCE):
            return await self._done

    async def query(self, sql: str) -> Reply:
        """Run a simple query."""
        return (await self.ask(frames.query(sql)))[0]

    async def copy_in(self, sql: str, data: bytes) -> Reply:
        """Run a COPY from the client, data and all in one write."""
        payload = frames.query(sql) + frames.message("d", data) + frames.COPY_DONE
        return (await self.ask(payload))[0]

    def send(self, data: bytes) -> None:
        """Send bytes and wait for nothing."""
        if self._transport is None or self._transport.is_closing():
            raise Gone("the connection is closed")
        self._transport.write(data)

    async def drop(self) -> None:
        """Vanish without a word."""
        if self._transport is not None:
            self._transport.abort()
            await self._gone.wait()

    async def end(self) -> None:
        """Have the origin end the session, from another one."""
        assert self._login is not None
        other = await Client.connect(*self._login)
        await other.query(f"select pg_terminate_backend({self.pid})")
        await other.close()
        await self.drop()

    async def close(self) -> None:
        """Say goodbye."""
        if self._transport is not None:
            if not self._transport.is_closing():
                self._transport.write(frames.TERMINATE)
                self._transport.close()
            await self._gone.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail who waits."""
        self._gone.set()
        if self._done is not None and not self._done.done():
            self._done.set_exception(Gone(f"the peer closed: {self._current.errors}"))

    def data_received(self, data: bytes) -> None:
        """Sort the frames into replies."""
        for frame in self._splitter.feed(data):
            kind, body, current = frame.kind, frame.body, self._current
            if kind == "D":
                current.rows.append(frames.row_values(body))
            elif kind == "Z":
                current.status = body.decode()
                self._replies.append(current)
                self._current = Reply()
            elif kind == "C":
                current.tags.append(body[:-1].decode())
            elif kind == "E":
                told = frames.fields(body)
                current.errors.append(f"{told['C']} {told['M']}")
            elif kind == "R":
                self._authenticate(body)
            elif kind == "K":
                (self.pid,) = struct.unpack_from("!i", body)
        if len(self._replies) >= self._wanted and self._done and not self._done.done():
            self._done.set_result(self._replies)

    def _authenticate(self, body: bytes) -> None:
        (code,) = struct.unpack_from("!i", body)
        if code == 10:
            self.send(self._scram.first())
        elif code == 11:
            self.send(self._scram.final(body[4:]))


def simple(sql: str) -> bytes:
    """Build a read by the simple protocol."""
    return frames.query(sql)


def unnamed(sql: str, parameters: Sequence[bytes | None] = ()) -> bytes:
    """Build a read as most drivers send it: everything in one go."""
    return (
        frames.parse("", sql)
        + frames.bind("", "", parameters)
        + frames.describe_request("P", "")
        + frames.execute("")
        + frames.SYNC
    )


def named(name: str, sql: str, parameters: Sequence[bytes | None] = ()) -> bytes:
    """Build the first use of a named statement."""
    return frames.parse(name, sql) + again(name, parameters)


def again(name: str, parameters: Sequence[bytes | None] = ()) -> bytes:
    """Build a later use of a named statement, by Bind alone."""
    return frames.bind("", name, parameters) + frames.execute("") + frames.SYNC

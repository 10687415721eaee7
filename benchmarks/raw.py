"""A client that costs next to nothing: one blocking socket, whole replies, no rows made of them.

For large results, where a driver would measure itself: pgbench keeps a whole result in memory,
psycopg makes objects of it. The first reply to each question is kept and compared, byte by byte,
with what PostgreSQL itself answers; later ones are counted.
"""

from __future__ import annotations

import hashlib
import socket
import time
from dataclasses import dataclass

from benchmarks.pgbench import Sample, Target
from pgcache.wire.messages import build_query

_BUFFER = 1 << 20
_HEADER = 5
_READY, _ERROR = ord("Z"), ord("E")
_TIMEOUT = 120.0  # seconds without a byte


def build_startup(user: str, database: str, options: str = "") -> bytes:
    """The first message of a connection (protocol 3.0)."""
    words = {"user": user, "database": database, "client_encoding": "UTF8", "options": options}
    pairs = (f"{name}\0{value}\0" for name, value in words.items() if value)
    body = b"\0\3\0\0" + "".join(pairs).encode() + b"\0"
    return (len(body) + 4).to_bytes(4, "big") + body


class Refused(Exception):
    """The server answered with an error; the message is its ErrorResponse."""


class Walker:
    """Finds where a reply ends, in whatever pieces it comes: headers only."""

    __slots__ = ("_body", "_head", "_kind", "error", "ready")

    def __init__(self) -> None:
        self._head = b""  # of a message whose header is not whole
        self._body = 0  # bytes still to come of the message at hand
        self._kind = 0
        self.ready = 0  # ReadyForQuery messages so far
        self.error = b""

    def feed(self, data: bytes) -> int:
        """Take bytes; how many replies are complete by now."""
        offset, end = 0, len(data)
        if self._head:
            data = self._head + data
            self._head, end = b"", len(data)
        elif self._body:
            offset = min(self._body, end)
            self._body -= offset
            if not self._body:
                self._done()
        while offset < end:
            if end - offset < _HEADER:
                self._head = data[offset:]
                break
            self._kind = data[offset]
            total = 1 + int.from_bytes(data[offset + 1 : offset + _HEADER], "big")
            if self._kind == _ERROR:
                self.error = data[offset : offset + total]
            offset += total
            if offset > end:
                self._body = offset - end
                break
            self._done()
        return self.ready

    def _done(self) -> None:
        if self._kind == _READY:
            self.ready += 1


class Wire:
    """One session of a user who needs no password."""

    def __init__(self, port: int, user: str, database: str, options: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(_BUFFER)
        try:
            self.ask(build_startup(user, database, options))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave without a word."""
        self._socket.close()

    def ask(self, turn: bytes) -> bytes:
        """Send a turn and keep the whole reply."""
        self._socket.sendall(turn)
        walker, chunks = Walker(), []
        while not walker.ready:
            chunk = self._socket.recv(_BUFFER)
            if not chunk:
                raise Refused(f"connection closed: {walker.error!r}")
            chunks.append(chunk)
            walker.feed(chunk)
        if walker.error:
            raise Refused(repr(walker.error))
        return b"".join(chunks)

    def count(self, turn: bytes, length: int) -> None:
        """Send a turn whose reply has so many bytes, and let them go."""
        self._socket.sendall(turn)
        buffer, left, last = self._buffer, length, 0
        while left > 0:
            last = self._socket.recv_into(buffer)
            if not last:
                raise Refused("connection closed in the middle of a reply")
            left -= last
        if left or buffer[last - 1 : last] != b"I":
            raise Refused("the reply is not what it was before")


@dataclass(frozen=True, slots=True)
class Fetch:
    """One question asked over and over on one connection; ``sql`` as bytes."""

    sql: bytes
    clients: int = 1
    trial: int = 1
    least: int = 1


class Fetcher:
    """Runs ``Fetch`` jobs; its connections stay open until it is closed."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._wires: dict[str, Wire] = {}
        self._known: dict[tuple[str, bytes], int] = {}  # lengths, by target and turn
        self._digests: dict[bytes, bytes] = {}  # of the replies that all have to give

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        for wire in self._wires.values():
            wire.close()

    def run(self, target: Target, fetch: Fetch, times: int) -> Sample:
        """Ask so many times; before the first time, see that the answer is right."""
        turn = build_query(fetch.sql.decode())
        length = self._known.get((target.name, turn)) or self._learn(target, turn)
        wire, server = self._wires[target.name], target.server
        hits = server.hits() if server else 0
        cpu = server.cpu_seconds() if server else 0.0
        mine, started = time.process_time(), time.perf_counter()
        for _ in range(times):
            wire.count(turn, length)
        took, mine = time.perf_counter() - started, time.process_time() - mine
        cpu = server.cpu_seconds() - cpu if server else 0.0
        hits = server.hits() - hits if server else 0
        return Sample(times / took, 1e6 * mine / times, 1e6 * cpu / times, hits / times)

    def reply_bytes(self, fetch: Fetch) -> int:
        """How long the reply is."""
        turn = build_query(fetch.sql.decode())
        return next(length for (_, known), length in self._known.items() if known == turn)

    def _learn(self, target: Target, turn: bytes) -> int:
        if target.name not in self._wires:
            self._wires[target.name] = Wire(
                target.port, target.user, self._database, target.options
            )
        wire = self._wires[target.name]
        for _ in range(3):  # stored, proved, served
            reply = wire.ask(turn)
            digest = hashlib.blake2b(reply).digest()
            if self._digests.setdefault(turn, digest) != digest:
                raise Refused(f"{target.name} does not answer as the first one asked did")
        self._known[target.name, turn] = len(reply)
        return len(reply)

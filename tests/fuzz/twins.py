"""Plays one plan on two databases of one server, through pgcache and past it, and compares.

After every step both sides have said the same bytes, but for object ids, names of temporary
schemas, and the databases' own names, which are of one length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tests.fuzz.changes import SETUP
from tests.fuzz.plan import USERS, Op
from tests.oracle.player import Peer, Stuck, whole
from tests.support import frames
from tests.support.frames import Frame
from tests.support.postgres import Server
from tests.support.proxy import Proxy

_LOCKS = "-c lock_timeout=60ms"
_FIRST_USER_OID = 16384
_TEMPORARY = re.compile(rb"pg_(toast_)?temp_\d+")
_OID = re.compile(rb"\b[12345678]\d{4}\b")


class Difference(AssertionError):
    """The two sides said different things."""


@dataclass(slots=True)
class Side:
    """One of the two: an address, a database, its sessions."""

    address: tuple[str, int]
    database: str
    peers: dict[int, Peer]
    skipping: dict[int, bool]

    def play(self, op: Op) -> list[Frame]:
        """Do one step; return what came back."""
        found: list[Frame] = []
        peer = self.peers.get(op.session)
        if peer is None or not op.messages or peer.closed:
            if peer is not None:
                peer.send(frames.TERMINATE)
                peer.receive(None, found)
                peer.close()
            peer = self._connect(op, found)
        if op.messages:
            peer.send(op.encode(self.database))
            self._read(peer, op, found)
        return found

    def _connect(self, op: Op, found: list[Frame]) -> Peer:
        peer = self.peers[op.session] = Peer(str(op.session), self.address, whole)
        user = USERS[op.session]
        options = f"{_LOCKS} {op.options}".strip()
        parameters = {"user": user, "database": self.database, "options": options}
        peer.login(parameters, frames.PROTOCOL_3_0, found)
        self.skipping[op.session] = False
        return peer

    def _read(self, peer: Peer, op: Op, found: list[Frame]) -> None:
        start = len(found)
        if op.messages[-1][0] != "H":
            for _ in range(op.ready):
                peer.receive(lambda frame: frame.kind == "Z", found)
            self.skipping[op.session] = False
            return
        if self.skipping[op.session]:
            return
        closes = op.closes

        def is_over(frame: Frame) -> bool:
            seen = sum(f.kind == "3" for f in found[start:])
            return frame.kind == "E" or (frame.kind == "3" and seen == closes)

        peer.receive(is_over, found)
        self.skipping[op.session] = found[-1].kind == "E"

    def close(self) -> None:
        """End all sessions."""
        for peer in self.peers.values():
            peer.close()


def comparable(frame: Frame, database: str) -> object:
    """What both sides have to say alike."""
    kind, body = frame.kind, frame.body.replace(database.encode(), b"<database>")
    if kind == "R" and len(body) > 4 and body[3] in (11, 12):
        return "scram"
    if kind == "K":
        return "key"
    if kind == "D":
        values = frames.row_values(frame.body)
        return "D", [None if v is None else _masked(v, database) for v in values]
    if kind == "T":
        return "T", [
            (
                c.name,
                c.table >= _FIRST_USER_OID or c.table,
                c.attribute,
                _known(c.type),
                c.size,
                c.modifier,
                c.format,
            )
            for c in frames.columns(frame.body)
        ]
    if kind == "t":
        return "t", [_known(int.from_bytes(body[i : i + 4], "big")) for i in range(2, len(body), 4)]
    if kind == "E" and frames.fields(frame.body).get("C") == "25P02":
        return kind, "25P02"  # a portal that is only here is refused in another place
    if kind in "EN":
        return kind, _OID.sub(b"<oid>", _TEMPORARY.sub(b"pg_temp", body))
    return kind, body


def _known(oid: int) -> int:
    return min(oid, _FIRST_USER_OID)


def _masked(value: bytes, database: str) -> bytes:
    return _TEMPORARY.sub(b"pg_temp", value).replace(database.encode(), b"<database>")


class Twins:
    """Both sides of one server."""

    def __init__(self, server: Server, proxy: Proxy, mark: str) -> None:
        self._server = server
        self.databases = (f"fuzz_d_{mark}", f"fuzz_p_{mark}")
        addresses = ((server.host, server.port), proxy.address)
        for database in self.databases:
            self._create(database)
        self.sides = [Side(a, d, {}, {}) for a, d in zip(addresses, self.databases, strict=True)]

    def _create(self, database: str) -> None:
        self._server.execute(
            f"drop database if exists {database} with (force)",
            f"create database {database} owner app",
            "grant alice, bob to app",
            # Of rows that are equal to the order asked for, chance has the first where workers race
            # (DISTINCT ON over a Gather Merge): PostgreSQL itself then answers differently twice.
            f"alter database {database} set max_parallel_workers_per_gather = 0",
        )
        self._server.execute("alter schema public owner to app", database=database)
        with self._server.connect("app", database) as connection:
            connection.execute(SETUP.encode())

    def runs(self, sql: str) -> bool:
        """Whether a query can be run, and leaves nothing behind."""
        with self._server.connect("app", self.databases[0]) as connection:
            try:
                connection.execute(b"begin read only")
                connection.execute(sql.encode())
            except psycopg.Error:
                return False
            return True

    def play(self, ops: list[Op]) -> None:
        """Play all; raises Difference at the first step that differs."""
        for number, op in enumerate(ops):
            try:
                told = [side.play(op) for side in self.sides]
            except Stuck as stuck:
                raise Difference(f"step {number} {op}: {stuck}") from None
            direct, proxied = told
            if direct == proxied:
                continue
            wanted, found = (
                [comparable(frame, side.database) for frame in frames_]
                for frames_, side in zip(told, self.sides, strict=True)
            )
            if wanted != found:
                raise Difference(_report(number, op, direct, proxied))

    def close(self) -> None:
        """End all sessions and drop the databases."""
        for side in self.sides:
            side.close()
        for database in self.databases:
            self._server.execute(f"drop database if exists {database} with (force)")


def _report(number: int, op: Op, direct: list[Frame], proxied: list[Frame]) -> str:
    lines = [f"step {number}: session {op.session} ({USERS[op.session]}) {op.options}"]
    lines += [f"  > {message}" for message in op.messages]
    lines += ["PostgreSQL:", *(f"  < {frame}" for frame in direct)]
    lines += ["pgcache:", *(f"  < {frame}" for frame in proxied)]
    return "\n".join(lines)


@contextmanager
def twins(server: Server, proxy: Proxy, mark: str) -> Iterator[Twins]:
    """Yield both sides, fresh."""
    pair = Twins(server, proxy, mark)
    try:
        yield pair
    finally:
        pair.close()

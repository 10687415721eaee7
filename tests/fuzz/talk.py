"""Sends bytes as they are, to PostgreSQL and to the proxy, and compares the answers.

After its last byte the client shuts its sending side down: PostgreSQL then answers what it can and
closes, whatever state the bytes left it in, so no case needs to know where its answer ends.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.oracle.compare import Normaliser
from tests.oracle.player import TIMEOUT, Peer, Stuck, whole
from tests.support import frames
from tests.support.frames import Frame

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: whole messages, then whatever was not one."""

    frames: tuple[Frame, ...]
    rest: bytes

    def __str__(self) -> str:
        lines = [f"< {frame}" for frame in self.frames]
        return "\n".join([*lines, f"< rest {self.rest!r}"])


def exchange(address: Address, pieces: Sequence[bytes], expected: int = 0) -> bytes:
    """Send the pieces on a new connection, end our side, and read to the end of theirs.

    Our side is ended only when as many bytes as expected have come.
    """
    with socket.create_connection(address, timeout=TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _finish(connection, pieces, expected)


def converse(address: Address, startup: Mapping[str, str], pieces: Sequence[bytes]) -> Answer:
    """Log in, then send the pieces and read to the end; pids and secrets are made alike."""
    peer = Peer("A", address, whole)
    try:
        seen: list[Frame] = []
        peer.login(startup, frames.PROTOCOL_3_0, seen)
        data = b"" if peer.closed else _finish(peer.socket, pieces)
        splitter = frames.Splitter()
        seen += splitter.feed(data)
        normaliser = Normaliser({peer.pid: "A"})
        return Answer(tuple(normaliser.frame(frame) for frame in seen), splitter.rest)
    finally:
        peer.close()


def _finish(connection: socket.socket, pieces: Sequence[bytes], expected: int = 0) -> bytes:
    received = bytearray()
    connection.settimeout(TIMEOUT)
    try:
        for piece in pieces:
            connection.sendall(piece)
    except OSError:
        expected = 0  # The peer has had enough; what it said is still there to read.
    _receive(connection, received, expected)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
    _receive(connection, received, None)
    return bytes(received)


def _receive(connection: socket.socket, received: bytearray, wanted: int | None) -> None:
    """Read until so many bytes are there, or to the end."""
    try:
        while wanted is None or len(received) < wanted:
            data = connection.recv(1 << 20)
            if not data:
                return
            received += data
    except ConnectionResetError:
        return
    except TimeoutError:
        raise Stuck(f"no end after {bytes(received)!r}") from None


def cut(chance: random.Random, data: bytes) -> list[bytes]:
    """Cut bytes at a few random places."""
    edges = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(3))})
    return [data[a:b] for a, b in itertools.pairwise(edges)]

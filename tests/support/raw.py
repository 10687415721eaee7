"""A blocking client that sends bytes as they are and reads messages one by one.

For tests that have to stall, vanish or speak out of turn, which no driver does.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable
from types import TracebackType

from tests.support import frames
from tests.support.frames import Frame
from tests.support.postgres import SUPERUSER, password_of

PATIENCE = 30.0
"""Seconds until an answer that does not come counts as a hang."""


class RawClient:
    """One logged-in connection."""

    def __init__(
        self,
        address: tuple[str, int],
        database: str = "postgres",
        user: str = SUPERUSER,
        *,
        receive_buffer: int = 0,
        **parameters: str,
    ) -> None:
        self._connect(address, receive_buffer)
        try:
            self._login({"user": user, "database": database, **parameters}, password_of(user))
        except OSError:
            self.socket.close()
            raise

    @classmethod
    def bare(cls, address: tuple[str, int]) -> RawClient:
        """Return a connection on which nothing has been said yet."""
        client = cls.__new__(cls)
        client._connect(address, 0)
        return client

    def _connect(self, address: tuple[str, int], receive_buffer: int) -> None:
        self._splitter = frames.Splitter()
        self._frames: list[Frame] = []
        self.pid = 0
        self.secret = b""
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def start_tls(self) -> None:
        """Ask for TLS and begin it, whoever the peer is."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.send(frames.SSL_REQUEST)
        answer = self.socket.recv(1)
        if answer != b"S":
            raise ConnectionRefusedError(f"no TLS, but {answer!r}")
        self.socket = context.wrap_socket(self.socket)

    def login(self, database: str = "postgres", user: str = SUPERUSER) -> None:
        """Log in on a connection that was bare so far."""
        self._login({"user": user, "database": database}, password_of(user))

    def _login(self, parameters: dict[str, str], password: str) -> None:
        scram = frames.Scram(password)
        self.send(frames.startup(parameters))
        while True:
            frame = self.read()
            if frame.kind == "E":
                raise ConnectionRefusedError(frames.fields(frame.body)["M"])
            if frame.kind == "K":
                self.pid, self.secret = struct.unpack_from("!i", frame.body)[0], frame.body[4:]
            if frame.kind == "Z":
                return
            if frame.kind != "R":
                continue
            code = struct.unpack_from("!i", frame.body)[0]
            if code == 10:
                self.send(scram.first())
            elif code == 11:
                self.send(scram.final(frame.body[4:]))

    def send(self, *pieces: bytes) -> None:
        """Send all of the bytes."""
        self.socket.sendall(b"".join(pieces))

    def read(self) -> Frame:
        """Return the next message. Raises ConnectionError at the end."""
        while not self._frames:
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionResetError("the connection ended")
            self._frames += self._splitter.feed(data)
        return self._frames.pop(0)

    def rest(self) -> bytes:
        """Return the bytes up to the end of the connection."""
        found = b""
        while data := self.socket.recv(1 << 18):
            found += data
        return found

    def replies(self, count: int = 1) -> list[Frame]:
        """Return all messages up to so many ReadyForQuery."""
        found: list[Frame] = []
        while count:
            found.append(self.read())
            count -= found[-1].kind == "Z"
        return found

    def ask(self, *pieces: bytes, count: int = 1) -> list[Frame]:
        """Send and return what comes up to so many ReadyForQuery."""
        self.send(*pieces)
        return self.replies(count)

    def query(self, sql: str) -> list[Frame]:
        """Run a simple query."""
        return self.ask(frames.query(sql))

    def rows(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run a simple query and return its rows as text."""
        return rows_of(self.query(sql))

    def reset(self) -> None:
        """Vanish: the connection ends with RST instead of a farewell."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def rows_of(found: list[Frame]) -> list[tuple[str | None, ...]]:
    """Return the rows among messages, as text."""
    return [
        tuple(None if value is None else value.decode() for value in frames.row_values(frame.body))
        for frame in found
        if frame.kind == "D"
    ]


def errors_of(found: list[Frame]) -> list[str]:
    """Return the SQLSTATEs of the errors among messages."""
    return [frames.fields(frame.body)["C"] for frame in found if frame.kind == "E"]


def kinds(found: list[Frame]) -> str:
    """Return the types of messages, rows of one run as one."""
    out = ""
    for frame in found:
        if frame.kind != "D" or not out.endswith("D"):
            out += frame.kind
    return out


def eventually(what: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Return once something is so; AssertionError when it never is."""
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)

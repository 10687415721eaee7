"""The tests' own bad connection does to a connection what it says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.link import Link


class Echo:
    """A server that sends back what it gets, and remembers that it got it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self.heard = b""
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(1 << 16):
                self.heard += data
                connection.sendall(data)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def link(echo: Echo) -> Iterator[Link]:
    with Link(echo.address) as made:
        yield made


def _ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return connection.recv(1 << 16)


def _connect(link: Link) -> socket.socket:
    return socket.create_connection(link.address, 10)


def test_it_passes_everything_on(link: Link) -> None:
    with _connect(link) as one, _connect(link) as other:
        assert _ask(one, b"one") == b"one"
        assert _ask(other, b"other") == b"other"
        data, got = b"x" * 3_000_000, 0
        sender = threading.Thread(target=one.sendall, args=(data,))
        sender.start()
        while got < len(data):
            got += len(one.recv(1 << 16))
        sender.join()
    assert link.accepted == 2


def test_what_was_sent_before_an_end_arrives(link: Link) -> None:
    with _connect(link) as one:
        one.sendall(b"x" * 100_000)
        got = 0
        while got < 100_000:
            got += len(one.recv(1 << 16))
        one.shutdown(socket.SHUT_WR)
        assert one.recv(10) == b""


def test_a_stall_is_silence_and_its_end_delivers(link: Link, echo: Echo) -> None:
    with _connect(link) as one:
        assert _ask(one, b"a") == b"a"
        link.stall()
        one.sendall(b"b")
        one.settimeout(0.1)
        with pytest.raises(TimeoutError):
            one.recv(10)
        with _connect(link) as late:  # new connections open, and are silent too
            late.settimeout(0.1)
            late.sendall(b"c")
            with pytest.raises(TimeoutError):
                late.recv(10)
        assert echo.heard == b"a"
        link.heal()
        one.settimeout(10)
        assert one.recv(10) == b"b"


def test_a_cut_resets_and_refuses_until_healed(link: Link) -> None:
    with _connect(link) as one:
        assert _ask(one, b"a") == b"a"
        port = link.port
        link.cut()
        with pytest.raises(ConnectionResetError):
            one.recv(10)
    with pytest.raises(ConnectionRefusedError):
        _connect(link)
    link.heal()
    assert link.port == port
    with _connect(link) as again:
        assert _ask(again, b"b") == b"b"


def test_a_reset_spares_new_connections(link: Link) -> None:
    with _connect(link) as one:
        assert _ask(one, b"a") == b"a"
        link.reset()
        with pytest.raises(ConnectionResetError):
            one.recv(10)
    with _connect(link) as again:
        assert _ask(again, b"b") == b"b"


def test_what_is_held_can_be_delivered_alone(link: Link) -> None:
    with _connect(link) as one:
        assert _ask(one, b"a") == b"a"
        link.stall()
        one.sendall(b"b")
        one.settimeout(0.15)
        with pytest.raises(TimeoutError):
            one.recv(10)
        link.deliver()  # to the other end, whose answer is held again
        with pytest.raises(TimeoutError):
            one.recv(10)
        one.settimeout(10)
        link.heal()
        assert one.recv(10) == b"b"


def test_a_stalled_link_can_be_cut(link: Link) -> None:
    with _connect(link) as one:
        assert _ask(one, b"a") == b"a"
        link.stall()
        one.sendall(b"b")
        link.cut()
        with pytest.raises(ConnectionResetError):
            one.recv(10)


def test_a_delay_holds_answers_and_keeps_their_order(link: Link) -> None:
    with _connect(link) as one:
        assert _ask(one, b"a") == b"a"
        link.delay(0.2)
        one.settimeout(0.15)
        one.sendall(b"b")
        with pytest.raises(TimeoutError):
            one.recv(10)
        one.settimeout(10)
        assert one.recv(10) == b"b"
        link.heal()
        assert _ask(one, b"c") == b"c"


def test_nobody_there_is_an_end(link: Link) -> None:
    link.target = ("127.0.0.1", 1)
    with _connect(link) as one:
        assert one.recv(10) == b""

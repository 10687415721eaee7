"""Pipes: answers in the order of the questions, over a transport that is only written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import hiredis
import pytest

from pgcache.cache.shared.pipes import Pipe, PipeLost, Pipes


class Transport(asyncio.Transport):
    """Keeps what is written; ``abort`` is the end, a little later, as with real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.pipe: Pipe | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def abort(self) -> None:
        assert self.pipe is not None
        asyncio.get_running_loop().call_soon(self.pipe.connection_lost, None)


class Former(asyncio.Protocol):
    """What had the transport before."""

    is_told = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_told = True


class Line:
    """One pipe with both of its ends."""

    def __init__(self, on_lost: Callable[[Pipe], None] = lambda _: None) -> None:
        self.transport, self.former = Transport(), Former()
        self.pushed: list[Any] = []
        self.pipe = Pipe(self.transport, self.former, on_lost, self.pushed.append)
        self.transport.pipe = self.pipe


async def begin(pipe: Pipe | Pipes, data: bytes = b"?", count: int = 1) -> asyncio.Task[list[Any]]:
    """Ask, and let it be sent."""
    task = asyncio.get_running_loop().create_task(pipe.ask(data, count))
    for _ in range(20):
        await asyncio.sleep(0)
    return task


async def test_answers_come_in_order_in_whatever_pieces() -> None:
    line = Line()
    first, second = await begin(line.pipe, b"one"), await begin(line.pipe, b"two", 2)
    assert line.transport.written == b"onetwo"
    assert line.pipe.owed == 2
    for byte in b"+1\r\n*1\r\n:2\r\n$3\r\nab":
        line.pipe.data_received(bytes([byte]))
    assert await first == [b"1"]
    assert not second.done()
    line.pipe.data_received(b"c\r\n")
    assert await second == [[2], b"abc"]
    assert line.pipe.owed == 0


async def test_an_error_of_the_server_is_an_answer() -> None:
    line = Line()
    asked = await begin(line.pipe)
    line.pipe.data_received(b"-NOSCRIPT no such script\r\n")
    (answer,) = await asked
    assert isinstance(answer, hiredis.ReplyError)
    assert str(answer) == "NOSCRIPT no such script"


async def test_pushes_are_no_answers() -> None:
    line = Line()
    asked = await begin(line.pipe)
    line.pipe.data_received(b">3\r\n+smessage\r\n+c\r\n+text\r\n:7\r\n")
    assert await asked == [7]
    assert line.pushed == [[b"smessage", b"c", b"text"]]


async def test_an_answer_that_nobody_waits_for_is_not_the_next_ones() -> None:
    line = Line()
    first, second = await begin(line.pipe), await begin(line.pipe)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert line.pipe.is_late and not line.pipe.is_abandoned
    line.pipe.data_received(b":1\r\n:2\r\n")
    assert await second == [2]
    assert not line.pipe.is_late


async def test_a_callback_is_called_at_once_or_not_at_all() -> None:
    line, told = Line(), list[list[Any] | PipeLost]()
    stop = line.pipe.ask_soon(b"one", 1, told.append)
    line.pipe.ask_soon(b"two", 2, told.append)
    assert line.transport.written == b"onetwo"
    stop()
    assert line.pipe.is_late
    line.pipe.data_received(b":1\r\n:2\r\n:3\r\n")
    assert told == [[2, 3]]
    line.pipe.ask_soon(b"three", 1, told.append)
    line.pipe.connection_lost(None)
    assert isinstance(told[1], PipeLost)


async def test_without_an_open_pipe_there_is_no_callback() -> None:
    opener, told = Opener(), list[object]()
    pipes = Pipes(opener, 1)
    assert pipes.ask_soon(b"?", 1, told.append) is None
    await begin(pipes)
    assert pipes.ask_soon(b"?", 1, told.append) is not None
    opener.lines[0].pipe.data_received(b":1\r\n:2\r\n")
    assert told == [[2]]


async def test_noise_ends_the_connection() -> None:
    line = Line()
    asked = await begin(line.pipe)
    line.pipe.data_received(b"no protocol\r\n")
    with pytest.raises(PipeLost):
        await asked
    assert line.former.is_told
    with pytest.raises(PipeLost):
        await line.pipe.ask(b"?", 1)


async def test_an_answer_to_nothing_ends_the_connection() -> None:
    line = Line()
    asked = await begin(line.pipe)
    line.pipe.data_received(b":1\r\n:2\r\n")
    assert await asked == [1]
    await asyncio.sleep(0)
    assert line.former.is_told


class Opener:
    """Opens lines; ``fails`` says why not."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.fails: Exception | None = None

    async def __call__(self, on_lost: Callable[[Pipe], None]) -> Pipe:
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails
        self.lines.append(Line(on_lost))
        return self.lines[-1].pipe


async def test_a_busy_pipe_is_spared_where_there_may_be_more() -> None:
    opener = Opener()
    pipes = Pipes(opener, 2)
    for number in range(3):
        await begin(pipes)
        assert len(opener.lines) == min(2, number + 1)
    assert [line.pipe.owed for line in opener.lines] == [2, 1]
    await pipes.close()
    await asyncio.sleep(0)
    assert all(line.former.is_told for line in opener.lines)


async def test_one_that_is_late_is_not_asked_and_one_that_is_abandoned_is_closed() -> None:
    opener = Opener()
    pipes = Pipes(opener, 1)
    asked = await begin(pipes)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    again = await begin(pipes)
    first, second = opener.lines
    assert first.former.is_told
    second.pipe.data_received(b":1\r\n")
    assert await again == [1]


async def test_a_connection_that_cannot_be_opened_is_heard_of_by_whoever_needs_it() -> None:
    opener = Opener()
    opener.fails = OSError("refused")
    pipes = Pipes(opener, 4)
    with pytest.raises(OSError, match="refused"):
        await pipes.ask(b"?")
    opener.fails = None
    asked = await begin(pipes)
    opener.lines[0].pipe.data_received(b":1\r\n")
    assert await asked == [1]


async def test_dropped_ones_are_not_asked_again() -> None:
    opener = Opener()
    pipes = Pipes(opener, 2)
    asked = await begin(pipes)
    pipes.drop()
    again = asyncio.get_running_loop().create_task(pipes.ask(b"?"))  # before the end is heard of
    with pytest.raises(PipeLost):
        await asked
    for _ in range(20):
        await asyncio.sleep(0)
    opener.lines[-1].pipe.data_received(b":1\r\n")
    assert await again == [1]
    assert len(opener.lines) == 2


async def test_one_that_is_lost_fails_what_it_owes_and_is_replaced() -> None:
    opener = Opener()
    pipes = Pipes(opener, 1)
    asked = await begin(pipes)
    opener.lines[0].pipe.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(PipeLost, match="reset"):
        await asked
    await begin(pipes)
    assert len(opener.lines) == 2
    await pipes.close()

"""Connections to Redis on which commands follow each other without waiting for answers.

``client`` opens them with the library, which knows about TLS, passwords and Sentinel, and then
takes the transport from it: a command is one write, an answer one future. That is a fraction of
what the library's own way costs (``make bench-shared``). Must not know: redis, what is asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import hiredis

# A large value keeps what is asked behind it waiting, so there are a few to choose from.
_MOST: Final = 4
_NOTHING: Final = object()


class PipeLost(OSError):
    """The connection ended before an answer came."""


Call = Callable[[list[Any] | PipeLost], None]


class _Owed(asyncio.Future[list[Any]]):
    """So many answers. One that nobody waits for any more is taken off when it comes."""

    def __init__(self, count: int) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.count = count
        self.answers: list[Any] = []


class _Called:
    """The same for a callback, which gets the answers, or why there are none, at once: a future
    takes another turn of the loop."""

    __slots__ = ("_call", "answers", "count")

    def __init__(self, count: int, call: Call) -> None:
        self._call: Call | None = call
        self.count = count
        self.answers: list[Any] = []

    def done(self) -> bool:
        """Whether nobody waits any more."""
        return self._call is None

    def cancel(self) -> None:
        """Stop waiting."""
        self._call = None

    def set_result(self, answers: list[Any] | PipeLost) -> None:
        """All answers have come."""
        call, self._call = self._call, None
        if call is not None:
            call(answers)

    def set_exception(self, error: PipeLost) -> None:
        """They will not come."""
        self.set_result(error)


class Pipe(asyncio.Protocol):
    """One connection, after its login. ``former`` still hears when it ends. ``on_push`` is given
    what comes without being asked for."""

    def __init__(
        self,
        transport: asyncio.Transport,
        former: asyncio.BaseProtocol,
        on_lost: Callable[[Pipe], None],
        on_push: Callable[[list[Any]], None] = lambda _: None,
    ) -> None:
        self._transport = transport
        self._former = former
        self._on_lost = on_lost
        self._on_push = on_push
        self._owed: deque[_Owed | _Called] = deque()
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._is_lost = False

    @property
    def owed(self) -> int:
        """How many commands have no answer yet."""
        return len(self._owed)

    @property
    def is_idle(self) -> bool:
        """Whether it owes nothing."""
        return not self._owed and not self._is_lost

    @property
    def is_late(self) -> bool:
        """Whether it keeps an answer back that was not waited for to the end: ask another."""
        return self._is_lost or (bool(self._owed) and self._owed[0].done())

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for what it owes."""
        return bool(self._owed) and all(owed.done() for owed in self._owed)

    async def ask(self, data: bytes, count: int) -> list[Any]:
        """Write commands that have ``count`` answers, and wait for those. Raises PipeLost."""
        if self._is_lost:
            raise PipeLost("the connection is closed")
        owed = _Owed(count)
        self._owed.append(owed)
        self._transport.write(data)
        return await owed

    def ask_soon(self, data: bytes, count: int, call: Call) -> Callable[[], None]:
        """The same for a callback; returns what stops the waiting."""
        called = _Called(count, call)
        self._owed.append(called)
        self._transport.write(data)
        return called.cancel

    def tell(self, data: bytes) -> None:
        """Write commands that are answered by pushes alone."""
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Answers, in the order of the questions. HOT PATH: see ``make bench-shared``."""
        reader = self._reader
        reader.feed(data)
        while not self._is_lost:
            try:
                answer = reader.gets()
            except hiredis.HiredisError:
                self.abort()  # this is no protocol
                return
            if answer is _NOTHING:
                return
            if type(answer) is hiredis.PushNotification:
                self._on_push(answer)
            elif self._owed:
                owed = self._owed[0]
                owed.answers.append(answer)
                if len(owed.answers) == owed.count:
                    self._owed.popleft()
                    if not owed.done():
                        owed.set_result(owed.answers)
            else:
                self.abort()  # an answer to nothing

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will be answered."""
        self._is_lost = True
        self._former.connection_lost(exc)
        for owed in self._owed:
            if not owed.done():
                owed.set_exception(PipeLost(str(exc) if exc else "the connection was closed"))
        self._owed.clear()
        self._on_lost(self)

    def eof_received(self) -> bool:
        """The server says no more."""
        return False

    def abort(self) -> None:
        """Close it; what it owes fails a little later."""
        self._is_lost = True
        self._transport.abort()


class Pipes:
    """A few pipes, opened when they are needed. ``opens`` is given what to call when one ends."""

    def __init__(
        self, opens: Callable[[Callable[[Pipe], None]], Awaitable[Pipe]], limit: int
    ) -> None:
        self._opens = opens
        self._limit = min(limit, _MOST)
        self._pipes: list[Pipe] = []
        self._opening: asyncio.Task[Pipe] | None = None

    async def ask(self, data: bytes, count: int = 1) -> list[Any]:
        """Send commands on the least busy pipe and wait for ``count`` answers. Errors of the
        server are among them. Raises what opening a connection raises, and PipeLost."""
        pipe = self._choose()
        if pipe is None:
            pipe = await asyncio.shield(self._open())
        return await pipe.ask(data, count)

    def ask_soon(self, data: bytes, count: int, call: Call) -> Callable[[], None] | None:
        """The same without a task, for a callback. Returns what stops the waiting; None where no
        pipe is open now."""
        pipe = self._choose()
        return None if pipe is None else pipe.ask_soon(data, count, call)

    def _choose(self) -> Pipe | None:
        best = None
        for pipe in self._pipes:
            if pipe.is_idle:
                return pipe
            if not pipe.is_late and (best is None or pipe.owed < best.owed):
                best = pipe
        if best is None:
            for pipe in self._pipes:
                if pipe.is_abandoned:
                    pipe.abort()
        elif best.owed and len(self._pipes) < self._limit:
            self._open()  # for the next one
        return best

    def _open(self) -> asyncio.Task[Pipe]:
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._add())
            self._opening.add_done_callback(self._opened)
        return self._opening

    async def _add(self) -> Pipe:
        pipe = await self._opens(self._lost)
        self._pipes.append(pipe)
        return pipe

    def _opened(self, task: asyncio.Task[Pipe]) -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()  # whoever needs a pipe tries for himself, and hears of it

    def _lost(self, pipe: Pipe) -> None:
        if pipe in self._pipes:
            self._pipes.remove(pipe)

    def drop(self) -> None:
        """Close all of them: the next command opens one anew."""
        for pipe in list(self._pipes):
            pipe.abort()

    async def close(self) -> None:
        """Close all of them, for good."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        self.drop()

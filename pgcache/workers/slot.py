"""One worker's place: its sockets, the process in it now, and the next one when that ends.

The supervisor holds the sockets too, so clients that come while a worker is started again wait in
the kernel's queue. A worker that keeps failing loses them: its share goes to the others.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any

import structlog

from pgcache.config import Address
from pgcache.errors import ConfigError, PgcacheError, StartError
from pgcache.proxy import sockets
from pgcache.workers.assignment import Assignment
from pgcache.workers.channel import Channel
from pgcache.workers.current import Current
from pgcache.workers.hub import Hub
from pgcache.workers.pulse import await_silence
from pgcache.workers.restarts import Restarts

log = structlog.get_logger("pgcache.workers")

# Seconds for a worker to end once it was told to; it drains for ten of them.
_GRACE = 20.0


class Slot:
    """Worker ``number`` of ``count``; ``is_ready`` while it takes clients.

    ``started`` is done when its first process is ready, or failed when that cannot start.
    """

    def __init__(
        self,
        number: int,
        count: int,
        current: Current,
        hub: Hub,
        *,
        address: Address,
        admin: list[socket.socket],
    ) -> None:
        # the slot
        self.number = number
        self._count = count
        self._current = current
        self._hub = hub
        self._address = address
        self._admin = admin
        self._restarts = Restarts()
        self._stopping = asyncio.Event()
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # the process
        self.is_ready = False
        self._sockets: list[socket.socket] = []
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._watch: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Keep a worker running until ``stop``, or until the first one cannot start."""
        while not self._stopping.is_set():
            if not self._sockets:
                self._sockets = await sockets.bind(self._address, shared=True)
                sockets.listen(self._sockets, self._address, self._current.config.listen.backlog)
            code = await self._run_once()
            if self._stopping.is_set():
                break
            if not self.started.done():
                self._fail(StartError(f"worker {self.number} ended at once: {_describe(code)}"))
            if self.started.exception() is not None:
                break
            delay = self._restarts.ended(monotonic())
            log.error(
                "worker ended", number=self.number, how=_describe(code), restarts_after_s=delay
            )
            if delay:
                self._let_go()
                await _sleep_until(self._stopping, delay)
        self._let_go()

    async def _run_once(self) -> int:
        """Start a process and return its exit code."""
        ours, theirs = socket.socketpair()
        channel = self._channel = await Channel.open(ours, self._answer)
        try:
            with theirs:
                self._process = await self._start(theirs)
            self._restarts.started(monotonic())
            if self._stopping.is_set():
                self.signal(signal.SIGTERM)
            return await self._process.wait()
        finally:
            self._hub.leave(self.number)
            self.is_ready = False
            if self._watch is not None:
                self._watch.cancel()
            self._process = self._channel = None
            await channel.close()

    async def _start(self, end: socket.socket) -> asyncio.subprocess.Process:
        descriptors = [sock.fileno() for sock in (end, *self._sockets, *self._admin)]
        # A folder that the supervisor does not import from must not come before the libraries.
        is_safe = str(Path.cwd()) not in sys.path and "" not in sys.path
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *(["-P"] if is_safe else []),
            "-m",
            "pgcache.workers.worker",
            str(end.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=descriptors,
            # Ctrl-C is the supervisor's to pass on, or workers would hear of it twice.
            start_new_session=True,
        )

    async def _answer(self, what: str, payload: Any) -> Any:
        """What the worker asks of the supervisor."""
        answers: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "assignment": self._assign,
            "ready": self._on_ready,
            "failed": self._on_failure,
            "reloaded": self._on_reload,
            "all": self._ask_all,
        }
        return await answers[what](payload)

    async def _assign(self, _payload: Any) -> str:
        return Assignment(
            self.number,
            self._count,
            self._current.config,
            self._current.load,
            tuple(sock.fileno() for sock in self._sockets),
            tuple(sock.fileno() for sock in self._admin),
        ).dump()

    async def _on_ready(self, _payload: Any) -> None:
        assert self._channel is not None
        self.is_ready = True
        self._hub.enter(self.number, self._channel)
        self._watch = asyncio.get_running_loop().create_task(self._oversee(self._channel))
        if not self.started.done():
            self.started.set_result(None)

    async def _oversee(self, channel: Channel) -> None:
        """Kill the worker if it hangs; ``run`` starts another."""
        patience = self._current.config.listen.worker_timeout
        if await await_silence(channel, patience) and channel is self._channel:
            log.error("worker hangs, it is killed", number=self.number, silent_s=patience)
            self.signal(signal.SIGKILL)

    async def _on_failure(self, payload: Any) -> None:
        kind = ConfigError if payload["usage"] else StartError
        log.error("worker cannot start", number=self.number, error=payload["message"])
        self._fail(kind(payload["message"], hint=payload["hint"]))

    def _fail(self, error: PgcacheError) -> None:
        if not self.started.done():
            self.started.set_exception(error)
            self.started.exception()  # whoever waits for it hears of it; nobody has to

    async def _on_reload(self, _payload: Any) -> None:
        self._current.renew()

    async def _ask_all(self, payload: Any) -> list[dict[str, Any]]:
        asker = self.number if payload["others"] else None
        return await self._hub.ask_all(payload, asker)

    # -- from the supervisor

    def signal(self, number: signal.Signals) -> None:
        """Pass a signal on to the process, if there is one."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Let the worker drain; none follows it. ``run`` returns when it has ended."""
        self._stopping.set()
        self._let_go()
        self.signal(signal.SIGTERM)
        asyncio.get_running_loop().call_later(_GRACE, self.signal, signal.SIGKILL)

    def _let_go(self) -> None:
        """Clients no longer come to these sockets, unless the worker accepts them."""
        sockets.close(self._sockets)
        self._sockets = []


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def _sleep_until(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass  # nobody stopped us

"""The parent of the workers: starts them, keeps them running, and ends with them.

It holds the addresses and no connection. SIGTERM drains all workers together, a second one ends
all sessions at once; SIGHUP is passed on. Counterpart: ``worker`` is what runs in each process.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from pgcache.config import Address, Config
from pgcache.errors import StartError
from pgcache.proxy import sockets
from pgcache.workers.assignment import Load
from pgcache.workers.current import Current
from pgcache.workers.hub import Hub
from pgcache.workers.slot import Slot

log = structlog.get_logger("pgcache")

_ADMIN_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where clients and operators connect; ``admin`` None: nowhere."""

    listen: Address
    admin: Address | None


async def supervise(config: Config, load: Load, ready: Callable[[Addresses], None]) -> None:
    """Run ``config.listen.workers`` workers until SIGTERM or SIGINT; ``load`` reads it again.

    ``ready`` is called once, when all of them take clients. Raises StartError or ConfigError where
    one of them cannot start.
    """
    # Bound and never listening: it keeps the port while no worker holds it.
    reserved = await sockets.bind(config.listen.address, shared=True)
    address = sockets.bound_address(config.listen.address, reserved)
    admin: list[socket.socket] = []
    try:
        admin = await _bind_admin(config)
        door = config.admin.address
        where = Addresses(address, door and sockets.bound_address(door, admin))
        await _Supervisor(Current(config, load), where, admin, ready).run()
    finally:
        sockets.close(reserved)
        sockets.close(admin)


async def _bind_admin(config: Config) -> list[socket.socket]:
    if config.admin.address is None:
        return []
    try:
        bound = await sockets.bind(config.admin.address)
        sockets.listen(bound, config.admin.address, _ADMIN_BACKLOG)
    except StartError as error:
        raise StartError(error.message, hint="choose another --admin HOST:PORT") from error
    return bound


class _Supervisor:
    """The slots, and what signals do to them."""

    def __init__(
        self,
        current: Current,
        where: Addresses,
        admin: list[socket.socket],
        ready: Callable[[Addresses], None],
    ) -> None:
        count = current.config.listen.workers
        hub = Hub()
        self._where = where
        self._on_ready = ready
        self._slots = [
            Slot(number, count, current, hub, address=where.listen, admin=admin)
            for number in range(1, count + 1)
        ]
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start all workers; return when all have ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        runs = [loop.create_task(slot.run()) for slot in self._slots]
        watch = loop.create_task(self._watch())
        try:
            await asyncio.wait([*runs, watch], return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self._stop()
            watch.cancel()
            results = await asyncio.gather(*runs, watch, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _watch(self) -> None:
        """Say once that all are ready; fail where one of them cannot start at first."""
        await asyncio.gather(*(slot.started for slot in self._slots))
        self._on_ready(self._where)

    def _on_stop(self) -> None:
        if self._stopping.is_set():
            self._pass_on(signal.SIGTERM)
            return
        log.info("stopping: no new clients, sessions end when idle")
        self._stop()

    def _stop(self) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            for slot in self._slots:
                slot.stop()

    def _pass_on(self, number: signal.Signals) -> None:
        for slot in self._slots:
            if slot.is_ready:  # before that a signal would end it, and it reads all anew
                slot.signal(number)

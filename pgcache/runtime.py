"""The composition root: the one place that knows every room, and joins them.

``Runtime`` is one pgcache in this process; ``serve`` runs one until it is told to stop. No global
mutable state anywhere: two runtimes can live side by side (tests do that).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

import structlog

from pgcache.admin.commands import Commands
from pgcache.admin.console import Console
from pgcache.admin.exposition import Exposition
from pgcache.admin.health import Health
from pgcache.admin.http import serve_site
from pgcache.admin.intake import Intake
from pgcache.admin.log import change_level
from pgcache.admin.page import Page
from pgcache.admin.sampling import Sampler
from pgcache.admin.site import Site
from pgcache.admin.together import Together
from pgcache.admin.view import View
from pgcache.admin.warmth import Warmth
from pgcache.cache.memory import MemoryStore
from pgcache.catalog.connect import Connect, build_connect
from pgcache.catalog.options import build_options
from pgcache.catalog.service import CatalogService
from pgcache.catalog.snapshot import Snapshot
from pgcache.config import Address, Config
from pgcache.config.reload import Reloaded, merge
from pgcache.errors import ConfigError
from pgcache.heap import tidy
from pgcache.invalidation.bus import Bus
from pgcache.invalidation.events import Events
from pgcache.invalidation.listen import Listening
from pgcache.invalidation.stream import Streaming
from pgcache.metrics.counters import Counters
from pgcache.policy.ttl import build_lifetimes
from pgcache.proxy import poison
from pgcache.proxy.client import ClientConnection
from pgcache.proxy.engine import Engine
from pgcache.proxy.gate import Gate
from pgcache.proxy.listener import Listener
from pgcache.proxy.siblings import CANCEL, COMMAND, METRICS, REQUEST, Siblings
from pgcache.sharing import build_link, refuse_old_store

log = structlog.get_logger("pgcache")

# How long sessions may take to finish what is underway when pgcache stops, in seconds.
_DRAIN = 10.0


@dataclass(frozen=True, slots=True)
class Ready:
    """What there is to say when clients may come. ``admin``: the HTTP address, if there is one."""

    listen_address: Address
    admin: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process stands among workers: the others, and the sockets it was given."""

    siblings: Siblings
    listen: list[socket.socket]
    admin: list[socket.socket]
    number: int = 1


class Runtime:
    """One pgcache: start it, use ``listen_address``, stop it.

    ``place``: one of several workers. ``load`` reads the configuration again; None: it can only
    be what it is.
    """

    def __init__(
        self,
        config: Config,
        place: Place | None = None,
        load: Callable[[], Config] | None = None,
    ) -> None:
        self.config = config
        self._place, self._load = place, load
        self.counters = Counters()
        connect = build_connect(**build_options(config.origin))
        catalog = CatalogService(
            connect,
            declared=config.declared,
            refresh_interval=config.cache.catalog_refresh,
            on_change=self._catalog_changed,
            on_doubt=self._catalog_doubted,
            on_settled=self._catalog_settled,
        )
        self.engine: Engine = Engine(
            config,
            catalog=catalog,
            store=MemoryStore(config.store.max_bytes, config.store.max_entry_bytes),
            lifetimes=build_lifetimes(config),
            counters=self.counters,
            clock=monotonic,
            poison=bool(os.environ.get(poison.VARIABLE)),
            link=build_link(config, catalog),
        )
        self.bus = Bus(self.engine)
        self.events = Events(
            self.bus, config.events, window=config.invalidation.event_window, clock=monotonic
        )
        self._build_sources(connect)
        self._build_views()
        self._catalog = catalog
        self._gate: Gate | None = None
        self._listener: Listener | None = None

    def _build_sources(self, connect: Connect) -> None:
        """What tells of changes from outside, as far as it is configured."""
        invalidation, sight = self.config.invalidation, self.engine.sight
        self._listening: Listening | None = None
        self._streaming: Streaming | None = None
        if not self.config.cache.enabled:
            return
        if invalidation.notify_channel is not None:
            self._listening = Listening(invalidation.notify_channel, self.events, sight, connect)
            self.engine.on_use.append(self._listening.watch)
        if invalidation.stream_url is not None:
            url = invalidation.stream_url.get_secret_value()
            self._streaming = Streaming(url, invalidation.stream, self.events, sight)

    def _build_views(self) -> None:
        """The console, and what the admin address serves."""
        self.health = Health()
        siblings = None if self._place is None else self._place.siblings
        self.exposition = Exposition(self.engine, siblings)
        self.warmth = Warmth(self.engine, lambda: self.listen_address)
        self.view = View(self.engine, self._clients, self.warmth.rows)
        self.commands = Commands(self.view, self.events, self.reload, self.warmth)
        self.together = Together(self.commands, siblings)
        self.console = Console(self.engine, self.together)
        self.site = Site(self.config.admin, siblings)
        self.sampler = Sampler(self.engine, self.together, self._clients)
        page = Page(self.commands, self.together, self.sampler.history)
        for part in (self.health, self.exposition, Intake(self.events), page):
            part.add_to(self.site)

    def _catalog_changed(
        self, database: str, old: Snapshot | None, new: Snapshot, flush: bool
    ) -> None:
        self.engine.catalog_changed(database, old, new, flush)

    def _catalog_doubted(self, database: str) -> None:
        self.engine.catalog_doubted(database)

    def _catalog_settled(self, database: str) -> None:
        self.engine.catalog_settled(database)

    def _clients(self) -> Iterable[ClientConnection]:
        return () if self._gate is None else self._gate.clients

    @property
    def listen_address(self) -> Address:
        """Where clients connect; the port is the real one after ``start``."""
        return self.config.listen.address if self._listener is None else self._listener.address

    async def start(self) -> None:
        """Take clients. Raises StartError or ConfigError."""
        place = self._place
        siblings = None if place is None else place.siblings
        if self.engine.link is not None:
            await refuse_old_store(self.engine.link.client)
        gate = self._gate = Gate(self.config, self.engine, self.console.open, siblings)
        if siblings is not None:
            siblings.answer_with(
                {
                    CANCEL: gate.cancel,
                    COMMAND: self.together.answer,
                    METRICS: self.exposition.answer,
                    REQUEST: self.site.answer,
                }
            )
        if self.engine.link is not None:
            self._catalog.acquire(self.config.origin.dbname)  # this process' sign of life there
        if self._streaming is not None:
            self._streaming.start()
        listener = Listener(gate, None if place is None else place.listen)
        await listener.start()
        self._listener = listener
        self.engine.background(self.sampler.work())
        if place is None or place.number == 1:
            self.warmth.start()  # one of several workers goes by the schedules

    async def stop(self, deadline: float = _DRAIN) -> None:
        """Take no more clients, let work underway end, close everything."""
        if self._listener is not None:
            await self._listener.stop()
        if self._gate is not None:
            await self._gate.drain(deadline)
        self.sampler.report.tell()
        await self.warmth.stop()
        if self._listening is not None:
            await self._listening.close()
        if self._streaming is not None:
            await self._streaming.close()
        await self.engine.close()
        await self._catalog.close()

    def hurry(self) -> None:
        """Stop waiting for sessions that are being drained."""
        if self._gate is not None:
            self._gate.cut_off()

    def reload(self) -> Reloaded:
        """Read the configuration and the certificates again; new statements use them. Never raises.

        What cannot be read changes nothing; what needs a restart is said.
        """
        try:
            reloaded = merge(self.config, self.config if self._load is None else self._load())
            assert reloaded.config is not None
            self._apply(reloaded.config)
        except ConfigError as error:
            log.error("not reloaded, everything stays as it was", error=error.message)
            return Reloaded(problem=error.message)
        log.info(
            "configuration and certificates reloaded",
            applied=reloaded.applied,
            needs_restart=reloaded.restart,
        )
        return reloaded

    def _apply(self, config: Config) -> None:
        """Raises ConfigError, and then nothing has changed."""
        lifetimes = build_lifetimes(config)
        if self._gate is not None:
            self._gate.reload(config)
        self.config = config
        self.engine.reconfigure(config, lifetimes)
        self._catalog.declare(config.declared)
        self.site.configure(config.admin)
        self.events.reconfigure(config.events, config.invalidation.event_window)
        self.warmth.reconfigure(config)
        change_level(config.log)


async def serve(
    config: Config,
    *,
    ready: Callable[[Ready], None] | None = None,
    place: Place | None = None,
    load: Callable[[], Config] | None = None,
) -> None:
    """Run pgcache until SIGTERM, SIGINT or cancellation; a second one ends all sessions at once.

    SIGHUP reloads: ``load`` reads the configuration again. ``place``: one of several workers.
    """
    runtime = Runtime(config, place, load)
    bound = None if place is None else place.admin
    async with serve_site(config.admin.address, runtime.site, bound) as admin:
        await runtime.start()
        runtime.engine.background(tidy())
        await _run(runtime, lambda address: ready and ready(Ready(address, admin)))


async def _run(runtime: Runtime, ready: Callable[[Address], object]) -> None:
    stop = asyncio.Event()

    def on_stop() -> None:
        if stop.is_set():
            runtime.hurry()
        stop.set()

    _handle_signals(
        {signal.SIGTERM: on_stop, signal.SIGINT: on_stop, signal.SIGHUP: runtime.reload}
    )
    runtime.health.is_ready = True
    ready(runtime.listen_address)
    try:
        await stop.wait()
        log.info("stopping: no new clients, sessions end when idle")
    finally:
        runtime.health.is_ready = False
        await runtime.stop()


def _handle_signals(handlers: Mapping[signal.Signals, Callable[[], object]]) -> None:
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, handler)

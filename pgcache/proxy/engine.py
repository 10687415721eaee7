"""What all sessions of a process share: the analysis of texts, databases, the store, the counts.

Made by ``runtime``; sessions ask it, it never calls a session. Must not know: bytes on the wire.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Hashable, Iterable, Iterator
from dataclasses import replace
from random import random as chance
from typing import Any

import structlog

from pgcache.cache.entry import Entry
from pgcache.cache.memory import MemoryStore
from pgcache.cache.shared.link import Link, StoreCounts
from pgcache.cache.store import Store, StoreStats
from pgcache.cache.walk import Walk
from pgcache.catalog.service import CatalogService
from pgcache.catalog.snapshot import Snapshot
from pgcache.config import Config
from pgcache.invalidation.bus import Deleted
from pgcache.invalidation.sight import Sight
from pgcache.metrics.counters import Counters, Source
from pgcache.metrics.queries import Queries
from pgcache.metrics.sources import SourceState
from pgcache.policy.ttl import Lifetimes
from pgcache.proxy.database import Database
from pgcache.proxy.lane import Lanes
from pgcache.proxy.reading import Reader
from pgcache.proxy.recorder import Recorder
from pgcache.proxy.shapes import Shapes, size_of
from pgcache.sql.analyses import Analyses, Text
from pgcache.sql.model import Script

__all__ = ["Database", "Engine"]

log = structlog.get_logger("pgcache.proxy")

# The fast lane may hold copies of this part of what the store may hold.
_LANES_SHARE = 8
_LINGER = 2.0  # seconds that the catalogs are kept after a database's last session
_STEP = 1_000  # entries to be looked at in one go
_KEYS_STEP = 200  # the same where their keys are read: some 10 µs each


class Engine:
    """Shared by the sessions of one process."""

    __slots__ = (
        "_databases",
        "_tasks",
        "analyses",
        "catalog",
        "clock",
        "config",
        "counters",
        "ghosts",
        "lanes",
        "lifetimes",
        "link",
        "on_cancel",
        "on_use",
        "owing",
        "paused",
        "poison",
        "queries",
        "random",
        "reader",
        "recorder",
        "reruns",
        "sight",
        "sources",
        "store",
    )

    def __init__(
        self,
        config: Config,
        *,
        catalog: CatalogService,
        store: Store,
        lifetimes: Lifetimes,
        counters: Counters,
        clock: Callable[[], float],
        poison: bool = False,
        link: Link | None = None,
        random: Callable[[], float] = chance,
    ) -> None:
        self.config = config
        self.link = link  # to the store that proxies share, if they do
        self.catalog = catalog
        self.store = store
        self.ghosts = MemoryStore(config.store.max_bytes, config.store.max_entry_bytes)
        self.lifetimes = lifetimes
        self.counters = counters
        self.clock = clock
        self.owing: deque[bytes] = deque()  # keys of entries with hits that are not credited yet
        self.lanes = Lanes(config.store.max_bytes // _LANES_SHARE)
        self.analyses = Analyses(config.cache.max_analysis_entries)
        self.reader = Reader(self.analyses)
        self.paused = False
        self.poison = poison
        self.queries = Queries(counters, Shapes(), size_of=size_of)
        self.recorder = Recorder(config.warm_up.max_recorded)
        self.sources: list[SourceState] = []  # what changes are heard from, for display
        self.sight = Sight(self.sources, self.databases)
        self.on_use: list[Callable[[str], None]] = []  # told of every session's database
        # told of another proxy's cancel request, by its digest
        self.on_cancel: Callable[[Database, bytes], Coroutine[Any, Any, None] | None]
        self.on_cancel = lambda _database, _digest: None
        self.random = random  # 0 to 1
        self.reruns = 0  # executions underway in the background
        self._databases: dict[str, Database] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def script(self, text: bytes, standard_strings: bool, encoding: str) -> Script:
        """The analysis of ``text``, made once."""
        return self.analyses.script(Text(text, standard_strings, encoding))

    def database(self, name: str) -> Database:
        """The database ``name``."""
        database = self._databases.get(name)
        if database is None:
            database = self._databases[name] = Database(name, self)
        for use in self.on_use:
            use(name)
        return database

    def release(self, name: str) -> None:
        """A session of the database has ended.

        Its catalog connection stays a moment: tools that open a connection for every chart would
        find the catalogs unread each time. DROP DATABASE waits longer than that.
        """
        asyncio.get_running_loop().call_later(_LINGER, self.catalog.release, name)

    def databases(self) -> list[Database]:
        """All databases in use."""
        return list(self._databases.values())

    def doubt_others(self, changed: Database) -> None:
        """Definitions of one database changed, and with them perhaps the roles of all (C-21)."""
        self.catalog.doubt_others(changed.name)
        for database in self._databases.values():
            if database is not changed:
                database.generations.touch()

    def catalog_changed(self, name: str, old: Snapshot | None, new: Snapshot, flush: bool) -> None:
        """Hear from the catalog service that a database's definitions, or its history, changed."""
        database = self._databases.get(name)
        if database is not None and database.space is not None:
            database.space.meet(new.server.history)
        if database is not None and old is not None:
            database.reloaded(old, new, restarted=flush)

    def store_stats(self) -> StoreStats:
        """How the store stands, the shared one too where there is one."""
        degraded = self.link is not None and self.link.is_degraded
        return replace(self.store.stats(), degraded=int(degraded))

    def shared_counts(self) -> StoreCounts:
        """What was asked of the shared store; nothing where there is none."""
        return StoreCounts() if self.link is None else self.link.counts

    def catalog_doubted(self, name: str) -> None:
        """Hear that nobody knows a database's definitions, or its history, for now (S-15)."""
        database = self._databases.get(name)
        if database is not None:
            database.catalog_doubted()

    def catalog_settled(self, name: str) -> None:
        """Hear that they are what they were."""
        database = self._databases.get(name)
        if database is not None:
            database.catalog_settled()

    def invalidated(
        self, database: Database, source: Source, tags: Iterable[Hashable] | None
    ) -> None:
        """Count that ``tags`` (None: everything) of a database moved, because of ``source``."""
        self.counters.invalidations[source] += 1
        database.moves.note(source, tags, self.clock())

    def delete_where(self, fits: Callable[[bytes], bool]) -> Deleted | None:
        """Delete entries whose key fits; None where they cannot be looked through.

        A large store is looked through beside the sessions, and gives none of them meanwhile.
        """
        store = self.store
        if not isinstance(store, MemoryStore):
            return None
        walk = store.forget_where(fits)
        if store.go_on(walk, step=_KEYS_STEP):
            return Deleted(walk.count)
        for database in self._databases.values():
            database.generations.touch()  # the fast lane holds entries: it has to ask again
        rest: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.background(self._go_on(store, walk, walk.count, rest))
        return Deleted(walk.count, rest)

    async def _go_on(
        self, store: MemoryStore, walk: Walk, told: int, rest: asyncio.Future[int]
    ) -> None:
        try:
            is_over = False
            while not is_over:
                await asyncio.sleep(0)
                is_over = store.go_on(walk, step=_KEYS_STEP)
        finally:
            if not rest.done():  # whoever waited for it may be gone
                rest.set_result(walk.count - told)

    def pause(self) -> None:
        """Serve and store nothing."""
        self.paused = True
        for database in self._databases.values():
            database.generations.touch()

    def resume(self) -> None:
        """Go on."""
        self.paused = False

    def reconfigure(self, config: Config, lifetimes: Lifetimes) -> None:
        """Take over options that may change while sessions run."""
        self.config = config
        self.analyses.max_items = config.cache.max_analysis_entries
        self.lifetimes = lifetimes
        for database in self._databases.values():
            database.forget_plans()

    def entries(self) -> list[Entry]:
        """What this process holds in memory, dead entries included, for display."""
        return list(self.store) if isinstance(self.store, Iterable) else []

    def settle(self) -> Iterator[None]:
        """Credit the hits since the last time to their queries; pauses now and then.

        Costs as much as entries were hit, however many there are.
        """
        owing, peek = self.owing, self.store.peek
        for number in range(1, len(owing) + 1):
            if not owing:
                return  # somebody else settled during a pause
            entry = peek(owing.popleft())
            if entry is not None:  # else it was credited when it was taken out
                entry.credit()
            if number % _STEP == 0:
                yield

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the sessions; errors are logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def close(self) -> None:
        """End the work beside the sessions, and leave the shared store."""
        self.reader.close()
        for database in self._databases.values():
            if database.space is not None:
                await database.space.close()
        if self.link is not None:
            await self.link.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("background work failed", error=repr(task.exception()))

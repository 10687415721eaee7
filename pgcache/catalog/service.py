"""Keeps the snapshots of all databases in use up to date. The shell around ``loader.py``.

For each database one task holds one connection, re-reads the schema when asked to and looks for
changes at an interval (C-41). ``snapshot()`` gives a snapshot only while it is known to be right:
not between a request to refresh and its end (C-40), not after the connection was lost, because
the origin may have crashed or failed over (S-15). Nothing here raises into callers (P6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from pgcache.catalog.connect import Connect, advise
from pgcache.catalog.loader import Connection, is_backend_gone, load_changes, load_rows
from pgcache.catalog.rows import Rows
from pgcache.catalog.snapshot import Declared, Snapshot, build_snapshot
from pgcache.catalog.standing import CatalogState, Phase

DEFAULT_INTERVAL: Final = 30.0  # seconds between looks for changes
_FIRST_PAUSE: Final = 0.5  # seconds after a first failure, doubled for each further one
_LONGEST_PAUSE: Final = 30.0
_DOUBLINGS: Final = 8

_log = structlog.get_logger(__name__)


class OnChange(Protocol):
    """Told of every change, before ``snapshot()`` gives the new one.

    ``flush``: the origin has restarted, crashed or failed over, so that what it said before
    may be lost (S-15); else only the schema (C-40) or the configuration changed. ``old`` None: the
    first snapshot.
    """

    def __call__(
        self, database: str, old: Snapshot | None, new: Snapshot, flush: bool, /
    ) -> None: ...


class CatalogService:
    """The snapshots of the databases in use.

    ``connect`` opens a connection to a database by name (``connect.build_connect``).
    ``refresh_interval`` is in seconds. ``clock`` gives seconds, only to measure. ``on_doubt`` is
    told of a database whose snapshot was right and no longer is known to be (S-15), ``on_settled``
    of one whose snapshot, the same one, is right again.
    ``pause`` waits for an event at most so many seconds, and tells whether it was set.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        declared: Declared | None = None,
        refresh_interval: float = DEFAULT_INTERVAL,
        on_change: OnChange | None = None,
        on_doubt: Callable[[str], None] = lambda database: None,
        on_settled: Callable[[str], None] = lambda database: None,
        clock: Callable[[], float] | None = None,
        pause: Callable[[asyncio.Event, float], Awaitable[None]] | None = None,
    ) -> None:
        # for the life of the process
        self._connect = connect
        self.declared: Declared = declared or {}  # what functions read and write
        self._interval = refresh_interval
        self._on_change = on_change
        self.on_doubt, self.on_settled = on_doubt, on_settled
        self._clock = clock
        self._pause = pause or _pause
        # for each database in use
        self._keepers: dict[str, _Keeper] = {}
        self._closed = False

    def snapshot(self, database: str) -> Snapshot | None:
        """The snapshot if it is known to be right at this moment; never waits."""
        keeper = self._keepers.get(database)
        return keeper.current if keeper is not None else None

    def request(self, database: str) -> None:
        """Start loading, and keep the database's snapshot up to date from now on."""
        self._keeper(database).start()

    def refresh(self, database: str) -> None:
        """The schema may have changed: no snapshot until it was read again (C-40)."""
        self._keeper(database).refresh()

    def doubt_others(self, database: str) -> None:
        """Roles are shared: what changed them in ``database`` did so in all that are in use."""
        for name, keeper in self._keepers.items():
            if name != database and keeper.users:
                keeper.refresh()

    def declare(self, declared: Declared) -> None:
        """Take over what functions read and write: no snapshot until it was concluded anew."""
        if declared == self.declared:
            return
        self.declared = declared
        for keeper in self._keepers.values():
            if keeper.users:
                keeper.refresh()  # the others look again before anybody uses them

    def acquire(self, database: str) -> None:
        """A session begins to use the database."""
        keeper = self._keeper(database)
        keeper.users += 1
        keeper.start()

    def release(self, database: str) -> None:
        """A session ends. After the last one the connection goes, or DROP DATABASE would fail."""
        keeper = self._keepers.get(database)
        if keeper is not None and keeper.users > 0:
            keeper.users -= 1
            if keeper.users == 0:
                keeper.stop()

    async def wait(self, database: str) -> Snapshot | None:
        """The snapshot once the loading under way has ended; None where it failed."""
        keeper = self._keeper(database)
        keeper.start()
        return await keeper.settled()

    async def backend_gone(self, database: str, pid: int) -> bool:
        """Whether the backend has certainly ended; False while that is not known (T-10)."""
        return await self._keeper(database).is_backend_gone(pid)

    def backend_pid(self, database: str) -> int:
        """The pid of the backend that reads the database's catalogs, 0 while there is none."""
        keeper = self._keepers.get(database)
        return 0 if keeper is None else keeper.backend_pid

    def state(self, database: str) -> CatalogState:
        """How the database's snapshot stands, for display."""
        keeper = self._keepers.get(database)
        return CatalogState(database, Phase.UNKNOWN) if keeper is None else keeper.state()

    def states(self) -> list[CatalogState]:
        """All databases that were asked for, by name."""
        return [self._keepers[name].state() for name in sorted(self._keepers)]

    async def close(self) -> None:
        """Stop all tasks and close all connections."""
        self._closed = True
        await asyncio.gather(*(keeper.close() for keeper in self._keepers.values()))

    def _keeper(self, database: str) -> _Keeper:
        keeper = self._keepers.get(database)
        if keeper is None:
            keeper = self._keepers[database] = _Keeper(self, database)
        return keeper

    # for _Keeper

    def is_closed(self) -> bool:
        """Whether close() was called: nothing starts any more."""
        return self._closed

    async def open(self, database: str) -> Connection:
        """Open a connection."""
        return await self._connect(database)

    async def build(self, rows: Rows, declared: Declared, before: Snapshot | None) -> Snapshot:
        """Conclude in a thread: it is pure, and may take a tenth of a second."""
        return await asyncio.to_thread(build_snapshot, rows, declared, before)

    def time(self) -> float:
        """Seconds, to measure."""
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    async def rest(self, wake: asyncio.Event, failures: int) -> None:
        """Wait for the next look, or until woken."""
        pause = self._interval
        if failures:
            pause = min(_FIRST_PAUSE * 2 ** min(failures - 1, _DOUBLINGS), _LONGEST_PAUSE)
        await self._pause(wake, pause)

    def tell(self, database: str, old: Snapshot | None, new: Snapshot) -> None:
        """Tell the listener of a change; its failures are its own."""
        flush = old is not None and not new.server.is_same_history(old.server)
        is_same = (
            old is not None
            and old.digest == new.digest
            and old.server.configured == new.server.configured
        )
        if self._on_change is None or (is_same and not flush):
            return
        try:
            self._on_change(database, old, new, flush)
        except Exception:
            _log.exception("catalog_listener_failed", database=database)


class _Keeper:
    """One database: its connection, its task, its snapshot."""

    def __init__(self, service: CatalogService, database: str) -> None:
        self._service = service
        self._database = database
        self.users = 0
        # the task and what it is asked
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._asked = 1
        self._done = 0
        self._attempt: asyncio.Future[None] | None = None
        # the connection, one query at a time
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        # what was learnt
        self.current: Snapshot | None = None
        self._last: Snapshot | None = None
        self._doubted: Snapshot | None = None  # what was right before nobody knew
        self._declared: Declared | None = None  # what that was concluded with
        self._problem = ""
        self._failures = 0
        self._loads = 0
        self._checks = 0
        self._load_seconds = 0.0

    # called by sessions

    def start(self) -> None:
        if self._service.is_closed() or (self._task is not None and not self._task.done()):
            return
        self._wake.clear()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def refresh(self) -> None:
        self._asked += 1
        self.current = None
        self._wake.set()
        self.start()

    def stop(self) -> None:
        """Give the connection up; the snapshot is right again only after another look."""
        self._doubt()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._disconnect()
        self._problem, self._failures = "", 0
        self._end_attempt()

    async def close(self) -> None:
        """Stop, and wait for the task to end."""
        task = self._task
        self.stop()
        if task is not None:
            await asyncio.wait([task])

    async def settled(self) -> Snapshot | None:
        if self._done < self._asked and not self._service.is_closed():
            if self._attempt is None or self._attempt.done():
                self._attempt = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._attempt)
        return self.current

    async def is_backend_gone(self, pid: int) -> bool:
        try:
            async with self._turn:
                gone = await is_backend_gone(await self._connected(), pid)
        except Exception as error:
            _log.info("catalog_backend_unknown", database=self._database, error=str(error))
            gone = False
        if self._task is None:
            self._disconnect()
        return gone

    @property
    def backend_pid(self) -> int:
        connection = self._connection
        return 0 if connection is None or connection.is_closed() else connection.get_server_pid()

    def state(self) -> CatalogState:
        last = self._last
        return CatalogState(
            database=self._database,
            phase=self._phase(),
            problem=self._problem,
            digest=last.digest if last else "",
            relations=len(last.relations) if last else 0,
            loads=self._loads,
            checks=self._checks,
            load_seconds=self._load_seconds,
        )

    def _phase(self) -> Phase:
        if self.current is not None:
            return Phase.READY
        if self._problem:
            return Phase.FAILING
        running = self._task is not None and not self._task.done()
        return Phase.LOADING if running else Phase.IDLE

    # the task

    async def _run(self) -> None:
        me = asyncio.current_task()
        while self._task is me:
            self._wake.clear()
            try:
                async with self._turn:
                    await self._look()
            except Exception as error:
                if self._task is not me:
                    return  # stopped: the cancelled transaction fails in its own way
                self._fail(error)
            if self._done >= self._asked or self._failures:
                self._end_attempt()
                await self._service.rest(self._wake, self._failures)

    async def _look(self) -> None:
        """Bring the snapshot up to date with what was asked until now."""
        asked = self._asked
        began = self._service.time()
        connection = await self._connected()
        declared = self._service.declared
        if self._last is None or declared is not self._declared:
            rows: Rows | None = await load_rows(connection)
        else:
            rows = await load_changes(connection, self._last)
        self._checks += 1
        if rows is not None:
            new = await self._service.build(rows, declared, self._last)
            self._declared = declared
            self._loads += 1
            self._load_seconds = self._service.time() - began
            self._publish(new)
        self._done = max(self._done, asked)
        self._problem, self._failures = "", 0
        # Lost or asked again meanwhile: not known to be right.
        if self._done == self._asked and not connection.is_closed():
            self.current = self._last
            self._settle()

    def _settle(self) -> None:
        doubted, self._doubted = self._doubted, None
        if doubted is not None and doubted is self.current:
            self._service.on_settled(self._database)

    def _publish(self, new: Snapshot) -> None:
        old, self._last = self._last, new
        self.current = None
        if new.undeclared and (old is None or old.undeclared != new.undeclared):
            _log.warning("declared_tables_missing", database=self._database, tables=new.undeclared)
        self._service.tell(self._database, old, new)

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        self._problem = advise(error, self._database)
        self._doubt()
        _log.warning("catalog_failed", database=self._database, problem=self._problem)
        self._disconnect()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._service.open(self._database)
            self._connection.add_termination_listener(self._on_lost)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _on_lost(self, connection: object) -> None:
        if connection is self._connection:
            self._doubt()
            self._wake.set()

    def _doubt(self) -> None:
        doubted, self.current = self.current, None
        self._asked += 1
        if doubted is not None:
            self._doubted = doubted
            self._service.on_doubt(self._database)

    def _end_attempt(self) -> None:
        if self._attempt is not None and not self._attempt.done():
            self._attempt.set_result(None)


async def _pause(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        pass

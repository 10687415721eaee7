"""The service over real servers: when a snapshot is given, when not, and who is told (S-15)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from pgcache.catalog.connect import build_connect
from pgcache.catalog.loader import Connection
from pgcache.catalog.service import CatalogService
from pgcache.catalog.snapshot import Snapshot
from pgcache.catalog.standing import CatalogState, Phase
from pgcache.sql.model import Name
from tests.support.postgres import Cluster, Server

pytestmark = pytest.mark.postgres

PATIENCE = 30.0  # seconds; a test that waits longer has failed


class Bench:
    """A service whose pauses end when the test says so, with all that it told."""

    def __init__(
        self, server: Server, *, listener_fails: bool = False, is_hurried: bool = True
    ) -> None:
        self.server = server
        self.told: list[tuple[str, str | None, str, bool]] = []
        self.doubted: list[str] = []
        self.settled: list[str] = []
        self.pauses: list[float] = []
        self.connections: list[Connection] = []
        self.is_reachable = True
        self._connect = build_connect(server.url("service"))
        self._listener_fails = listener_fails
        self._ticks = asyncio.Event()
        self._changed = asyncio.Event()
        self.service = CatalogService(
            self.connect,
            on_change=self._on_change,
            on_doubt=self.doubted.append,
            on_settled=self.settled.append,
            pause=self._pause if is_hurried else None,
            refresh_interval=77.0,
        )

    async def connect(self, database: str) -> Connection:
        if not self.is_reachable:
            raise ConnectionRefusedError("refused")
        connection = await self._connect(database)
        self.connections.append(connection)
        return connection

    def _on_change(
        self, database: str, old: Snapshot | None, new: Snapshot, flush: bool, /
    ) -> None:
        assert self.service.snapshot(database) is None  # told before it is given
        self.told.append((database, old.digest if old else None, new.digest, flush))
        self._changed.set()
        if self._listener_fails:
            raise RuntimeError("the listener fails")

    async def _pause(self, wake: asyncio.Event, seconds: float) -> None:
        self.pauses.append(seconds)
        self._changed.set()
        waits = [asyncio.ensure_future(event.wait()) for event in (wake, self._ticks)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            self._ticks.clear()

    def tick(self) -> None:
        """Let the pauses under way end."""
        self._ticks.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, looking whenever the service rests."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def bench(newest_postgres: Server) -> AsyncIterator[Bench]:
    made = Bench(newest_postgres)
    yield made
    await made.service.close()


async def test_nothing_is_known_before_it_is_asked_for(bench: Bench) -> None:
    assert bench.service.snapshot("postgres") is None
    assert bench.service.state("postgres") == CatalogState("postgres", Phase.UNKNOWN)
    assert bench.service.states() == []
    bench.service.release("postgres")


async def test_a_request_loads(bench: Bench, newest_database: str) -> None:
    service = bench.service
    service.request(newest_database)
    assert service.snapshot(newest_database) is None
    assert service.state(newest_database).phase is Phase.LOADING
    snapshot = await service.wait(newest_database)
    assert snapshot is not None
    assert service.snapshot(newest_database) is snapshot
    state = service.state(newest_database)
    assert (state.phase, state.loads, state.digest) == (Phase.READY, 1, snapshot.digest)
    assert state.relations > 100
    assert bench.told == [(newest_database, None, snapshot.digest, False)]
    assert service.states() == [state]


async def test_C40_a_refresh_takes_the_snapshot_away_until_it_ends(
    bench: Bench, newest_database: str
) -> None:
    service = bench.service
    before = await service.wait(newest_database)
    assert before is not None
    bench.server.execute("create table t(id int)", database=newest_database)
    service.refresh(newest_database)
    assert service.snapshot(newest_database) is None
    after = await service.wait(newest_database)
    assert after is not None
    assert after.find(Name("t"), ("public",))
    assert bench.told[1:] == [(newest_database, before.digest, after.digest, False)]


async def test_a_refresh_without_a_change_tells_nobody(bench: Bench, newest_database: str) -> None:
    service = bench.service
    before = await service.wait(newest_database)
    service.refresh(newest_database)
    assert await service.wait(newest_database) is before
    assert len(bench.told) == 1
    state = service.state(newest_database)
    assert (state.loads, state.checks) == (1, 2)


async def test_what_functions_are_declared_to_touch_is_concluded_anew(
    bench: Bench, newest_database: str
) -> None:
    bench.server.execute("create table t(id int)", database=newest_database)
    service = bench.service
    service.acquire(newest_database)
    before = await service.wait(newest_database)
    assert before is not None
    declared = {"public.f": ("public.t", "public.none")}
    service.declare(declared)
    assert service.snapshot(newest_database) is None
    after = await service.wait(newest_database)
    assert after is not None
    assert after.undeclared == ("public.none",)
    assert bench.told[1:] == [(newest_database, before.digest, after.digest, False)]
    service.declare(dict(declared))
    assert service.snapshot(newest_database) is after
    service.release(newest_database)
    service.declare({})  # nobody uses it: concluded when somebody does
    service.acquire(newest_database)
    again = await service.wait(newest_database)
    assert again is not None
    assert again.digest == before.digest


async def test_a_refresh_during_a_load_asks_for_another(bench: Bench, newest_database: str) -> None:
    service = bench.service
    service.request(newest_database)
    await asyncio.sleep(0)
    service.refresh(newest_database)
    service.refresh(newest_database)
    assert await service.wait(newest_database) is not None
    assert service.state(newest_database).checks <= 2


async def test_C41_changes_that_nobody_reported_are_found(
    bench: Bench, newest_database: str
) -> None:
    service = bench.service
    before = await service.wait(newest_database)
    assert before is not None
    await bench.until(lambda: bench.pauses == [77.0])
    bench.server.execute("create table t(id int)", database=newest_database)
    assert service.snapshot(newest_database) is before
    bench.tick()
    await bench.until(lambda: len(bench.pauses) == 2)
    after = service.snapshot(newest_database)
    assert after is not None
    assert after is not before
    assert [told[3] for told in bench.told] == [False, False]


async def test_failures_back_off_and_are_told_in_words(bench: Bench, newest_database: str) -> None:
    service = bench.service
    bench.is_reachable = False
    assert await service.wait(newest_database) is None
    state = service.state(newest_database)
    assert state.phase is Phase.FAILING
    assert "is PostgreSQL running" in state.problem
    for count in range(2, 10):
        await bench.until(lambda count=count: len(bench.pauses) == count - 1)  # type: ignore[misc]
        bench.tick()
    await bench.until(lambda: len(bench.pauses) == 9)
    assert bench.pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    bench.is_reachable = True
    bench.tick()
    assert await service.wait(newest_database) is not None
    assert service.state(newest_database).problem == ""
    await bench.until(lambda: bench.pauses[-1] == 77.0)


async def test_what_was_doubted_and_is_as_it_was_is_told(
    bench: Bench, newest_database: str
) -> None:
    """As of a database that nobody used for a while."""
    service = bench.service
    service.acquire(newest_database)
    before = await service.wait(newest_database)
    await bench.until(lambda: len(bench.pauses) == 1)
    assert bench.settled == []
    service.release(newest_database)
    assert bench.doubted == [newest_database]
    service.acquire(newest_database)
    assert await service.wait(newest_database) is before
    assert bench.settled == [newest_database]
    bench.tick()
    await bench.until(lambda: service.state(newest_database).checks == 3)
    assert bench.settled == [newest_database], "once"


async def test_what_was_doubted_and_has_changed_is_not(bench: Bench, newest_database: str) -> None:
    service = bench.service
    service.acquire(newest_database)
    before = await service.wait(newest_database)
    await bench.until(lambda: len(bench.pauses) == 1)
    service.release(newest_database)
    bench.server.execute("create table t (v text)", database=newest_database)
    service.acquire(newest_database)
    assert await service.wait(newest_database) is not before
    assert (len(bench.told), bench.settled) == (2, [])


async def test_S15_a_lost_connection_takes_the_snapshot_away(
    bench: Bench, newest_database: str
) -> None:
    service = bench.service
    before = await service.wait(newest_database)
    await bench.until(lambda: len(bench.pauses) == 1)
    bench.is_reachable = False
    pid = bench.connections[0].get_server_pid()
    bench.server.execute(f"select pg_terminate_backend({pid})")
    await bench.until(lambda: len(bench.pauses) == 2)
    assert service.snapshot(newest_database) is None
    assert bench.doubted == [newest_database]
    bench.is_reachable = True
    bench.tick()
    assert await service.wait(newest_database) is before
    assert len(bench.told) == 1  # the origin had only dropped the connection


@pytest.mark.parametrize("crash", [True, False], ids=["crash", "restart"])
async def test_S15_a_crash_or_restart_flushes(
    cluster: Cluster, newest_postgres: Server, crash: bool
) -> None:
    server = cluster.server(newest_postgres.major)
    bench = Bench(server, is_hurried=False)
    try:
        before = await bench.service.wait("postgres")
        assert before is not None
        if crash:
            with server.connect() as connection:
                row = connection.execute(
                    "select pid from pg_stat_activity where backend_type = 'walwriter'"
                ).fetchone()
            assert row is not None
            # one process killed: the postmaster stays, all others are started anew
            os.kill(int(str(row[0])), signal.SIGKILL)
        else:
            await asyncio.to_thread(server.restart)
        await bench.until(lambda: len(bench.told) == 2)
        after = await bench.service.wait("postgres")
        assert after is not None
        assert bench.told[1] == ("postgres", before.digest, after.digest, True)
        assert after.server.recovered != before.server.recovered or not crash
        assert (after.server.started == before.server.started) == crash
    finally:
        await bench.service.close()
        cluster.discard(server)


async def test_sessions_hold_the_connection_and_the_last_one_gives_it_up(
    bench: Bench, newest_database: str
) -> None:
    service = bench.service
    service.acquire(newest_database)
    service.acquire(newest_database)
    before = await service.wait(newest_database)
    service.release(newest_database)
    assert service.snapshot(newest_database) is before
    service.release(newest_database)
    assert service.snapshot(newest_database) is None
    assert service.state(newest_database).phase is Phase.IDLE
    bench.server.execute(
        f"alter database {newest_database} rename to {newest_database}_x",
        f"alter database {newest_database}_x rename to {newest_database}",
    )
    service.acquire(newest_database)
    assert await service.wait(newest_database) is not None
    assert len(bench.connections) == 2


async def test_a_release_during_a_load_ends_it(bench: Bench, newest_database: str) -> None:
    service = bench.service
    for turns in (0, 1, 10, 1000):
        service.acquire(newest_database)
        for _ in range(turns):
            await asyncio.sleep(0)
        service.release(newest_database)
    service.acquire(newest_database)
    assert await service.wait(newest_database) is not None


async def test_T10_backend_gone(bench: Bench, newest_database: str) -> None:
    service = bench.service
    with bench.server.connect(database=newest_database) as other:
        pid = other.info.backend_pid
        assert not await service.backend_gone(newest_database, pid)
        bench.server.execute(f"select pg_terminate_backend({pid}, 10000)")
    assert await service.backend_gone(newest_database, pid)
    assert service.state(newest_database).phase is Phase.IDLE
    assert all(connection.is_closed() for connection in bench.connections)


async def test_T10_a_backend_is_not_gone_while_that_is_unknown(bench: Bench) -> None:
    bench.is_reachable = False
    assert not await bench.service.backend_gone("postgres", 1)


async def test_P6_a_failing_listener_changes_nothing(newest_postgres: Server) -> None:
    bench = Bench(newest_postgres, listener_fails=True)
    try:
        assert await bench.service.wait("postgres") is not None
    finally:
        await bench.service.close()


async def test_after_close_nothing_starts(bench: Bench) -> None:
    await bench.service.wait("postgres")
    await bench.service.close()
    assert all(connection.is_closed() for connection in bench.connections)
    bench.service.request("postgres")
    bench.service.refresh("postgres")
    assert await bench.service.wait("postgres") is None
    assert len(bench.connections) == 1


async def test_an_unknown_database_is_a_problem_in_words(bench: Bench) -> None:
    assert await bench.service.wait("no_such_database") is None
    assert "does not exist" in bench.service.state("no_such_database").problem


async def test_the_real_pause_ends_by_itself_and_when_woken(newest_postgres: Server) -> None:
    looks: list[str] = []

    async def connect(database: str) -> Connection:
        looks.append(database)
        raise asyncpg.CannotConnectNowError("starting")

    service = CatalogService(connect, refresh_interval=0.01)
    assert await service.wait("a") is None
    service.refresh("a")
    assert await service.wait("a") is None
    assert len(looks) >= 2
    await service.close()

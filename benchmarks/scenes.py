"""Cases d, f and g: a cold dashboard, idle clients, a stampede."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from threading import Barrier
from typing import Any

import psycopg

from benchmarks.origin import Origin
from benchmarks.samples import Series
from benchmarks.serving import Proxy
from pgcache.demo import data
from pgcache.demo.dashboard import TILES

Connection = psycopg.Connection[Any]

_DASHBOARD = TILES[0].sql
_PLACE = "o.status <> 'returned'"
_SETTLED = 5.0  # seconds that ended sessions are waited for
_CONNECTING = 8  # connections opened at the same time


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A session that prepares nothing by itself."""
    # Statements are not to become prepared ones in the course of a series.
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        yield connection


# -- d. a cold dashboard


@dataclass(frozen=True, slots=True)
class Cold:
    """Times of one dashboard query in milliseconds, and misses that pgcache counted for each."""

    title: str
    direct: Series
    through: Series
    misses: float

    @property
    def added_per_cent(self) -> Series:
        """What going through pgcache adds."""
        return Series.of(100 * (ratio - 1) for ratio in self.through.over(self.direct).values)

    @property
    def added_ms(self) -> Series:
        """The same in milliseconds."""
        pairs = zip(self.through.values, self.direct.values, strict=True)
        return Series.of(ours - theirs for ours, theirs in pairs)

    def as_json(self) -> dict[str, object]:
        """For the file of results."""
        return {
            "title": self.title,
            "direct_ms": self.direct.as_json(),
            "through_ms": self.through.as_json(),
            "added_per_cent": self.added_per_cent.as_json(),
            "misses_per_query": self.misses,
        }


def measure_cold(
    origin: Origin, proxy: Proxy, rounds: int, report: Callable[[str], None]
) -> list[Cold]:
    """A dashboard query that is a miss each time, taking turns with the same query direct."""
    with (
        connected(origin.url(data.ANALYST)) as direct,
        connected(proxy.url(data.ANALYST)) as through,
    ):
        for connection in (direct, through):
            timed(connection, _text(-1))
        fresh = _take_turns("a new literal", direct, through, proxy, range(rounds), report)
        through.execute("SET pgcache.mode = refresh")
        again = [rounds] * rounds
        refreshed = _take_turns("mode=refresh", direct, through, proxy, again, report)
    return [fresh, refreshed]


def _take_turns(
    title: str,
    direct: Connection,
    through: Connection,
    proxy: Proxy,
    numbers: range | list[int],
    report: Callable[[str], None],
) -> Cold:
    times: tuple[list[float], list[float]] = ([], [])
    before = proxy.stats()["misses"]
    for turn, number in enumerate(numbers):
        report(f"cold dashboard, {title}")
        pair = ((direct, times[0]), (through, times[1]))
        for connection, taken in pair if turn % 2 else reversed(pair):
            taken.append(timed(connection, _text(number)))
    misses = (proxy.stats()["misses"] - before) / len(numbers)
    return Cold(title, Series.of(times[0]), Series.of(times[1]), misses)


def _text(number: int) -> str:
    assert _PLACE in _DASHBOARD
    return _DASHBOARD.replace(_PLACE, f"{_PLACE} AND o.id <> {-1 - number}")


def timed(connection: Connection, sql: str) -> float:
    """Milliseconds until all rows are there."""
    started = time.perf_counter()
    connection.execute(sql.encode()).fetchall()
    return (time.perf_counter() - started) * 1000


# -- f. idle clients


@dataclass(frozen=True, slots=True)
class Idle:
    """Resident memory of pgcache in bytes: before, with the first 100 clients, with all."""

    clients: int
    first: int
    empty_bytes: int
    first_bytes: int
    all_bytes: int

    @property
    def bytes_per_client(self) -> float:
        """What each client beyond the first costs."""
        return (self.all_bytes - self.first_bytes) / max(1, self.clients - self.first)

    def as_json(self) -> dict[str, float]:
        """For the file of results."""
        return {**asdict(self), "bytes_per_client": self.bytes_per_client}


def measure_idle(origin: Origin, proxy: Proxy, clients: int, report: Callable[[str], None]) -> Idle:
    """Clients that log in, ask one thing each, and stay."""
    first = min(100, clients)
    report("idle clients")
    with ExitStack() as stack:
        empty = proxy.resident()
        gather(stack, proxy.url(data.ANALYST), first)
        some = proxy.resident()
        report(f"{clients} idle clients")
        gather(stack, proxy.url(data.ANALYST), clients - first)
        everyone = proxy.resident()
    await_sessions(origin, 0)
    return Idle(clients, first, empty, some, everyone)


def gather(stack: ExitStack, url: str, count: int) -> None:
    """Open sessions that ask one thing and stay until ``stack`` is closed."""

    def join(_: int) -> Connection:
        connection: Connection = psycopg.connect(url, autocommit=True)
        connection.execute("SELECT id, name FROM accounts WHERE id = 1").fetchall()
        return connection

    with ThreadPoolExecutor(_CONNECTING) as pool:
        for connection in pool.map(join, range(count)):
            stack.callback(connection.close)


# -- g. a stampede


@dataclass(frozen=True, slots=True)
class Stampede:
    """Many clients ask one cold question at once. Times in milliseconds."""

    clients: int
    executions: int
    alone_ms: float
    last_ms: float
    median_ms: float
    followers: int

    def as_json(self) -> dict[str, float]:
        """For the file of results."""
        return asdict(self)


def measure_stampede(
    origin: Origin, proxy: Proxy, clients: int, report: Callable[[str], None]
) -> Stampede:
    """The question takes a second; how often it ran is counted by PostgreSQL."""
    report("stampede: how long one takes")
    sessions = origin.sessions()
    with connected(origin.url(data.ANALYST)) as direct:
        steps = 500_000
        steps = round(steps * 1000 / timed(direct, question(steps)))
        alone = timed(direct, question(steps))
    await_sessions(origin, sessions)
    executions, followers = origin.executions(), proxy.stats()["followers"]
    report(f"stampede: {clients} clients")
    times = crowd([proxy.url(data.ANALYST)], question(steps), clients)
    await_sessions(origin, sessions)
    return Stampede(
        clients=clients,
        executions=origin.executions() - executions,
        alone_ms=alone,
        last_ms=times.high,
        median_ms=times.median,
        followers=proxy.stats()["followers"] - followers,
    )


def question(steps: int) -> str:
    """A query of one row that takes so many steps; PostgreSQL counts how often it runs."""
    return (
        f"SELECT id, (SELECT sum(sqrt(n)) FROM generate_series(1, {steps}) AS n) "
        "FROM question WHERE id = 1"
    )


def crowd(
    urls: Sequence[str], sql: str, clients: int, opened: Callable[[], None] = lambda: None
) -> Series:
    """So many clients ask the same at once; how long each waited, in milliseconds.

    They take the ``urls`` in turn. ``opened`` is called when all are connected and none has asked.
    """
    gate = Barrier(clients)
    with ThreadPoolExecutor(_CONNECTING) as pool, ExitStack() as stack:
        connections: list[Connection] = list(
            pool.map(
                lambda number: psycopg.connect(urls[number % len(urls)], autocommit=True),
                range(clients),
            )
        )
        for connection in connections:
            stack.callback(connection.close)
        opened()

        def ask(connection: Connection) -> float:
            gate.wait()
            return timed(connection, sql)

        with ThreadPoolExecutor(clients) as askers:
            return Series.of(askers.map(ask, connections))


def await_sessions(origin: Origin, wanted: int) -> None:
    """Sessions that have ended have handed in what they counted."""
    deadline = time.monotonic() + _SETTLED
    while origin.sessions() > wanted and time.monotonic() < deadline:
        time.sleep(0.05)

"""Cases b to e of the shared store: several proxies, or workers, in front of one PostgreSQL."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from benchmarks import scenes
from benchmarks.arena import Result
from benchmarks.origin import STEADY, Origin
from benchmarks.peers import Redis
from benchmarks.pgbench import PREPARED, SIMPLE, Job, Pgbench, Target
from benchmarks.raw import Wire
from benchmarks.samples import Series
from benchmarks.serving import Proxy
from benchmarks.sheets import Sheet, number, per_second, times
from benchmarks.storehits import Say, await_hit, quantile, shared
from pgcache.demo import data
from pgcache.demo.dashboard import TILES
from pgcache.wire.messages import build_query

_PROXIES = 3
_USERS = 12
_WRITE_EVERY = 1.0  # seconds
_THINK = 0.05  # seconds between two queries of a user
_READERS = 2
_ROW = "SELECT amount FROM accounts WHERE id = 1"
_COUNT_UP = "UPDATE accounts SET amount = amount + 1 WHERE id = 1"
_HIT = "SELECT id, name, amount FROM accounts WHERE id = :id;\n"
_KEYS = 100
_EVENTUAL, _STRICT = "eventual", "strict"


@contextmanager
def proxies(origin: Origin, store: Redis, count: int, **more: str) -> Iterator[list[Proxy]]:
    """Some that share a store."""
    with ExitStack() as stack:
        yield [stack.enter_context(Proxy(origin, **shared(store, **more))) for _ in range(count)]


# -- b. where hits come from


def measure_tiers(origin: Origin, store: Redis, seconds: float, say: Say) -> Result:
    """Users who look at dashboards through three proxies, while somebody writes."""
    with proxies(origin, store, _PROXIES, STORE__CONSISTENCY=_EVENTUAL) as running:
        _dashboards(origin, running, 3.0, say)  # cold
        before = [proxy.stats() for proxy in running]
        writes = _dashboards(origin, running, seconds, say)
        after = [proxy.stats() for proxy in running]
    names = ("hits", "misses", "shared_hits", "shared_waits_served")
    sums = {
        name: sum(now[name] - then[name] for then, now in zip(before, after, strict=True))
        for name in names
    }
    asked = sums["hits"] + sums["misses"]
    memory = (sums["hits"] - sums["shared_hits"]) / asked
    share = {"memory": memory, "Redis": sums["shared_hits"] / asked, "PostgreSQL": 0.0}
    share["PostgreSQL"] = sums["misses"] / asked
    title = (
        f"b. {_USERS} users at dashboards through {_PROXIES} proxies, a write every "
        f"{_WRITE_EVERY:g} s: where {asked} answers came from"
    )
    rows = tuple((name, f"{100 * part:.1f} %") for name, part in share.items())
    result = Result([Sheet(title, ("", "of all"), rows, f"{writes} writes, eventual consistency")])
    result.data = {**sums, "writes": writes, "share": share}
    result.figure("memory hit rate", memory)
    return result


def _dashboards(origin: Origin, running: list[Proxy], seconds: float, say: Say) -> int:
    say(f"dashboards through {len(running)} proxies")
    end = time.monotonic() + seconds
    failures: list[BaseException] = []

    def look(number: int) -> None:
        dice = random.Random(number)
        try:
            with scenes.connected(running[number % len(running)].url(data.ANALYST)) as connection:
                while time.monotonic() < end:
                    connection.execute(dice.choice(TILES).sql.encode()).fetchall()
                    time.sleep(_THINK)
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(_USERS)]
    for thread in threads:
        thread.start()
    writes = 0
    with Wire(running[0].port, STEADY, data.DATABASE) as wire:
        while time.monotonic() < end:
            wire.ask(build_query("UPDATE products SET name = name WHERE id = 1"))
            writes += 1
            time.sleep(_WRITE_EVERY)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return writes


# -- c. old reads elsewhere


class _Watched:
    """What readers of one proxy saw: when a question was sent, and the number that came."""

    def __init__(self, port: int) -> None:
        self.seen: list[tuple[float, int]] = []
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(port,)) for _ in range(_READERS)]

    def __enter__(self) -> _Watched:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _read(self, port: int) -> None:
        turn = build_query(_ROW)
        with Wire(port, STEADY, data.DATABASE) as wire:
            while not self._is_over.is_set():
                sent = time.perf_counter()
                self.seen.append((sent, _value(wire.ask(turn))))


def _value(reply: bytes) -> int:
    """The number in a reply of one row of one numeric column with two digits."""
    at = reply.index(b".00")
    begin = at
    while reply[begin - 1 : begin].isdigit():
        begin -= 1
    return int(reply[begin:at])


def old_reads(acknowledged: list[tuple[float, int]], seen: list[tuple[float, int]]) -> list[float]:
    """For each write the time from its acknowledgement to the last question, sent after it, that
    was answered with something older; 0 where there was none. In seconds."""
    found = []
    for at, value in acknowledged:
        late = [sent - at for sent, read in seen if sent > at and read < value]
        found.append(max(late, default=0.0))
    return found


def measure_staleness(origin: Origin, store: Redis, writes: int, say: Say) -> Result:
    """Case c: written through one proxy, read through another."""
    rows, result = [], Result()
    for consistency in (_EVENTUAL, _STRICT):
        say(f"old reads, {consistency}")
        origin.execute("UPDATE accounts SET amount = 1 WHERE id = 1;\n")
        with proxies(origin, store, 2, STORE__CONSISTENCY=consistency) as (one, other):
            with Wire(other.port, STEADY, data.DATABASE) as wire:
                await_hit(other, wire, build_query(_ROW))
            with Wire(one.port, STEADY, data.DATABASE) as wire, _Watched(other.port) as watched:
                acknowledged = []
                for number_ in range(2, writes + 2):
                    wire.ask(build_query(_COUNT_UP))
                    acknowledged.append((time.perf_counter(), number_))
                    time.sleep(0.02)
        late = [1e6 * seconds for seconds in old_reads(acknowledged, watched.seen)]
        old = sum(value > 0 for value in late)
        p50, p99 = quantile(late, 0.5), quantile(late, 0.99)
        reads = len(watched.seen)
        told = (number(p50), number(p99), number(max(late)))
        rows.append((consistency, str(writes), str(reads), str(old), *told))
        result.data[consistency] = {
            "writes": writes,
            "reads": reads,
            "writes with old reads": old,
            "p50_us": p50,
            "p99_us": p99,
            "max_us": max(late),
        }
        result.figure(f"old reads/{consistency}", old)
    columns = ("", "writes", "reads", "with an old read", "p50 µs", "p99 µs", "longest µs")
    title = "c. From a commit's acknowledgement by one proxy to the last old read at another"
    result.sheets.append(Sheet(title, columns, tuple(rows)))
    return result


# -- d. a stampede


def measure_stampede(
    origin: Origin, store: Redis, clients: int, seconds: float, say: Say
) -> Result:
    """Case d: so many clients of each of three proxies, one cold question."""
    say("stampede: how long one takes")
    with scenes.connected(origin.url(data.ANALYST)) as direct:
        steps = 500_000
        steps = round(steps * 1000 * seconds / scenes.timed(direct, scenes.question(steps)))
        alone = scenes.timed(direct, scenes.question(steps))
    with proxies(origin, store, _PROXIES, CACHE__FLIGHT_WAIT="60s") as running:
        for proxy in running:  # whose databases are to be joined
            with Wire(proxy.port, STEADY, data.DATABASE) as wire:
                await_hit(proxy, wire, build_query(_ROW))
        sessions, before = origin.sessions(), origin.executions()
        say(f"stampede: {_PROXIES} x {clients} clients")
        urls = [proxy.url(data.ANALYST) for proxy in running]
        took = scenes.crowd(urls, scenes.question(steps), clients * _PROXIES)
        scenes.await_sessions(origin, sessions)
        executions = origin.executions() - before
    title = f"d. {_PROXIES} proxies, {clients} clients of each ask one cold question at once"
    row = (str(executions), number(alone), number(took.median), number(took.high))
    columns = ("executions, counted by PostgreSQL", "alone ms", "median client ms", "last ms")
    result = Result([Sheet(title, columns, (row,))])
    result.data = {
        "clients": clients * _PROXIES,
        "executions": executions,
        "alone_ms": alone,
        "median_ms": took.median,
        "last_ms": took.high,
    }
    result.figure("stampede executions", executions)
    return result


# -- e. workers


def measure_workers(origin: Origin, store: Redis, rounds: int, count: int, say: Say) -> Result:
    """Case e: hits a second of one and of two workers; the client needs a core as well."""
    pgbench = Pgbench(origin.bin / "pgbench", data.DATABASE)
    rows, result = [], Result()
    for consistency in (_EVENTUAL, _STRICT):
        options = shared(store, STORE__CONSISTENCY=consistency)
        with ExitStack() as stack:
            targets = {}
            for workers in (1, 2):
                command = ("pgcache", "serve", "--workers", str(workers))
                proxy = stack.enter_context(Proxy(origin, *command, **options))
                targets[workers] = Target(f"{consistency} {workers}", proxy.port, STEADY)
            for protocol in (SIMPLE, PREPARED):
                job = Job(f"\\set id random(1, {_KEYS})\n{_HIT}", protocol, clients=16)
                rates: dict[int, list[float]] = {1: [], 2: []}
                for round_, workers in itertools.product(range(-2, rounds), (1, 2)):
                    say(f"{workers} workers, {consistency}, {protocol}")
                    rate = pgbench.run(targets[workers], job, count).rate
                    if round_ >= 0:  # before that it fills
                        rates[workers].append(rate)
                one, two = Series.of(rates[1]), Series.of(rates[2])
                gain = two.over(one)
                told = (per_second(one), per_second(two), times(gain))
                rows.append((f"{consistency}, {protocol}", *told))
                result.data[f"{consistency}/{protocol}"] = {
                    "1": one.as_json(),
                    "2": two.as_json(),
                }
    columns = ("", "1 worker /s", "2 workers /s", "2 over 1")
    title = f"e. Hits of {_KEYS} keys by 16 clients of pgbench, which needs a core itself"
    result.sheets.append(Sheet(title, columns, tuple(rows), f"medians of {rounds} rounds in turn"))
    return result

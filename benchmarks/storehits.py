"""Cases a and g of the shared store: what asking it costs, beside a bare GET of the same bytes.

One client, one question at a time; targets take turns in short rounds, so that what others do to
the machine falls on all of them. The value that is got is the entry as pgcache has stored it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import redis
import redis.asyncio
import uvloop

from benchmarks.arena import Result
from benchmarks.origin import STEADY, Origin
from benchmarks.peers import Redis
from benchmarks.pgbench import Job, Pgbench, Target
from benchmarks.raw import Wire
from benchmarks.samples import Series
from benchmarks.serving import Proxy
from benchmarks.sheets import Sheet, number, times
from pgcache.demo import data
from pgcache.wire.messages import build_query

QUESTION = "SELECT id, name, amount FROM accounts WHERE id = 77"
QUESTIONS = {
    "One row": QUESTION,
    "1,000 rows": "SELECT id, name, amount FROM accounts WHERE id <= 1000",
}
UPDATE = "UPDATE accounts SET amount = amount + 1 WHERE id = 78"
GET, BLOCKING, DIRECT = "redis-py GET, asyncio", "redis-py GET, blocking", "PostgreSQL"
STRICT, FETCHED, MEMORY = "hit, strict", "hit from Redis", "hit in memory (eventual)"
ALONE, SHARED = "update, memory store", "update, shared store"
_UPDATE_CLIENTS = 8
_LEARNED = 100  # asked at most so often until it is a hit
# Too little for any entry: each hit is fetched from Redis.
_NO_MEMORY = {"STORE__MAX_BYTES": "100", "STORE__MAX_ENTRY_BYTES": "100"}
_EVENTUAL = {"STORE__CONSISTENCY": "eventual"}

Take = Callable[[], list[float]]
Say = Callable[[str], None]


@dataclass(slots=True)
class Latencies:
    """Times of one target in microseconds, round by round."""

    title: str
    take: Take
    rounds: list[list[float]] = field(default_factory=list)

    def at(self, share: float) -> Series:
        """A quantile of each round."""
        return Series.of(quantile(taken, share) for taken in self.rounds)

    def as_json(self) -> dict[str, object]:
        """For the file of results."""
        return {"p50_us": self.at(0.5).as_json(), "p99_us": self.at(0.99).as_json()}


def quantile(values: list[float], share: float) -> float:
    """The value that so many are not above; NaN of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def taken_by(ask: Callable[[], object], times: int) -> list[float]:
    """How long each of so many questions took, in microseconds."""
    clock, taken = time.perf_counter, []
    for _ in range(times):
        started = clock()
        ask()
        taken.append((clock() - started) * 1e6)
    return taken


def asking(wire: Wire, turn: bytes, times: int) -> list[float]:
    """The same of a turn on the wire, whose reply is not taken apart here."""
    length = len(wire.ask(turn))
    return taken_by(lambda: wire.count(turn, length), times)


class Getter:
    """A bare GET by redis-py on uvloop: what a service written like pgcache would do by itself."""

    def __init__(self, port: int, name: bytes) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._redis = redis.asyncio.Redis(host="127.0.0.1", port=port, protocol=3)
        self._name = name

    def take(self, times: int) -> list[float]:
        """Times of so many."""
        return self._runner.run(self._take(times))

    async def _take(self, times: int) -> list[float]:
        clock, taken, client, name = time.perf_counter, [], self._redis, self._name
        for _ in range(times):
            started = clock()
            await client.get(name)
            taken.append((clock() - started) * 1e6)
        return taken

    def close(self) -> None:
        """Close the connection."""
        self._runner.run(self._redis.aclose())
        self._runner.close()


def shared(store: Redis, **more: str) -> dict[str, str]:
    """Options of a proxy beside this store, on a machine that may be busy."""
    url = f"redis://127.0.0.1:{store.port}/0"
    return {"CACHE__TTL": "1h", "STORE__URL": url, "STORE__TIMEOUT": "1s", **more}


def await_hit(proxy: Proxy, wire: Wire, turn: bytes) -> None:
    """Ask until the answer comes from the cache, twice: then everything is proved as well."""
    hits = 0
    for _ in range(_LEARNED):
        before = proxy.hits()
        wire.ask(turn)
        hits += proxy.hits() > before
        if hits > 1:
            return
        time.sleep(0.1)
    raise RuntimeError("pgcache does not answer from its cache")


def take_turns(targets: list[Latencies], rounds: int, say: Say, what: str) -> None:
    """Each target in each round, in one order and then in the other; the first does not count."""
    for target in targets:
        target.take()
    for round_ in range(rounds):
        say(f"{what}, round {round_ + 1} of {rounds}")
        for target in targets if round_ % 2 else targets[::-1]:
            target.rounds.append(target.take())


def measure_hits(origin: Origin, store: Redis, rounds: int, count: int, say: Say) -> Result:
    """Case a: strict (rows at hand, tokens asked for), and without memory (all of it comes)."""
    result = Result()
    for what, question in QUESTIONS.items():
        turn, number = build_query(question), max(1, count if question == QUESTION else count // 4)
        with ExitStack() as stack:
            targets, size = _start_targets(stack, origin, store, turn, number)
            take_turns(targets, rounds, say, f"hits, {what.lower()}")
        by_title = {target.title: target for target in targets}
        title = f"a. {what}: a hit beside a bare GET of the same {size:,} bytes"
        result.sheets.append(_sheet(title, targets, by_title[GET]))
        result.data[what] = {target.title: target.as_json() for target in targets}
        for name in (STRICT, FETCHED):
            for share, at in (("p50", 0.5), ("p99", 0.99)):
                ratio = by_title[name].at(at).over(by_title[GET].at(at)).median
                result.figure(f"{name}/{GET}, {what.lower()}, {share}", ratio)
    return result


def _start_targets(
    stack: ExitStack, origin: Origin, store: Redis, turn: bytes, count: int
) -> tuple[list[Latencies], int]:
    """What takes turns, and the size of the value that is got."""
    client = redis.Redis(port=store.port)
    stack.callback(client.close)
    client.flushall()
    targets = []
    options = {STRICT: {}, MEMORY: _EVENTUAL, FETCHED: {**_EVENTUAL, **_NO_MEMORY}}
    for title, more in options.items():
        proxy = stack.enter_context(Proxy(origin, **shared(store, **more)))
        wire = stack.enter_context(_wire(proxy.port))
        await_hit(proxy, wire, turn)
        targets.append(Latencies(title, partial(asking, wire, turn, count)))
    (name,) = client.scan_iter("pgcache:*:e?:*")
    getter = Getter(store.port, name)
    stack.callback(getter.close)
    direct = stack.enter_context(_wire(origin.port))
    targets += [
        Latencies(GET, lambda: getter.take(count)),
        Latencies(BLOCKING, lambda: taken_by(lambda: client.get(name), count)),
        Latencies(DIRECT, partial(asking, direct, turn, count)),
    ]
    return targets, len(client.get(name) or b"")


def measure_updates(origin: Origin, store: Redis, rounds: int, count: int, say: Say) -> Result:
    """Case g: one client, and a few at once, each on a row of its own."""
    turn = build_query(UPDATE)
    pgbench = Pgbench(origin.bin / "pgbench", data.DATABASE)
    with ExitStack() as stack:
        ports = {DIRECT: origin.port}
        for title, options in ((ALONE, {}), (SHARED, shared(store))):
            proxy = stack.enter_context(Proxy(origin, **options))
            with _wire(proxy.port) as wire:
                await_hit(proxy, wire, build_query(QUESTION))
            ports[title] = proxy.port
        wires = {title: stack.enter_context(_wire(port)) for title, port in ports.items()}
        one = [
            Latencies(title, partial(asking, wire, turn, count)) for title, wire in wires.items()
        ]
        job = Job(UPDATE.replace("78", ":client_id + 1") + ";\n", clients=_UPDATE_CLIENTS)
        times_each = max(20, count // 4)

        def run(target: Target) -> list[float]:
            return [1e6 * _UPDATE_CLIENTS / pgbench.run(target, job, times_each).rate]

        many = [
            Latencies(title, partial(run, Target(title, port, STEADY)))
            for title, port in ports.items()
        ]
        take_turns(one, rounds, say, "updates")
        take_turns(many, rounds, say, f"updates by {_UPDATE_CLIENTS} clients")
    title = "g. An update of one row, one client"
    result = Result([_sheet(title, one, one[0])])
    title = f"g. The same, {_UPDATE_CLIENTS} clients at once (mean of each run)"
    result.sheets.append(_sheet(title, many, many[0]))
    result.data = {
        "one": {target.title: target.as_json() for target in one},
        "many": {target.title: target.as_json() for target in many},
    }
    result.figure("update/direct", one[2].at(0.5).over(one[0].at(0.5)).median)
    return result


def _wire(port: int) -> Wire:
    return Wire(port, STEADY, data.DATABASE)


def _sheet(title: str, targets: list[Latencies], base: Latencies) -> Sheet:
    rows = []
    for target in targets:
        p50, p99 = target.at(0.5), target.at(0.99)
        ratios = [times(p50.over(base.at(0.5))), times(p99.over(base.at(0.99)))]
        over = ["", ""] if target is base else ratios
        rows.append((target.title, number(p50.median), number(p99.median), *over))
    columns = ("", "p50 µs", "p99 µs", f"p50 over {base.title}", "p99")
    return Sheet(title, columns, tuple(rows), f"medians of {len(base.rounds)} rounds in turn")

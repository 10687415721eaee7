"""Case e: the scene pgcache is made for, direct and through it.

100 users look at 20 dashboards of 6 queries, each refreshed every 30 seconds, while writes trickle
in, one every 30 seconds. Time is compressed until PostgreSQL alone is about as busy as in the
mission, four fifths of the machine: with the lifetime of results, everything keeps its proportion.
The writer checks after each write that nobody is shown an older state.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import psutil
import uvloop

from benchmarks import machine
from benchmarks.arena import TITLES, Arena, Result
from benchmarks.origin import STEADY
from benchmarks.paced import Client, Latencies, gather
from benchmarks.raw import Wire
from benchmarks.samples import Series
from benchmarks.serving import Proxy
from benchmarks.sheets import Sheet, number
from benchmarks.throughput import DIRECT, HIT
from pgcache.demo import data
from pgcache.wire.messages import build_query

USERS, DASHBOARDS, REFRESH = 100, 20, 30.0  # seconds of the scene
_WRITE_EVERY, _TTL = 30.0, 300.0  # seconds of the scene
_BUSY = 0.8  # of the machine's cores, by PostgreSQL alone
_COMPRESSION = (2.0, 60.0)
_UNANSWERED = 60.0  # seconds after the last refresh that answers are waited for

_COUNTRIES = ("Germany", "France", "Spain", "Italy", "Poland", "Austria", "Norway", "Japan")
_SEGMENTS = ("consumer", "business", "public")

_SCHEMA = f"""
CREATE SCHEMA scene;
CREATE TABLE scene.customers AS SELECT n AS id, 'Customer ' || n AS name,
  (ARRAY['{"','".join(_COUNTRIES)}'])[1 + n % 8] AS country,
  (ARRAY['{"','".join(_SEGMENTS)}'])[1 + n / 8 % 3] AS segment,
  now() - n % 700 * interval '1 day' AS signed_up_at FROM generate_series(1, 3000) AS n;
CREATE TABLE scene.products AS SELECT n AS id, 'Product ' || n AS name, 'Category ' || n % 7
  AS category, (5 + n % 200)::numeric(10,2) AS price FROM generate_series(1, 200) AS n;
CREATE TABLE scene.orders AS SELECT n AS id, 1 + n * 17 % 3000 AS customer_id,
  (ARRAY['paid','shipped','returned'])[1 + n % 3] AS status,
  now() - n % 180 * interval '1 day' AS created_at FROM generate_series(1, 24000) AS n;
CREATE TABLE scene.items AS SELECT n AS order_id, 1 + (n * 19 + k) % 200 AS product_id,
  1 + (n + k) % 4 AS quantity FROM generate_series(1, 24000) AS n, generate_series(1, 3) AS k;
CREATE INDEX ON scene.customers (id);
CREATE INDEX ON scene.orders (customer_id);
CREATE INDEX ON scene.items (order_id);
VACUUM (ANALYZE) scene.customers, scene.products, scene.orders, scene.items;
GRANT USAGE ON SCHEMA scene TO {STEADY};
GRANT ALL ON ALL TABLES IN SCHEMA scene TO {STEADY};
"""
_FROM = """FROM scene.orders AS o JOIN scene.customers AS c ON c.id = o.customer_id
JOIN scene.items AS i ON i.order_id = o.id JOIN scene.products AS p ON p.id = i.product_id
WHERE c.country = '{country}' AND c.segment = '{segment}'"""
_QUERIES = (
    "SELECT date_trunc('month', o.created_at) AS month, sum(i.quantity * p.price) AS revenue\n"
    + _FROM
    + " GROUP BY 1 ORDER BY 1",
    "SELECT p.name, sum(i.quantity) AS sold\n"
    + _FROM
    + " GROUP BY p.name ORDER BY 2 DESC, 1 LIMIT 10",
    """SELECT o.status, count(*) AS orders, count(DISTINCT o.customer_id) AS buyers
FROM scene.orders AS o JOIN scene.customers AS c ON c.id = o.customer_id
WHERE c.country = '{country}' AND c.segment = '{segment}' GROUP BY 1 ORDER BY 1""",
    """SELECT date_trunc('month', signed_up_at) AS month, count(*) AS joined FROM scene.customers
WHERE country = '{country}' AND segment = '{segment}' GROUP BY 1 ORDER BY 1""",
    """SELECT category, count(*), avg(price), percentile_cont(0.5) WITHIN GROUP (ORDER BY price)
FROM scene.products WHERE price > {number} GROUP BY 1 ORDER BY 1""",
    """SELECT day, revenue, avg(revenue) OVER (ORDER BY day ROWS 6 PRECEDING) AS week
FROM (SELECT o.created_at::date AS day, sum(i.quantity) AS revenue FROM scene.orders AS o
      JOIN scene.items AS i ON i.order_id = o.id WHERE o.customer_id % {dashboards} = {number}
      GROUP BY 1) AS days ORDER BY day""",
)
_WRITES = (
    "INSERT INTO scene.orders VALUES (24000 + {n}, {n}, 'paid', now())",
    "UPDATE scene.products SET price = price + 0.01 WHERE id = {n}",
    "INSERT INTO scene.items VALUES (24000 + {n}, 1, 1)",
    "UPDATE scene.customers SET segment = segment WHERE id = {n}",
)
# What has changed by each write, asked after it: cached, unless the write was seen.
_CHECK = (
    "SELECT (SELECT count(*) FROM scene.orders), (SELECT sum(price) FROM scene.products), "
    "(SELECT count(*) FROM scene.items), (SELECT count(*) FROM scene.customers)"
)


def dashboard(which: int) -> list[str]:
    """The six queries of one dashboard."""
    words = {
        "country": _COUNTRIES[which % 8],
        "segment": _SEGMENTS[which // 8],
        "number": which,
        "dashboards": DASHBOARDS,
    }
    return [query.format(**words) for query in _QUERIES]


def compression(mean_ms: float, cores: int) -> float:
    """How many seconds of the scene go into one, for queries that take so long alone."""
    at_once = USERS * len(_QUERIES) / REFRESH * mean_ms / 1000  # cores, uncompressed
    low, high = _COMPRESSION
    return min(high, max(low, _BUSY * cores / at_once))


@dataclass(slots=True)
class Seen:
    """What one pass saw. CPU times in seconds; hits and misses as pgcache counts them."""

    queries: list[float] = field(default_factory=list)
    dashboards: list[float] = field(default_factory=list)
    late: int = 0  # refreshes that were never answered
    database_cpu: float = 0.0
    proxy_cpu: float = 0.0
    hits: int = 0
    misses: int = 0
    writes: int = 0
    stale: int = 0

    @property
    def hit_ratio(self) -> float:
        """Of the queries that users asked."""
        return self.hits / max(1, len(self.queries))

    def as_json(self) -> dict[str, object]:
        """For the file of results."""
        return {
            "queries": Latencies(tuple(self.queries), self.late * len(_QUERIES)).as_json(),
            "dashboards": Latencies(tuple(self.dashboards), self.late).as_json(),
            "database_cpu_seconds": self.database_cpu,
            "pgcache_cpu_seconds": self.proxy_cpu,
            "hits": self.hits,
            "misses": self.misses,
            "hit_ratio": self.hit_ratio,
            "writes": self.writes,
            "stale_after_write": self.stale,
            "query_ms": [round(value, 3) for value in sorted(self.queries)],
        }


@dataclass(frozen=True, slots=True)
class Script:
    """How one pass goes. Seconds of the clock, compressed already."""

    period: float
    write_every: float
    refreshes: int
    seed: int

    @property
    def seconds(self) -> float:
        """How long new refreshes begin."""
        return self.period * self.refreshes


def measure_scene(arena: Arena) -> Result:
    """Passes that take turns: direct, then through a pgcache that knows nothing yet."""
    arena.say("making the scene")
    arena.origin.execute(_SCHEMA)
    mean = _mean_ms(arena.origin.port)
    speed = compression(mean, psutil.cpu_count() or 1)
    refreshes = arena.sizes.scene_refreshes
    rounds: list[dict[str, Seen]] = []
    ends, took = time.monotonic() + arena.budget("e"), 0.0
    while not rounds or (len(rounds) < arena.sizes.rounds and time.monotonic() + took < ends):
        began = time.monotonic()
        script = Script(REFRESH / speed, _WRITE_EVERY / speed, refreshes, len(rounds))
        arena.say(f"round {len(rounds) + 1}: direct, {script.seconds:.0f} s")
        direct = _pass(arena, arena.origin.port, None, script)
        with arena.proxy(CACHE__TTL=f"{max(1, round(1000 * _TTL / speed))}ms") as proxy:
            arena.say(f"round {len(rounds) + 1}: through pgcache, {script.seconds:.0f} s")
            through = _pass(arena, proxy.port, proxy, script)
        rounds.append({DIRECT: direct, HIT: through})
        took = time.monotonic() - began
    return _report(rounds, speed, mean, refreshes)


def _mean_ms(port: int) -> float:
    wire = Wire(port, STEADY, data.DATABASE)
    turns = [build_query(query) for which in range(DASHBOARDS) for query in dashboard(which)]
    try:
        for turn in turns:
            wire.ask(turn)
        started = time.perf_counter()
        for turn in turns:
            wire.ask(turn)
        return 1000 * (time.perf_counter() - started) / len(turns)
    finally:
        wire.close()


def _pass(arena: Arena, port: int, proxy: Proxy | None, script: Script) -> Seen:
    def used() -> dict[str, float]:
        counts = proxy.stats() if proxy else {"hits": 0, "misses": 0}
        mine = proxy.cpu_seconds() if proxy else 0.0
        return {**counts, "database": machine.tree_seconds(arena.origin.pid), "pgcache": mine}

    return uvloop.run(_play(port, arena.origin.port, script, used))


async def _play(
    port: int, direct: int, script: Script, used: Callable[[], dict[str, float]]
) -> Seen:
    """``used`` tells what was counted so far; what logins cost is left out."""
    seen, chance = Seen(), random.Random(script.seed)
    async with AsyncExitStack() as stack:
        clients = await gather(stack, USERS, port, STEADY, data.DATABASE)
        (writer,) = await gather(stack, 1, port, STEADY, data.DATABASE)
        witnesses = [
            client
            for where in (port, direct)
            for client in await gather(stack, 1, where, STEADY, data.DATABASE)
        ]
        before = used()
        start = time.perf_counter() + 0.1
        users = []
        for number, client in enumerate(clients):
            first = start + chance.random() * script.period
            looking = _look(client, number % DASHBOARDS, first, script, seen)
            users.append(asyncio.ensure_future(looking))
        writing = asyncio.ensure_future(_write(writer, witnesses, start, script, seen))
        done, late = await asyncio.wait(
            [*users, writing], timeout=script.seconds + script.period + _UNANSWERED
        )
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            task.result()
        after = used()
    seen.late = USERS * script.refreshes - len(seen.dashboards)
    seen.database_cpu = after["database"] - before["database"]
    seen.proxy_cpu = after["pgcache"] - before["pgcache"]
    seen.hits = round(after["hits"] - before["hits"])
    seen.misses = round(after["misses"] - before["misses"])
    return seen


async def _look(client: Client, which: int, first: float, script: Script, seen: Seen) -> None:
    clock = time.perf_counter
    turns = [build_query(query) for query in dashboard(which)]
    for refresh in range(script.refreshes):
        begun = first + refresh * script.period
        if (ahead := begun - clock()) > 0:
            await asyncio.sleep(ahead)
            begun = clock()
        asked = begun
        for turn in turns:
            await client.ask(turn)
            now = clock()
            seen.queries.append((now - asked) * 1000)
            asked = now
        seen.dashboards.append((asked - begun) * 1000)


async def _write(
    writer: Client, witnesses: list[Client], start: float, script: Script, seen: Seen
) -> None:
    """``witnesses``: one who asks where the users do, and one who asks PostgreSQL itself."""
    clock = time.perf_counter
    check = build_query(_CHECK)
    while True:
        due = start + (seen.writes + 1) * script.write_every
        if due > start + script.seconds:
            return
        await asyncio.sleep(max(0.0, due - clock()))
        statement = _WRITES[seen.writes % len(_WRITES)].format(n=1 + seen.writes)
        await writer.ask(build_query(statement))
        seen.writes += 1
        shown, true = [await witness.ask(check) for witness in witnesses]
        seen.stale += shown != true


def _report(rounds: list[dict[str, Seen]], speed: float, mean: float, refreshes: int) -> Result:
    result = Result(data={"compression": speed, "mean_query_ms": mean})
    result.data["rounds"] = [
        {name: seen.as_json() for name, seen in passes.items()} for passes in rounds
    ]
    rows = tuple(_row(TITLES[name], [passes[name] for passes in rounds]) for name in (DIRECT, HIT))
    saved = Series.of(
        100 * (1 - passes[HIT].database_cpu / passes[DIRECT].database_cpu) for passes in rounds
    )
    stale = sum(seen.stale for passes in rounds for seen in passes.values())
    writes = sum(seen.writes for passes in rounds for seen in passes.values())
    result.figure("scene/hit ratio", Series.of(p[HIT].hit_ratio for p in rounds).median)
    result.figure("scene/database CPU saved %", saved.median)
    result.figure("scene/stale", stale)
    title = f"e. The scene: {USERS} users, {DASHBOARDS} dashboards of {len(_QUERIES)} queries"
    caption = (
        f"each dashboard {refreshes} times, every {REFRESH:.0f} s, compressed {speed:.1f} times; a "
        f"query takes {mean:.1f} ms alone; a write every {_WRITE_EVERY:.0f} s; database CPU time "
        f"saved: {saved.median:.0f} %; older states shown after {writes} writes: {stale}; medians "
        f"of {len(rounds)} rounds, each beginning with an empty cache"
    )
    columns = ("through", "hits", "query p50 ms", "p95", "p99", "dashboard p50 ms", "p95", "p99")
    more = ("never answered", "database CPU s", "pgcache CPU s")
    result.sheets.append(Sheet(title, (*columns, *more), rows, caption))
    return result


def _row(title: str, passes: list[Seen]) -> tuple[str, ...]:
    queries = [Latencies(tuple(s.queries), s.late * len(_QUERIES)) for s in passes]
    dashboards = [Latencies(tuple(s.dashboards), s.late) for s in passes]
    cells = [
        number(Series.of(one.percentile(share) for one in several).median)
        for several in (queries, dashboards)
        for share in (0.5, 0.95, 0.99)
    ]
    hits = Series.of(100 * seen.hit_ratio for seen in passes).median
    return (
        title,
        f"{hits:.1f} %",
        *cells,
        str(sum(seen.late for seen in passes)),
        number(Series.of(seen.database_cpu for seen in passes).median),
        number(Series.of(seen.proxy_cpu for seen in passes).median),
    )

"""Case i: what a hit costs as there are more entries, more relations, longer texts.

Caches of different sizes are separate processes that take turns, so that size is all that differs.
The cost of a hit is CPU time of pgcache.
"""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import replace

import psutil

from benchmarks import crowded
from benchmarks.arena import Arena, Result
from benchmarks.cases.peak import CLIENTS, PER_MINUTE
from benchmarks.conversation import SYNC, bind_turn
from benchmarks.origin import STEADY
from benchmarks.paced import Latencies, plan_arrivals, play
from benchmarks.pgbench import PREPARED, SIMPLE, Job, Sample, Target
from benchmarks.raw import Fetch, Fetcher, Wire
from benchmarks.serving import Proxy
from benchmarks.sheets import Sheet, number, per_second, times
from benchmarks.throughput import DIRECT, HIT, Measured, Run, Shape, Work, measure
from pgcache.demo import data
from pgcache.wire.messages import build, build_query

_ENTRY_BYTES = 4096  # of memory for an entry, generously
_PAGE = "\\set id random(:first, :last)\n" + crowded.ROW
_SHARE_MISSED = 0.1  # of the questions of the latency row are new


def measure_growth(arena: Arena) -> Result:
    """All three, in one result."""
    result = Result()
    _measure_entries(arena, result)
    _measure_relations(arena, result)
    _measure_texts(arena, result)
    return result


def _measure(arena: Arena, run: Run, shapes: list[Shape]) -> list[Measured]:
    return measure(
        run,
        shapes,
        rounds=arena.sizes.rounds,
        seconds=arena.sizes.seconds,
        budget=arena.budget("i") / 3,
        report=arena.say,
    )


# -- entries


def affordable(wanted: tuple[int, ...], free_bytes: int) -> tuple[int, ...]:
    """The sizes that fit into half of the memory."""
    return tuple(count for count in wanted if count * _ENTRY_BYTES < free_bytes // 2)


def _measure_entries(arena: Arena, result: Result) -> None:
    sizes = affordable(arena.sizes.entries, psutil.virtual_memory().available)
    arena.say("making rows")
    arena.origin.execute(crowded.build_table(max(sizes)))
    with ExitStack() as stack:
        proxies: dict[str, Proxy] = {}
        for count in sizes:
            arena.say(f"filling with {count:,} entries")
            room = str(max(2**28, count * _ENTRY_BYTES))
            proxy = arena.proxy("benchmarks.crowded", str(count), "serve", STORE__MAX_BYTES=room)
            proxies[f"{count:,}"] = stack.enter_context(proxy)
            _fill(arena, proxy, count)
        resident = {name: proxy.resident() for name, proxy in proxies.items()}
        targets = {name: arena.steady(name, proxy.port, proxy) for name, proxy in proxies.items()}
        last = dict(zip(targets, sizes, strict=True))

        def run(name: str, work: Work, repeats: int) -> Sample:
            assert isinstance(work, Job)
            asked = min(work.variables["most"], last[name])
            variables = {"first": crowded.FIRST, "last": crowded.FIRST + asked - 1}
            return arena.pgbench.run(targets[name], replace(work, variables=variables), repeats)

        shapes = [
            Shape(title, Job(_PAGE, PREPARED, 8, {"most": most}), tuple(targets))
            for title, most in (("the same ten", 10), ("any of them", max(sizes)))
        ]
        measured = _measure(arena, run, shapes)
        ends = (next(iter(targets)), list(targets)[-1])
        latencies = {name: _latency(arena, targets[name]) for name in ends}
    _report_entries(result, measured, resident, latencies)


def _fill(arena: Arena, proxy: Proxy, count: int) -> None:
    """By one miss; then some of the rows are compared with PostgreSQL's own."""
    target = arena.steady("filling", proxy.port, proxy)
    first = {"first": crowded.FIRST, "last": crowded.FIRST}
    arena.pgbench.run(target, Job(_PAGE, PREPARED, variables=first), 1)
    stored = proxy.stats()["entries"]
    if stored < count:
        raise RuntimeError(f"{count} entries were asked for, {stored} are there")
    _compare(arena, proxy, count)


def _compare(arena: Arena, proxy: Proxy, count: int) -> None:
    """The first, the last and some between have to be hits, and PostgreSQL's own answers."""
    numbers = [crowded.FIRST + count * part // 10 - (part == 10) for part in range(11)]
    prepare = build(ord("P"), b"P0\0" + crowded.PREPARED_ROW + b"\0\0\0") + SYNC
    answers, before = [], proxy.hits()
    for port in (arena.origin.port, proxy.port):
        wire = Wire(port, STEADY, data.DATABASE)
        try:
            wire.ask(prepare)
            answers.append([wire.ask(bind_turn(number_)) for number_ in numbers])
        finally:
            wire.close()
    if answers[0] != answers[1]:
        raise RuntimeError("the full cache does not answer as PostgreSQL does")
    if proxy.hits() - before != len(numbers):
        raise RuntimeError(f"{proxy.hits() - before} of {len(numbers)} were hits")


def _latency(arena: Arena, target: Target) -> Latencies:
    """At the mission's peak, some of the questions new: what collecting garbage costs users."""
    arena.say(f"latency with {target.name} entries")
    chance, fresh = random.Random(0), iter(range(1, 10**9))
    rows = "SELECT id, name FROM crowd WHERE id = "
    plan = [
        replace(due, turn=build_query(f"{rows}{crowded.FIRST + chance.randint(1, 10)}"))
        if chance.random() >= _SHARE_MISSED
        else replace(due, turn=build_query(f"{rows}{next(fresh)}"))
        for due in plan_arrivals([b""], PER_MINUTE / 60, arena.sizes.peak_seconds, CLIENTS, 0)
    ]
    return play(target.port, STEADY, data.DATABASE, CLIENTS, plan)


def _report_entries(
    result: Result,
    measured: list[Measured],
    resident: dict[str, int],
    latencies: dict[str, Latencies],
) -> None:
    names = list(resident)
    rows = []
    for one in measured:
        cost = {name: one.proxy_us(name) for name in names}
        rows += [
            (
                f"{name} entries, {one.shape.title} asked",
                number(cost[name].median),
                times(cost[name].over(cost[names[0]])),
                per_second(one.rates(name)),
                f"{100 * one.hit_share(name).median:.1f} %",
                number(resident[name] / 2**20),
                number(latencies[name].percentile(0.99)) if name in latencies else "",
                number(latencies[name].percentile(1.0)) if name in latencies else "",
            )
            for name in names
        ]
        result.data[one.shape.title] = one.as_json()
        figure = "same" if one is measured[0] else "any"
        if names[-1] == "1,000,000":
            result.figure(f"growth/entries/{figure}", cost[names[-1]].over(cost[names[0]]).median)
    result.data["resident_bytes"] = resident
    result.data["latencies"] = {name: one.as_json() for name, one in latencies.items()}
    columns = ("prepared, 8 clients", "pgcache CPU µs", "against the least", "hits /s", "hits")
    more = ("resident MB", "p99 ms", "most ms")
    caption = (
        f"latencies at {PER_MINUTE:,} queries a minute, every tenth a miss; each size is a process "
        "of its own, and they take turns"
    )
    title = "i. Hit cost with the number of entries"
    result.sheets.append(Sheet(title, (*columns, *more), tuple(rows), caption))


# -- relations


def _partitions(count: int) -> str:
    parts = "".join(
        f"CREATE TABLE parts_{count}_{n} PARTITION OF parts_{count} FOR VALUES IN ({n});\n"
        for n in range(count)
    )
    return (
        f"CREATE TABLE parts_{count} (part integer, amount integer) PARTITION BY LIST (part);\n"
        f"{parts}INSERT INTO parts_{count} SELECT n, n FROM generate_series(0, {count - 1}) AS n;\n"
        f"GRANT SELECT ON parts_{count} TO public;\n"
    )


def _measure_relations(arena: Arena, result: Result) -> None:
    arena.say("making partitions")
    for count in arena.sizes.relations:
        arena.origin.execute(_partitions(count))
    with arena.targets([HIT], 8) as targets:

        def run(_: str, work: Work, repeats: int) -> Sample:
            assert isinstance(work, Job)
            return arena.pgbench.run(targets[HIT], work, repeats)

        shapes = [
            Shape(f"{n:,}", Job(f"SELECT count(*) AS n FROM parts_{n};\n", SIMPLE, 8), (HIT,))
            for n in arena.sizes.relations
        ]
        measured = _measure(arena, run, shapes)
    base = measured[0].proxy_us(HIT)
    rows = tuple(
        (
            f"{one.shape.title} partition{'s' * (one.shape.title != '1')}",
            number(one.proxy_us(HIT).median),
            times(one.proxy_us(HIT).over(base)),
            per_second(one.rates(HIT)),
            f"{100 * one.hit_share(HIT).median:.1f} %",
        )
        for one in measured
    )
    last = measured[-1].proxy_us(HIT).over(base)
    result.figure("growth/relations", last.median)
    result.data["relations"] = [one.as_json() for one in measured]
    columns = ("a table of", "pgcache CPU µs", "against the least", "hits /s", "hits")
    title = "i. Hit cost with the number of relations that a query reads"
    result.sheets.append(Sheet(title, columns, rows, "simple, 8 clients"))


# -- texts


def _measure_texts(arena: Arena, result: Result) -> None:
    base = "SELECT id, name, amount FROM accounts WHERE id = 57 AND name <> '"
    shapes = [
        Shape(f"{kb:,} kB", Fetch(f"{base}{'x' * (1000 * kb)}'".encode()), (DIRECT, HIT))
        for kb in arena.sizes.text_kb
    ]
    with arena.targets([DIRECT, HIT], 8) as targets, Fetcher(data.DATABASE) as fetcher:

        def run(name: str, work: Work, repeats: int) -> Sample:
            assert isinstance(work, Fetch)
            return fetcher.run(targets[name], work, repeats)

        measured = _measure(arena, run, shapes)
    rows = tuple(
        (
            one.shape.title,
            number(one.proxy_us(HIT).median),
            per_second(one.rates(DIRECT)),
            per_second(one.rates(HIT)),
            times(one.ratio(HIT)),
            f"{100 * one.hit_share(HIT).median:.1f} %",
        )
        for one in measured
    )
    result.data["texts"] = [one.as_json() for one in measured]
    columns = ("a text of", "pgcache CPU µs", "direct /s", "hits /s", "over direct", "hits")
    title = "i. Hit cost with the length of the query's text"
    result.sheets.append(Sheet(title, columns, rows, "simple, one client that only counts bytes"))

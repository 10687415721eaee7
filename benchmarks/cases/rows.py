"""Cases a and c: one row by its primary key, from the cache and forwarded, against the peers.

Hits and forwards take turns in the same rounds, so that all ratios are of the same moments.
"""

from __future__ import annotations

from collections.abc import Collection

from benchmarks.arena import PGBOUNCER, PGPOOL, REDIS, TITLES, Arena, Result, redis_sample
from benchmarks.pgbench import PREPARED, PROTOCOLS, SIMPLE, Job, Sample, Target
from benchmarks.sheets import Sheet, number, per_second, times
from benchmarks.throughput import (
    DIRECT,
    DISABLED,
    FEW_KEYS,
    HIT,
    MANY_KEYS,
    MODE_OFF,
    RANDOM_ROW,
    Measured,
    Shape,
    Work,
    count,
    fill,
    measure,
)


def measure_rows(arena: Arena) -> Result:
    """Both cases, or the one that is wanted."""
    shapes = plan(arena.sizes.clients, arena.wanted)
    names = {name for shape in shapes for name in shape.targets}
    with arena.targets(names, max(arena.sizes.clients)) as targets:
        if HIT in targets:
            arena.say("filling pgcache")
            fill(arena.pgbench, targets[HIT])
        if PGPOOL in targets:
            arena.say("filling Pgpool-II")
            fill(arena.pgbench, targets[PGPOOL])

        def run(name: str, work: Work, repeats: int) -> Sample:
            return take(arena, targets[name], work, repeats)

        measured = measure(
            run,
            only(shapes, targets),
            rounds=arena.sizes.rounds,
            seconds=arena.sizes.seconds,
            budget=arena.budget("a"),
            report=arena.say,
        )
    return report_rows(measured, arena.wanted)


def plan(clients: tuple[int, ...], wanted: Collection[str]) -> list[Shape]:
    """What is run against what; ``wanted``: letters of cases."""
    shapes = []
    for many in clients:
        for protocol in PROTOCOLS:
            targets = [DIRECT, PGBOUNCER]
            if "a" in wanted:
                targets += [PGPOOL, HIT]
                targets += [REDIS] if many in (8, 64) and protocol == SIMPLE else []
            if "c" in wanted:
                targets += [MODE_OFF]
                targets += [DISABLED] if many == 8 else []
            job = Job(RANDOM_ROW, protocol, many, {"keys": FEW_KEYS})
            shapes.append(Shape(f"{protocol}, {count(many)}", job, tuple(targets)))
    if "a" in wanted:
        for protocol in (SIMPLE, PREPARED):
            job = Job(RANDOM_ROW, protocol, 8, {"keys": MANY_KEYS})
            title = f"{protocol}, 8 clients, {MANY_KEYS:,} keys"
            shapes.append(Shape(title, job, (DIRECT, PGPOOL, HIT)))
    return shapes


def only(shapes: list[Shape], targets: dict[str, Target]) -> list[Shape]:
    """The shapes without the targets that are not there."""
    return [
        Shape(shape.title, shape.job, tuple(name for name in shape.targets if name in targets))
        for shape in shapes
    ]


def take(arena: Arena, target: Target, work: Work, repeats: int) -> Sample:
    """One sample of what pgbench or redis-benchmark does."""
    if target.name == REDIS:
        return redis_sample(target, work.clients, repeats)
    assert isinstance(work, Job)
    return arena.pgbench.run(target, work, repeats)


def report_rows(measured: list[Measured], wanted: Collection[str]) -> Result:
    """Tables and figures of both cases."""
    result = Result(data={"rows": [one.as_json() for one in measured]})
    rounds = min(len(one.rates(DIRECT).values) for one in measured)
    caption = f"medians (least to most) of {rounds} rounds; pgbench and servers share the cores"
    if "a" in wanted:
        result.sheets.append(_hits(measured, caption))
    if "c" in wanted:
        result.sheets.append(_forwards(measured, caption))
    for one in measured:
        job = one.shape.job
        assert isinstance(job, Job)
        if job.variables["keys"] != FEW_KEYS:
            continue
        name = f"{job.protocol}/{job.clients}"
        for base in (DIRECT, PGPOOL, PGBOUNCER, REDIS):
            result.figure(f"hit/{name}/{base}", one.ratio(HIT, base).median)
            result.figure(f"forward/{name}/{base}", one.ratio(DISABLED, base).median)
            result.figure(f"off/{name}/{base}", one.ratio(MODE_OFF, base).median)
    return result


def _hits(measured: list[Measured], caption: str) -> Sheet:
    names = (DIRECT, PGBOUNCER, PGPOOL, REDIS, HIT)
    columns = ("one row from the cache", *(f"{TITLES[name]} /s" for name in names))
    more = ("over direct", "over Pgpool-II", "over Redis", "hits", "pgcache CPU µs")
    rows = [
        (
            one.shape.title,
            *(per_second(one.rates(name)) for name in names),
            *(times(one.ratio(HIT, base)) for base in (DIRECT, PGPOOL, REDIS)),
            f"{100 * one.hit_share(HIT).median:.1f} %",
            number(one.proxy_us(HIT).median),
        )
        for one in measured
    ]
    title = f"a. A hit of one row by primary key ({FEW_KEYS} keys unless said)"
    return Sheet(title, (*columns, *more), tuple(rows), caption)


def _forwards(measured: list[Measured], caption: str) -> Sheet:
    names = (DIRECT, PGBOUNCER, MODE_OFF, DISABLED)
    columns = ("one row forwarded", *(f"{TITLES[name]} /s" for name in names))
    more = (
        "mode=off over direct",
        "mode=off over PgBouncer",
        "enabled=false over PgBouncer",
        "mode=off CPU µs",
        "PgBouncer CPU µs",
    )
    rows = [
        (
            one.shape.title,
            *(per_second(one.rates(name)) for name in names),
            times(one.ratio(MODE_OFF)),
            times(one.ratio(MODE_OFF, PGBOUNCER)),
            times(one.ratio(DISABLED, PGBOUNCER)),
            number(one.proxy_us(MODE_OFF).median),
            number(one.proxy_us(PGBOUNCER).median),
        )
        for one in measured
        if MODE_OFF in one.samples
    ]
    title = "c. The same row forwarded: caching off by session, and by configuration"
    return Sheet(title, (*columns, *more), tuple(rows), caption)

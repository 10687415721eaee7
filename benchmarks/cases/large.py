"""Cases b and g: 1 000 rows, 10 MB and a million rows, from the cache and forwarded.

1 000 rows go to pgbench. Larger results go to a client that only counts bytes, so that nothing
but the servers is measured; each server's first answer is compared with PostgreSQL's own.
"""

from __future__ import annotations

from benchmarks.arena import PGBOUNCER, PGPOOL, TITLES, Arena, Result
from benchmarks.cases.rows import only, take
from benchmarks.pgbench import Sample
from benchmarks.raw import Fetch, Fetcher
from benchmarks.sheets import Sheet, number, per_second, times
from benchmarks.throughput import (
    DIRECT,
    HIT,
    MODE_OFF,
    Measured,
    Shape,
    Work,
    many_rows_shapes,
    measure,
)
from pgcache.demo import data

_TARGETS = (DIRECT, PGBOUNCER, PGPOOL, HIT, MODE_OFF)
_WIDE = """
CREATE TABLE wide AS SELECT n AS id, repeat(md5(n::text), 31) AS filler
FROM generate_series(1, 10000) AS n;
VACUUM (ANALYZE) wide;
GRANT SELECT ON wide TO public;
"""
_TEN_MB = b"SELECT id, filler FROM wide"
_POOL_BLOCK_MB = 16
_CLIENTS = 72  # what logins cost is measured with 64
# Both get room for what is larger than an entry may be by default.
_ROOM = {"STORE__MAX_BYTES": "1GB", "STORE__MAX_ENTRY_BYTES": "256MB"}


def measure_large(arena: Arena) -> Result:
    """Case b."""
    arena.say("making rows")
    arena.origin.execute(_WIDE)
    wide = Shape("10 MB, one client", Fetch(_TEN_MB), _TARGETS)
    shapes = [Shape(one.title, one.job, _TARGETS) for one in many_rows_shapes()]
    rows = _measure(arena, shapes, "b", block_mb=1)
    large = _measure(arena, [wide], "b", block_mb=_POOL_BLOCK_MB)
    result = Result(data={"large": [one.as_json() for one in (*rows, *large)]})
    result.sheets.append(_sheet("b. Hits and forwards of 1,000 rows and of 10 MB", [*rows, *large]))
    simple = rows[0]
    for base in (DIRECT, PGPOOL, PGBOUNCER):
        result.figure(f"hit/1000 rows/{base}", simple.ratio(HIT, base).median)
        result.figure(f"off/1000 rows/{base}", simple.ratio(MODE_OFF, base).median)
    return result


def measure_million(arena: Arena) -> Result:
    """Case g."""
    arena.say("making a million rows")
    arena.origin.execute(build_readings(arena.sizes.million))
    fetch = Fetch(b"SELECT id, name, amount, at FROM readings")
    shape = Shape(
        f"{arena.sizes.million:,} rows, one client", fetch, (DIRECT, PGBOUNCER, HIT, MODE_OFF)
    )
    measured = _measure(arena, [shape], "g", block_mb=1)
    result = Result(data={"million": [one.as_json() for one in measured]})
    result.sheets.append(_sheet("g. A large result streamed", measured))
    result.figure("hit/million rows/direct", measured[0].ratio(HIT).median)
    result.figure("forward/million rows/direct", measured[0].ratio(MODE_OFF).median)
    return result


def build_readings(rows: int) -> str:
    """SQL of a table with so many rows of about 60 bytes, by primary key."""
    return f"""
CREATE TABLE IF NOT EXISTS readings (id integer PRIMARY KEY, name text, amount numeric(12,2),
                                     at timestamptz);
INSERT INTO readings SELECT n, 'Reading ' || n, n * 1.25, '2026-01-01'::timestamptz + n * interval
'1 second' FROM generate_series(1, {rows}) AS n ON CONFLICT DO NOTHING;
VACUUM (ANALYZE) readings;
GRANT SELECT ON readings TO public;
"""


def _measure(arena: Arena, shapes: list[Shape], letter: str, *, block_mb: int) -> list[Measured]:
    names = {name for shape in shapes for name in shape.targets}
    started = arena.targets(names, _CLIENTS, block_mb=block_mb, **_ROOM)
    with started as targets, Fetcher(data.DATABASE) as fetcher:

        def run(name: str, work: Work, repeats: int) -> Sample:
            if isinstance(work, Fetch):
                return fetcher.run(targets[name], work, repeats)
            return take(arena, targets[name], work, repeats)

        return measure(
            run,
            only(shapes, targets),
            rounds=arena.sizes.rounds,
            seconds=arena.sizes.seconds,
            budget=arena.budget(letter),
            report=arena.say,
        )


def _sheet(title: str, measured: list[Measured]) -> Sheet:
    names = tuple(name for name in _TARGETS if any(name in one.samples for one in measured))
    columns = ("result", *(f"{TITLES[name]} /s" for name in names))
    more = ("hit over direct", "hit over Pgpool-II", "mode=off over direct", "over PgBouncer")
    rows = [
        (
            one.shape.title,
            *(per_second(one.rates(name)) for name in names),
            times(one.ratio(HIT)),
            times(one.ratio(HIT, PGPOOL)),
            times(one.ratio(MODE_OFF)),
            times(one.ratio(MODE_OFF, PGBOUNCER)),
            f"{100 * one.hit_share(HIT).median:.0f} %",
            number(one.proxy_us(HIT).median / 1000),
            number(one.proxy_us(MODE_OFF).median / 1000),
        )
        for one in measured
    ]
    last = ("hits", "hit CPU ms", "mode=off CPU ms")
    rounds = min(len(one.rates(DIRECT).values) for one in measured)
    caption = f"results a second, medians (least to most) of {rounds} rounds"
    return Sheet(title, (*columns, *more, *last), tuple(rows), caption)

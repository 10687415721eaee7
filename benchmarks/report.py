"""Tables and the file of results. Measures nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isnan
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import Moment
from benchmarks.samples import Series
from benchmarks.scenes import Cold, Idle, Stampede
from benchmarks.throughput import CANNED, DIRECT, DISABLED, FEW_KEYS, HIT, MODE_OFF, Measured


def rate(series: Series) -> str:
    """A median with its range, in thousands where they are many."""
    if not series.values:
        return ""
    unit, suffix = (1000.0, "k") if series.median >= 10_000 else (1.0, "")
    digits = 1 if suffix else 0
    low, high = (f"{value / unit:,.{digits}f}" for value in (series.low, series.high))
    return f"{series.median / unit:,.{digits}f}{suffix} [dim]{low}–{high}[/]"


def ratio(series: Series) -> str:
    """A median of ratios with its range."""
    if not series.values:
        return ""
    return f"{series.median:.2f}x [dim]{series.low:.2f}–{series.high:.2f}[/]"


def _plain(series: Series, digits: int = 0) -> str:
    return "" if isnan(series.median) else f"{series.median:,.{digits}f}"


def _rounds(measured: list[Measured]) -> str:
    count = min(len(one.rates(DIRECT).values) for one in measured)
    return f"medians, least and most of {count} rounds"


def hits_table(measured: list[Measured]) -> Table:
    """Case a."""
    table = Table(title=f"One row by primary key, from the cache ({FEW_KEYS} keys unless said)")
    table.caption = _rounds(measured)
    table.add_column("protocol", no_wrap=True)
    for name in ("direct /s", "hit /s", "over direct", "hits", "pgcache CPU µs", "pgbench CPU µs"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in measured:
        table.add_row(
            one.shape.title,
            rate(one.rates(DIRECT)),
            rate(one.rates(HIT)),
            ratio(one.ratio(HIT)),
            f"{100 * one.hit_share(HIT).median:.1f} %",
            _plain(one.proxy_us(HIT), 1),
            _plain(one.client_us(HIT), 1),
        )
    return table


def forwards_table(measured: list[Measured]) -> Table:
    """Case b."""
    table = Table(title="The same row, forwarded: caching off by session, by configuration")
    table.caption = _rounds(measured)
    table.add_column("protocol", no_wrap=True)
    for name in ("direct /s", "mode=off /s", "over direct", "enabled=false", "pgcache CPU µs"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in measured:
        if MODE_OFF in one.samples:
            table.add_row(
                one.shape.title,
                rate(one.rates(DIRECT)),
                rate(one.rates(MODE_OFF)),
                ratio(one.ratio(MODE_OFF)),
                ratio(one.ratio(DISABLED)) if DISABLED in one.samples else "",
                _plain(one.proxy_us(MODE_OFF), 1),
            )
    return table


def limits_table(measured: list[Measured]) -> Table:
    """How fast pgbench could have been with 8 clients."""
    table = Table(title="The client's limit: no server can make pgbench faster than this")
    for name in ("shape", "pgbench on a core of its own /s", "against canned answers /s", "hit /s"):
        table.add_column(name, justify="left" if name == "shape" else "right")
    for one in measured:
        if CANNED in one.samples:
            table.add_row(
                one.shape.title,
                _plain(Series.of(1e6 / us for us in one.client_us(HIT).values if us > 0)),
                rate(one.rates(CANNED)),
                rate(one.rates(HIT)),
            )
    return table


def many_rows_table(measured: list[Measured]) -> Table:
    """Case c."""
    table = Table(title="1,000 rows: results a second, and over direct")
    table.add_column("protocol, clients")
    table.caption = _rounds(measured)
    for name in ("direct /s", "hit /s", "hit", "hits", "mode=off /s", "mode=off"):
        table.add_column(name, justify="right")
    for one in measured:
        table.add_row(
            one.shape.title,
            rate(one.rates(DIRECT)),
            rate(one.rates(HIT)),
            ratio(one.ratio(HIT)),
            f"{100 * one.hit_share(HIT).median:.1f} %",
            rate(one.rates(MODE_OFF)),
            ratio(one.ratio(MODE_OFF)),
        )
    return table


def connections_table(measured: list[Measured]) -> Table:
    """Case e."""
    table = Table(title="Connect, authenticate (SCRAM), one hit, disconnect: a second")
    table.caption = _rounds(measured)
    table.add_column("clients")
    for name in ("direct /s", "pgcache /s", "over direct", "hits", "CPU µs of pgcache"):
        table.add_column(name, justify="right")
    for one in measured:
        table.add_row(
            one.shape.title,
            rate(one.rates(DIRECT)),
            rate(one.rates(HIT)),
            ratio(one.ratio(HIT)),
            f"{100 * one.hit_share(HIT).median:.1f} %",
            _plain(one.proxy_us(HIT)),
        )
    return table


def cold_table(measured: list[Cold]) -> Table:
    """Case d."""
    table = Table(title="A cold dashboard query: what a miss adds")
    table.add_column("a miss by")
    for name in ("rounds", "direct ms", "through pgcache ms", "added ms", "added", "misses"):
        table.add_column(name, justify="right")
    for cold in measured:
        added = cold.added_per_cent
        table.add_row(
            cold.title,
            str(len(cold.direct.values)),
            rate(cold.direct),
            rate(cold.through),
            f"{cold.added_ms.median:+.1f}",
            f"{added.median:+.1f} % [dim]{added.low:+.1f}–{added.high:+.1f}[/]",
            f"{100 * cold.misses:.0f} %",
        )
    return table


def idle_line(idle: Idle) -> str:
    """Case f."""
    empty, first, everyone = (
        f"{size / 2**20:.1f} MB" for size in (idle.empty_bytes, idle.first_bytes, idle.all_bytes)
    )
    return (
        f"Resident memory: {empty} without clients, {first} with {idle.first}, {everyone} with "
        f"{idle.clients:,} idle ones: [bold]{idle.bytes_per_client / 1024:.1f} kB[/] for each "
        f"beyond the first {idle.first}."
    )


def stampede_line(stampede: Stampede) -> str:
    """Case g."""
    return (
        f"Stampede: {stampede.clients} clients asked one cold question at once, which takes "
        f"{stampede.alone_ms:,.0f} ms alone. PostgreSQL ran it [bold]{stampede.executions}[/] "
        f"time(s); the median client had its answer after {stampede.median_ms:,.0f} ms, the last "
        f"after {stampede.last_ms:,.0f} ms ({stampede.followers} followers)."
    )


def warn(console: Console, title: str, moment: Moment) -> None:
    """Say how busy the machine is, loudly if it is."""
    console.print(f"{title}: {moment}.")
    if moment.is_busy:
        console.print(
            "[bold yellow]This machine is busy with other things: the figures are low and "
            "uneven. Ratios within one round suffer less.[/]"
        )


def write(path: Path, results: dict[str, object], moments: dict[str, Moment]) -> None:
    """Everything measured, for machines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    busy = {name: {**asdict(moment), "busy": moment.is_busy} for name, moment in moments.items()}
    path.write_text(json.dumps({**results, "moments": busy}, indent=1) + "\n")

"""A running proxy's figures for a terminal: made of rich's tables, from values alone."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pgcache.admin.words import format_seconds
from pgcache.cli.figures import Figures, Row

_SHOWN = 10
_TONES = {"hit": "green", "up": "green", "miss": "dim", "idle": "dim", "down": "red"}


def build_panels(now: Figures, before: Figures | None = None, seconds: float = 0.0) -> Group:
    """All of it. ``before``: what was ``seconds`` ago, for rates."""
    parts: list[RenderableType] = [_summary(now, before, seconds)]
    if now.queries:
        parts += ["", _queries(now.queries)]
    if now.reasons:
        parts += ["", _reasons(now.reasons)]
    if now.sources:
        parts += ["", _sources(now.sources)]
    return Group(*parts)


def _summary(now: Figures, before: Figures | None, seconds: float) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(3):
        table.add_column(style="dim", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)

    def rate(name: str) -> str:
        if before is None or seconds <= 0:
            return ""
        return f" ({max(0.0, now.number(name) - before.number(name)) / seconds:,.1f}/s)"

    used = now.number("entry_bytes") / (now.number("max_bytes") or 1)
    rows: tuple[tuple[str, str], ...] = (
        ("hit ratio", f"{now.number('hit_ratio'):.1%}"),
        ("hits", f"{now.number('hits'):,.0f}{rate('hits')}"),
        ("clients", f"{now.number('clients'):,.0f}"),
        ("time saved", f"{format_seconds(now.number('saved_seconds'))}"),
        ("misses", f"{now.number('misses'):,.0f}{rate('misses')}"),
        ("entries", f"{now.number('entries'):,.0f}"),
        ("state", "paused" if now.stats.get("paused") else "running"),
        ("not cacheable", f"{now.number('bypass'):,.0f}{rate('bypass')}"),
        ("memory", f"{now.number('entry_bytes') / 2**20:,.1f} MB, {used:.0%}"),
    )
    if now.number("shadow_hits") or now.number("shadow_misses"):
        rows += (
            ("shadow hit ratio", f"{now.number('shadow_hit_ratio'):.1%}"),
            ("shadow hits", f"{now.number('shadow_hits'):,.0f}{rate('shadow_hits')}"),
            ("would have saved", format_seconds(now.number("shadow_saved_seconds"))),
        )
    for at in range(0, len(rows), 3):
        table.add_row(*(cell for name, value in rows[at : at + 3] for cell in (name, value)))
    return table


def _queries(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, title="hottest queries", title_justify="left")
    for name in ("saved", "in PostgreSQL", "calls", "hits"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("last", no_wrap=True)
    table.add_column("query", ratio=1)  # the only column that gives way
    for row in rows[:_SHOWN]:
        table.add_row(
            format_seconds(row["saved_ms"] / 1000),
            format_seconds(row["origin_ms"] / 1000),
            f"{row['calls']:,}",
            f"{row['hits'] / (row['calls'] or 1):.0%}",
            _toned(row["last"]),
            Text(str(row["query"]), no_wrap=True, overflow="ellipsis"),
        )
    return table


def _reasons(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, title="not served, because", title_justify="left")
    table.add_column("times", justify="right", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    table.add_column("what to do", ratio=1)
    for row in sorted(rows, key=lambda row: -int(row["count"]))[:_SHOWN]:
        table.add_row(f"{row['count']:,}", Text(str(row["reason"])), Text(str(row["remedy"])))
    return table


def _sources(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, title="change sources", title_justify="left")
    for name in ("source", "database", "state", "changes", "lag", "detail"):
        table.add_column(name)
    for row in rows:
        lag = row["lag_s"]
        table.add_row(
            Text(str(row["source"])),
            Text(str(row["database"] or "all")),
            _toned(row["state"]),
            "" if row["changes"] is None else f"{row['changes']:,}",
            "" if lag is None else format_seconds(float(lag)),
            Text(str(row["detail"] or "")),
        )
    return table


def _toned(word: object) -> Text:
    return Text(str(word), style=_TONES.get(str(word), "yellow"))

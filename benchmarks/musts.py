"""What pgcache has to show against its peers, and whether it did. Measures nothing.

A figure is the median of the ratios of one run's rounds, or one value; cases name their figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from benchmarks.sheets import Sheet, number


class Bound(Enum):
    """Which side of the bound is good."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True)
class Must:
    """One promise. ``figure``: what a case calls it. ``unit`` is shown behind the numbers."""

    title: str
    figure: str
    bound: float
    unit: str = "x"
    side: Bound = Bound.AT_LEAST


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise and what was measured; None where it was not, ``why`` then says why."""

    must: Must
    measured: float | None
    why: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether it was kept; None where nothing was measured."""
        if self.measured is None:
            return None
        if self.must.side is Bound.AT_LEAST:
            return self.measured >= self.must.bound
        return self.measured <= self.must.bound

    def __str__(self) -> str:
        if self.measured is None:
            return f"not measured: {self.why}"
        if self.holds:
            return "holds"
        if self.must.side is Bound.AT_LEAST:
            return f"falls short by {100 * (1 - self.measured / self.must.bound):.0f} %"
        return f"over by {100 * (self.measured / self.must.bound - 1):.0f} %"

    def as_json(self) -> dict[str, object]:
        """For the file of results."""
        return {
            "case": self.must.title,
            "bound": f"{self.must.side.value} {self.must.bound:g}{self.must.unit}",
            "measured": self.measured,
            "holds": self.holds,
            "verdict": str(self),
        }


_MOST = Bound.AT_MOST

MUSTS = (
    Must("hit, one row, simple, 8 clients, over direct", "hit/simple/8/direct", 3.0),
    Must("… over Pgpool-II's cache hits", "hit/simple/8/pgpool", 2.0),
    Must("… over redis-benchmark GET", "hit/simple/8/redis", 1.2),
    Must("hit, one row, simple, 64 clients, over direct", "hit/simple/64/direct", 6.0),
    Must("… over Pgpool-II's cache hits", "hit/simple/64/pgpool", 3.0),
    Must("hit, one row, prepared, 8 clients, over direct", "hit/prepared/8/direct", 1.5),
    Must("… over Pgpool-II's cache hits", "hit/prepared/8/pgpool", 5.0),
    Must("hit of 1,000 rows, over direct", "hit/1000 rows/direct", 2.5),
    Must("… over Pgpool-II's cache hits", "hit/1000 rows/pgpool", 1.6),
    Must("hit, one row, simple, one client, over direct", "hit/simple/1/direct", 1.6),
    Must("forward, one row, simple, over PgBouncer", "forward/simple/8/pgbouncer", 0.8),
    Must("forward, one row, prepared, over PgBouncer", "forward/prepared/8/pgbouncer", 0.8),
    Must("… caching on, session off: simple", "off/simple/8/pgbouncer", 0.8),
    Must("… caching on, session off: prepared", "off/prepared/8/pgbouncer", 0.8),
    Must("1,000,000 rows forwarded, over direct", "forward/million rows/direct", 0.7),
    Must("1,000,000 rows from the cache, over direct", "hit/million rows/direct", 1.5),
    Must("connect (SCRAM), one hit, disconnect: 1 client, over direct", "connect/1/direct", 0.8),
    Must("… 8 clients", "connect/8/direct", 0.8),
    Must("cold dashboard query, over direct", "cold/direct", 0.97),
    Must("hit latency at 10,000 queries a minute, p50", "peak/p50", 1.0, " ms", _MOST),
    Must("… p99", "peak/p99", 10.0, " ms", _MOST),
    Must(
        "hit cost with 1,000,000 entries against 10, the same ten asked",
        "growth/entries/same",
        1.2,
        side=_MOST,
    ),
    Must("… any of them asked", "growth/entries/any", 1.2, side=_MOST),
    Must("memory per idle client beyond the first 100", "idle/kB", 40.0, " kB", _MOST),
)


def judge(figures: Mapping[str, float], missing: str = "its case was not run") -> list[Verdict]:
    """Hold what was measured against all promises."""
    found = ((must, figures.get(must.figure)) for must in MUSTS)
    return [Verdict(must, value, "" if value is not None else missing) for must, value in found]


def verdict_sheet(verdicts: list[Verdict]) -> Sheet:
    """The table of promises."""
    rows = []
    for verdict in verdicts:
        must = verdict.must
        measured = "" if verdict.measured is None else number(verdict.measured, must.unit)
        bound = f"{must.side.value} {must.bound:g}{must.unit}"
        rows.append((must.title, bound, measured, str(verdict)))
    kept = sum(verdict.holds is True for verdict in verdicts)
    judged = sum(verdict.holds is not None for verdict in verdicts)
    return Sheet(
        "What has to be shown",
        ("case", "bound", "measured", "verdict"),
        tuple(rows),
        f"{kept} of {judged} measured hold; medians of ratios within one run",
    )

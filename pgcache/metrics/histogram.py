"""How long things took, as counts in buckets; nothing is kept of the single case."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

# From a hit in memory to a report over a year of data, in seconds.
BOUNDS = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)


class Histogram:
    """Counts of what took up to each bound, in seconds, and of what took longer."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, *bounds: float) -> None:
        self.bounds = tuple(sorted(bounds)) or BOUNDS
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def __repr__(self) -> str:
        return f"<Histogram {self.count} of {self.sum:.6g} s>"

    def observe(self, seconds: float) -> None:
        """Count one case."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    @property
    def count(self) -> int:
        """How many cases."""
        return sum(self.counts)

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound with the cases that took no longer; the last bound is infinite."""
        total = 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            total += count
            yield bound, total

    def quantile(self, part: float) -> float:
        """An upper bound of the time that ``part`` (0 to 1) of the cases took no longer than.

        0 where there was no case, infinite where it is past the last bound.
        """
        wanted = part * self.count
        if not wanted:
            return 0.0
        return next(bound for bound, total in self.cumulative() if total >= wanted)

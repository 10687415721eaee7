"""Figures of several rounds: medians, ranges, ratios. Knows nothing of what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from statistics import median


@dataclass(frozen=True, slots=True)
class Series:
    """The same thing measured once a round."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Series:
        """A series of these figures."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """What is reported; NaN where nothing was measured, in no round."""
        return median(self.known) if self.known else float("nan")

    @property
    def known(self) -> tuple[float, ...]:
        """The values of the rounds that gave one."""
        return tuple(value for value in self.values if not isnan(value))

    @property
    def low(self) -> float:
        """The least."""
        return min(self.known, default=float("nan"))

    @property
    def high(self) -> float:
        """The most."""
        return max(self.known, default=float("nan"))

    def over(self, base: Series) -> Series:
        """The ratios to another series, round by round: what two rounds share cancels out."""
        pairs = zip(self.values, base.values, strict=True)
        return Series.of(ours / theirs for ours, theirs in pairs)

    def as_json(self) -> dict[str, float | list[float]]:
        """For the file of results."""
        return {
            "median": self.median,
            "min": self.low,
            "max": self.high,
            "rounds": list(self.values),
        }

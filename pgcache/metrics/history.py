"""The last hour in samples: what charts are drawn from. Sums in, rates out.

Knows nothing of clocks or of how it is drawn; whoever samples gives the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

INTERVAL = 10.0  # seconds between samples
KEPT = 360  # intervals: one hour


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums at one moment. ``at``: monotonic seconds; ``saved``: seconds of the origin's time."""

    at: float
    hits: int  # with those who shared an execution
    misses: int
    passes: int
    saved: float


@dataclass(frozen=True, slots=True)
class Span:
    """What happened between two samples. ``ratio`` is None where nothing was looked up."""

    at: float
    seconds: float
    hits: int
    asked: int
    saved: float

    @property
    def ratio(self) -> float | None:
        """Part of what was looked up that did not reach the origin, 0 to 1."""
        return self.hits / self.asked if self.asked else None

    @property
    def saved_rate(self) -> float:
        """Seconds of the origin's time saved in each second."""
        return self.saved / self.seconds if self.seconds else 0.0


class History:
    """The samples of the last hour."""

    __slots__ = ("_samples",)

    def __init__(self, kept: int = KEPT) -> None:
        self._samples: deque[Sample] = deque(maxlen=kept + 1)

    def add(self, sample: Sample) -> None:
        """One more."""
        self._samples.append(sample)

    def spans(self) -> Iterator[Span]:
        """What happened from sample to sample; sums that went back (a restart) count as none."""
        for before, after in pairwise(self._samples):
            hits = max(0, after.hits - before.hits)
            misses = max(0, after.misses - before.misses)
            saved = max(0.0, after.saved - before.saved)
            yield Span(after.at, after.at - before.at, hits, hits + misses, saved)

    def whole(self) -> Span | None:
        """All of it as one span; None while there are no two samples."""
        spans = list(self.spans())
        if not spans:
            return None
        return Span(
            spans[-1].at,
            sum(span.seconds for span in spans),
            sum(span.hits for span in spans),
            sum(span.asked for span in spans),
            sum(span.saved for span in spans),
        )

"""What was invalidated, by source and tag, and when each tag moved last.

One object a database; ``Engine.invalidated`` is the door. Bounded, since hints let clients make up
tags: what comes after the bound is counted under everything. Knows nothing of what tags mean.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from pgcache.metrics.counters import Source

_MAX_TAGS = 2_000

EVERYTHING = None


class Moves:
    """Counts by source and tag; the tag None is everything. Times are the caller's clock's."""

    __slots__ = ("_counts", "_max_tags", "_moved_at")

    def __init__(self, *, max_tags: int = _MAX_TAGS) -> None:
        self._counts: dict[tuple[Source, Hashable], int] = {}
        self._moved_at: dict[Hashable, float] = {}
        self._max_tags = max_tags

    def note(self, source: Source, tags: Iterable[Hashable] | None, now: float) -> None:
        """``tags`` (None: everything) moved."""
        for tag in (EVERYTHING,) if tags is None else tags:
            known = tag if tag in self._moved_at or self._has_room else EVERYTHING
            self._moved_at[known] = now
            self._counts[source, known] = self._counts.get((source, known), 0) + 1

    @property
    def _has_room(self) -> bool:
        return len(self._moved_at) < self._max_tags

    def counts(self) -> Iterator[tuple[Source, Hashable, int]]:
        """How often each tag moved, by source."""
        for (source, tag), count in self._counts.items():
            yield source, tag, count

    def moved_at(self, tag: Hashable) -> float | None:
        """When the tag moved last, also with everything; None where it never did."""
        times = [t for t in (self._moved_at.get(tag), self._moved_at.get(None)) if t is not None]
        return max(times, default=None)

    def latest(self, otherwise: float) -> float:
        """When anything moved last."""
        return max(self._moved_at.values(), default=otherwise)

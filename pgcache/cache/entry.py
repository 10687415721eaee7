"""An entry: one recorded reply, and what it needs to know whether it may still be served.

Holds the rows as the origin sent them, never ReadyForQuery or a command tag: those are made anew
for every client. Counterpart: ``proxy/`` records and replays entries, a ``Store`` keeps them.
Must not know: SQL, sessions, where it is kept.
"""

from __future__ import annotations

from array import array
from typing import Final, Protocol

from pgcache.cache.generations import Generations, Tag, Vector

# Bytes of Python objects around an entry's own bytes: 510 by tracemalloc for a stored entry of one
# relation (CPython 3.11), less for more relations, whose 40 bytes each are generous.
OVERHEAD: Final = 600
_STRIDE: Final = 32  # every so many rows one offset is kept: pages are found by a short walk


class Credited(Protocol):
    """Statistics that are told of an entry's hits."""

    def credit(self, hits: int, seconds: float, rows: int, size: int) -> None:
        """It answered ``hits`` times, which saved ``seconds`` of the origin's time each."""


class Entry:
    """A recorded reply.

    ``key``: the full key material, compared whole on a hit. ``row_description``: the whole
    RowDescription message with this entry's formats, or None where the origin was not asked for
    it (W-52). ``rows``: ``row_count`` whole DataRow messages. ``complete``: False for the prefix
    that a suspended portal gave (W-65). ``tags`` and ``vector``: what it depends on, as captured
    before the query was sent (T-11). ``stored_at`` and ``expires_at``: monotonic seconds; from
    ``expires_at`` until ``stale_until`` it may be served as stale, where that was asked for, and
    until ``kept_until`` (never earlier) while the origin cannot be reached.
    ``cost_ms``: how long the origin took. ``size``: bytes with overhead.

    ``checked_version``, ``hits`` and ``seen_hits`` are bookkeeping: the version of the
    generations at which it was last found current, how often it was served, and how often when
    the store last looked. ``note`` is for whoever shows entries (the query's text, say).
    Until ``look_at`` (monotonic seconds, never after ``expires_at``) it may be served without a
    thought for its future; ``looked_hits`` is how often it was served when last looked at.
    ``query`` is the statistics that its hits are credited to, ``credited`` how many were.
    ``shared``: the shared store's tokens that it was filled with, b'' without such a store.
    """

    __slots__ = (
        "_offsets",
        "checked_version",
        "complete",
        "cost_ms",
        "credited",
        "expires_at",
        "hits",
        "kept_until",
        "key",
        "look_at",
        "looked_hits",
        "note",
        "query",
        "row_count",
        "row_description",
        "rows",
        "seen_hits",
        "shared",
        "size",
        "stale_until",
        "stored_at",
        "tags",
        "vector",
    )

    def __init__(
        self,
        key: bytes,
        *,
        row_description: bytes | None,
        rows: bytes,
        row_count: int,
        complete: bool = True,
        tags: tuple[Tag, ...],
        vector: Vector,
        stored_at: float,
        expires_at: float,
        grace: float = 0.0,
        stale_if_error: float = 0.0,
        cost_ms: float = 0.0,
        note: str = "",
    ) -> None:
        self.key = key
        self.row_description = row_description
        self.rows = rows
        self.row_count = row_count
        self.complete = complete
        self.tags = tags
        self.vector = vector
        self.stored_at = stored_at
        self.expires_at = self.look_at = expires_at
        self.stale_until = expires_at + grace
        self.kept_until = expires_at + max(grace, stale_if_error)
        self.looked_hits = 0
        self.cost_ms = cost_ms
        self.note = note
        described = 0 if row_description is None else len(row_description)
        self.size = OVERHEAD + len(key) + described + len(rows) + 40 * len(vector) + len(note)
        self.checked_version = -1
        self.hits = 0
        self.seen_hits = 0
        self.query: Credited | None = None
        self.credited = 0
        self.shared = b""
        self._offsets: array[int] | None = None

    def __repr__(self) -> str:
        kind = "rows" if self.complete else "first rows"
        return f"<Entry {self.row_count} {kind}, {self.size} bytes, {self.hits} hits>"

    def is_live(self, generations: Generations, now: float) -> bool:
        """Whether this entry may be served at ``now``. HOT PATH: two compares as a rule."""
        return now < self.expires_at and self._is_current(generations)

    def is_stale(self, generations: Generations, now: float) -> bool:
        """Whether it has come of age and nothing else: it may be served in its grace (P3, P4)."""
        return self.expires_at <= now < self.stale_until and self._is_current(generations)

    def is_kept(self, generations: Generations, now: float) -> bool:
        """Whether it may be served at ``now`` while the origin cannot be reached (P6)."""
        return now < self.kept_until and self._is_current(generations)

    def _is_current(self, generations: Generations) -> bool:
        version = generations.version
        if self.checked_version == version:
            return True
        if not generations.is_current(self.tags, self.vector):
            return False
        self.checked_version = version
        return True

    def is_current_at(self, version: int) -> bool:
        """Whether it was found current at this version of the generations."""
        return self.checked_version == version

    def is_dead(self, generations: Generations, now: float) -> bool:
        """Whether this entry can never be served again (a locked one still may)."""
        return now >= self.kept_until or generations.has_moved(self.tags, self.vector)

    def kill(self) -> None:
        """Make this entry dead for everyone who still holds it (evicted, deleted, replaced)."""
        self.expires_at = self.stale_until = self.kept_until = self.look_at = float("-inf")
        self.credit()

    def credit(self) -> None:
        """Tell the query's statistics of the hits since the last time."""
        hits = self.hits - self.credited
        self.credited = self.hits
        if hits and self.query is not None:
            self.query.credit(hits, self.cost_ms / 1000, self.row_count, len(self.rows))

    def holds(self, limit: int) -> bool:
        """Whether all rows are here that an Execute with this row limit would get (W-65).

        ``limit`` 0 means no limit. At the end of a prefix nobody knows whether more would follow,
        but a limit equal to its length ends in PortalSuspended either way (W-51).
        """
        return self.complete or 0 < limit <= self.row_count

    def row_slice(self, start: int, count: int) -> memoryview:
        """The DataRow messages of rows ``start`` to ``start + count``, as far as they exist."""
        end = min(start + count, self.row_count)
        if start >= end:
            return memoryview(b"")
        return memoryview(self.rows)[self._offset(start) : self._offset(end)]

    def _offset(self, row: int) -> int:
        if row == 0:
            return 0
        if row >= self.row_count:
            return len(self.rows)
        if self._offsets is None:
            self._offsets = _index_rows(self.rows)
        rows = self.rows
        offset = self._offsets[row // _STRIDE]
        for _ in range(row % _STRIDE):
            offset += 1 + int.from_bytes(rows[offset + 1 : offset + 5], "big")
        return offset


def _index_rows(rows: bytes) -> array[int]:
    """Offsets of every ``_STRIDE``-th message (type byte, then a length that counts itself)."""
    offsets = array("Q")
    offset, row, end = 0, 0, len(rows)
    while offset < end:
        if row % _STRIDE == 0:
            offsets.append(offset)
        offset += 1 + int.from_bytes(rows[offset + 1 : offset + 5], "big")
        row += 1
    return offsets

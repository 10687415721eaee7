"""The seam between the proxy and wherever entries are kept, and the store that keeps nothing.

A store has five verbs and never decides lifetime or cacheability. Must not know: SQL, sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations
from pgcache.metrics.describe import counter, gauge


class Outcome(Enum):
    """What became of an entry that was to be stored."""

    STORED = auto()
    STALE = auto()  # something moved or is locked since its query was sent, or it has expired
    TOO_LARGE = auto()


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Counters since the store was made, and its fill; ``bytes`` and ``max_bytes`` in bytes."""

    entries: int = gauge("Entries in the store.")
    bytes: int = gauge("Bytes of all entries, with overhead.")
    max_bytes: int = gauge("Bytes that the store may hold.")
    stored: int = counter("Entries put into the store.")
    refused_stale: int = counter("Entries refused because something moved meanwhile.")
    refused_large: int = counter("Entries refused for their size.")
    evicted: int = counter("Entries evicted to make room.")
    expired: int = counter("Entries found past their lifetime.")
    moved: int = counter("Entries found invalidated.")
    deleted: int = counter("Entries deleted by order.")
    evictions_unused: int = counter("Evicted entries that nobody ever hit.")
    degraded: int = gauge("Whether (1) a shared store is out of reach and not used.")


class Store(Protocol):
    """Keeps entries by key. Nothing here waits: a tier that has to is asked elsewhere."""

    def get(self, key: bytes, generations: Generations, now: float) -> Entry | None:
        """Return the live entry of ``key``, or None."""

    def peek(self, key: bytes) -> Entry | None:
        """Return the entry of ``key``, live or not, or None."""

    def get_stale(self, key: bytes, generations: Generations, now: float) -> Entry | None:
        """Return the entry of ``key`` that is stale and nothing worse, or None."""

    def get_kept(self, key: bytes, generations: Generations, now: float) -> Entry | None:
        """Return the entry of ``key`` that may be served while the origin is lost, or None."""

    def put(self, entry: Entry, generations: Generations, now: float) -> Outcome:
        """Store ``entry`` if what it was captured on still stands (T-11), in place of an older."""

    def delete(self, key: bytes) -> bool:
        """Forget one entry; whether there was one."""

    def clear(self) -> int:
        """Forget all entries; how many there were."""

    def stats(self) -> StoreStats:
        """Return the counters."""


class NullStore:
    """The store that keeps nothing."""

    __slots__ = ()

    def get(self, key: bytes, generations: Generations, now: float) -> Entry | None:
        """Return None."""
        return None

    def peek(self, key: bytes) -> Entry | None:
        """Return None."""
        return None

    def get_stale(self, key: bytes, generations: Generations, now: float) -> Entry | None:
        """Return None."""
        return None

    def get_kept(self, key: bytes, generations: Generations, now: float) -> Entry | None:
        """Return None."""
        return None

    def put(self, entry: Entry, generations: Generations, now: float) -> Outcome:
        """Refuse."""
        return Outcome.TOO_LARGE

    def delete(self, key: bytes) -> bool:
        """Return False."""
        return False

    def clear(self) -> int:
        """Return 0."""
        return 0

    def stats(self) -> StoreStats:
        """Return zeros."""
        return StoreStats()

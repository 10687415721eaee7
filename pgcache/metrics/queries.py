"""What each kind of query has cost and saved: one row a fingerprint and database, bounded.

Queries that differ in literals alone are of one kind. Rows are made and counted when the origin
has answered; hits are credited by the entries themselves, from time to time, so that a hit costs
nothing here. Knows nothing of SQL: fingerprints and texts without literals are given.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from pgcache.errors.reasons import Reason
from pgcache.metrics.counters import Counters

_MAX_QUERIES = 5_000
_MAX_KNOWN = 20_000
_LONGEST_KNOWN = 4_096  # bytes of one that is remembered
# When there are too many, this part of them leaves: those that cost and saved least.
_LEAVERS = 10

HIT, MISS = "hit", "miss"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kind of query is: ``text`` without literals, ``relations`` as written."""

    fingerprint: str
    text: str
    relations: tuple[str, ...] = ()


class Query:
    """One kind of query in one database. Times in seconds; ``last_at`` by the caller's clock."""

    __slots__ = (
        "_counters",
        "bytes",
        "database",
        "fingerprint",
        "hits",
        "last",
        "last_at",
        "longest",
        "misses",
        "origin_seconds",
        "passes",
        "relations",
        "rows",
        "saved_seconds",
        "text",
    )

    def __init__(self, shape: Shape, database: str, counters: Counters) -> None:
        self._counters = counters
        self.fingerprint = shape.fingerprint
        self.database = database
        self.text = shape.text
        self.relations = shape.relations
        self.hits = 0
        self.misses = 0
        self.passes: dict[Reason, int] = {}
        self.origin_seconds = 0.0
        self.saved_seconds = 0.0
        self.longest = 0.0
        self.rows = 0  # of hits and of results stored
        self.bytes = 0
        self.last = ""
        self.last_at = 0.0

    def __repr__(self) -> str:
        return f"<Query {self.fingerprint} {self.hits} of {self.calls} hits>"

    @property
    def calls(self) -> int:
        """How often it was asked."""
        return self.hits + self.misses + sum(self.passes.values())

    def ran(self, reason: Reason | None, seconds: float, now: float) -> None:
        """The origin ran it: after a miss, or (``reason``) without a look-up."""
        if reason is None:
            self.misses += 1
            self.last = MISS
        else:
            self.passes[reason] = self.passes.get(reason, 0) + 1
            self.last = reason._value_  # ``value`` is a call into Python
        self.origin_seconds += seconds
        if seconds > self.longest:
            self.longest = seconds
        self.last_at = now

    def filled(self, rows: int, size: int) -> None:
        """A result was recorded."""
        self.rows += rows
        self.bytes += size

    def credit(self, hits: int, seconds: float, rows: int, size: int) -> None:
        """An entry answered ``hits`` times, which saved ``seconds`` of the origin's time each."""
        self.hits += hits
        self.saved_seconds += hits * seconds
        self._counters.saved_seconds += hits * seconds
        self.rows += hits * rows
        self.bytes += hits * size
        self.last = HIT


class Queries:
    """The table. ``shape_of`` describes what ``find`` is given, once for each that is not long.

    ``size_of`` tells its bytes.
    """

    __slots__ = ("_counters", "_known", "_max_queries", "_queries", "_shape_of", "_size_of")

    def __init__(
        self,
        counters: Counters,
        shape_of: Callable[[Hashable], Shape],
        *,
        max_queries: int = _MAX_QUERIES,
        size_of: Callable[[Hashable], int] = lambda what: 0,
    ) -> None:
        self._counters = counters
        self._shape_of = shape_of
        self._size_of = size_of
        self._max_queries = max_queries
        self._queries: dict[tuple[str, str], Query] = {}
        self._known: dict[tuple[str, Hashable], Query] = {}

    def __len__(self) -> int:
        return len(self._queries)

    def __iter__(self) -> Iterator[Query]:
        return iter(list(self._queries.values()))

    def find(self, database: str, what: Hashable) -> Query:
        """The row of ``what``, made where there is none."""
        known = self._known.get((database, what))
        if known is None:
            shape = self._shape_of(what)
            key = (database, shape.fingerprint)
            known = self._queries.get(key)
            if known is None:
                if len(self._queries) >= self._max_queries:
                    self._make_room()
                known = self._queries[key] = Query(shape, database, self._counters)
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            if self._size_of(what) <= _LONGEST_KNOWN:
                self._known[database, what] = known
        return known

    def top(self, count: int, by: Callable[[Query], float] | None = None) -> list[Query]:
        """The first ``count`` by the origin's time they saved, or by something else."""
        return heapq.nlargest(count, self._queries.values(), key=by or _saved)

    def clear(self) -> None:
        """Begin anew."""
        self._queries.clear()
        self._known.clear()

    def _make_room(self) -> None:
        leavers = max(1, len(self._queries) // _LEAVERS)
        for key, _ in heapq.nsmallest(leavers, self._queries.items(), key=lambda kv: _worth(kv[1])):
            del self._queries[key]
        self._known.clear()


def _saved(query: Query) -> float:
    return query.saved_seconds


def _worth(query: Query) -> float:
    return query.saved_seconds + query.origin_seconds

"""Counts of what happened, kept where it happens.

One object per process, handed to those who count. An attribute is one number, so counting on the
hot path is one addition; ``snapshot()`` is what the console reads. A new number is one line here:
``describe`` carries it to /metrics, SHOW STATS and the documentation. Knows nothing of how the
numbers are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pgcache.errors.reasons import Reason
from pgcache.metrics.describe import by, counter, gauge, histogram
from pgcache.metrics.histogram import Histogram


class Source(Enum):
    """How pgcache learned that data changed."""

    WRITE = "write"  # a write through pgcache, its tables known
    UNKNOWN = "unknown-write"  # a write through pgcache that flushed the database
    SCHEMA = "schema"  # a schema change, seen or found by comparing catalogs
    CONSOLE = "console"  # an operator's INVALIDATE
    HTTP = "http"  # POST /events or /invalidate
    NOTIFY = "notify"  # NOTIFY on the origin
    STREAM = "stream"  # a Redis stream
    ORIGIN = "origin"  # the origin restarted or is another one


@dataclass(slots=True)
class Counters:
    """All counts since the start of this process."""

    # the verdicts: one of these for every statement that was looked at
    hits: int = counter("Statements answered from the cache.")
    misses: int = counter("Statements looked up and not found, run by PostgreSQL.")
    followers: int = counter("Statements that shared another client's execution (P7).")
    passes: dict[Reason, int] = by(
        "reason", Reason, "Statements forwarded without a look-up, by reason.", metric="bypass"
    )
    # what came of the misses
    flights: int = counter("Executions that other clients could join.")
    stores: int = counter("Results stored.")
    unstored: dict[Reason, int] = by("reason", Reason, "Results of misses not kept, by reason.")
    overtaken: int = counter("Results not stored because a write came in between (T-11).")
    # what was served past its lifetime, and what is done in the background
    stale: int = counter("Hits past their lifetime, in their grace.")
    stale_if_error: int = counter(
        "Hits past their lifetime, served because PostgreSQL could not be reached."
    )
    refreshes: int = counter("Results refreshed in the background.")
    refreshes_failed: int = counter("Refreshes in the background that brought no result.")
    refreshes_interrupted: int = counter(
        "Refreshes in the background ended because the client needed its connection."
    )
    refreshes_ahead: int = counter("Refreshes begun before the result's end.")
    verified: int = counter("Hits asked again in the background, with the same result.")
    verified_reordered: int = counter(
        "Of these, with the same rows in another order than before, as ties of an ORDER BY allow."
    )
    verified_differing: int = counter("Hits asked again whose result differed without a reason.")
    verified_void: int = counter("Hits asked again in vain: something moved, or it failed.")
    # what shadow mode has measured
    shadow_hits: int = counter("Statements that would have been hits, in shadow mode.")
    shadow_misses: int = counter("Statements that would have been misses, in shadow mode.")
    shadow_saved_seconds: float = counter(
        "Time of PostgreSQL's that hits would have saved, in shadow mode.",
        metric="shadow_origin_saved_seconds",
        start=0.0,
    )
    # what made entries die before their time
    invalidations: dict[Source, int] = by("source", Source, "Invalidations, by what caused them.")
    # volume
    hit_rows: int = counter("Rows sent from the cache.")
    hit_bytes: int = counter("Bytes sent from the cache.")
    stored_bytes: int = counter("Bytes stored, with overhead.")
    saved_seconds: float = counter(
        "Time of PostgreSQL's that hits and shared executions saved.",
        metric="origin_saved_seconds",
        start=0.0,
    )
    # the clients
    clients: int = gauge("Client connections open now.")
    clients_cut_off: int = gauge(
        "Clients whose PostgreSQL connection is lost and who live on what is stored."
    )
    clients_total: int = counter("Client connections accepted.", metric="client_connections")
    clients_refused: int = counter("Client connections refused: too many.")
    clients_failed: int = counter("Client connections closed after a protocol error or a lost end.")
    cancels: int = counter("Cancel requests.")
    # how long it took
    hit_seconds: Histogram = histogram(
        "Time inside pgcache of sampled hits, from the question's bytes to the answer's.",
        metric="hit_duration_seconds",
    )
    fill_seconds: Histogram = histogram(
        "Time of misses from the question's bytes to the end of the reply, to be stored.",
        metric="fill_duration_seconds",
    )
    forward_seconds: Histogram = histogram(
        "Time of everything else forwarded, from the first byte to the end of the reply.",
        metric="forward_duration_seconds",
    )

    @property
    def passed(self) -> int:
        """Statements that went to the origin without being looked up, for any reason."""
        return sum(self.passes.values())

    @property
    def statements(self) -> int:
        """Statements that got a verdict."""
        return self.hits + self.misses + self.followers + self.passed

    @property
    def hit_ratio(self) -> float:
        """Part of the statements looked up that did not reach the origin, 0 to 1."""
        looked_up = self.hits + self.misses + self.followers
        return (self.hits + self.followers) / looked_up if looked_up else 0.0

    @property
    def shadow_statements(self) -> int:
        """Statements that shadow mode has judged."""
        return self.shadow_hits + self.shadow_misses

    @property
    def shadow_hit_ratio(self) -> float:
        """Part of those that would not have reached the origin, 0 to 1."""
        judged = self.shadow_statements
        return self.shadow_hits / judged if judged else 0.0

    def snapshot(self) -> dict[str, int | float]:
        """All counts under flat names; a reason or source stands after a colon, zeros left out."""
        found: dict[str, int | float] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, dict):
                found.update({f"{name}:{key.value}": n for key, n in value.items() if n})
            elif not isinstance(value, Histogram):
                found[name] = value
        return found

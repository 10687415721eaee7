"""What all databases of a process share of the shared store: client, times, counts, state.

Counterpart: ``space``, one for each database. Made by ``runtime``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog

from pgcache.cache.shared.codec import Codec
from pgcache.cache.shared.compress import Packing, Tally
from pgcache.cache.shared.contract import Client, StoreChanged
from pgcache.cache.shared.deadlines import Deadlines
from pgcache.cache.shared.orders import Fits
from pgcache.metrics.describe import by, counter, gauge

log = structlog.get_logger("pgcache.store")


class Health(Enum):
    """Where this process stands with the store."""

    APART = "apart"  # no database has joined yet
    HEALTHY = "healthy"
    SUSPECT = "suspect"  # an operation failed: reads do without until it has answered again
    SETTLING = "settling"  # it answers, but somebody may be writing unheard: nothing is served
    DEGRADED = "degraded"  # everything goes to PostgreSQL until it was joined anew


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds. ``trust`` and ``beat`` follow from the lease."""

    lease: float = 2.0

    @property
    def beat(self) -> float:
        """Between two signs of life."""
        return self.lease / 5

    @property
    def trust(self) -> float:
        """How long a sign of life that was heard back lets the memory tier be used."""
        return self.lease * 0.75

    @property
    def lateness(self) -> float:
        """How late the store may carry out what renews a lease; later it does not."""
        return self.lease / 4

    @property
    def silence(self) -> float:
        """After so long without contact, nobody serves any more what this process may change."""
        return self.lease + self.trust

    @property
    def longest_pause(self) -> float:
        """Between two attempts to join again."""
        return self.lease / 2

    @property
    def quarantine(self) -> float:
        """How long a store that was empty is not used: all others have tried to join meanwhile."""
        return self.longest_pause + self.lease


@dataclass(slots=True)
class StoreCounts:
    """Counts since the start of this process."""

    fetches: int = counter("Questions to the shared store.")
    hits: int = counter("Entries that the shared store had.")
    confirmed: int = counter("Hits in memory that the shared store confirmed (strict).")
    bad_values: int = counter("Values in the shared store that could not be read, or were forged.")
    fills: int = counter("Entries put into the shared store.")
    fills_refused: int = counter("Entries that the shared store refused: something had moved.")
    fills_without_room: int = counter(
        "Entries that the shared store had no room for; they are kept in memory alone."
    )
    fill_bytes: int = counter("Bytes put into the shared store, compressed.")
    compress_input_bytes: dict[Packing, int] = by(
        "method", Packing, "Bytes of results for the shared store before compression, by method."
    )
    compress_output_bytes: dict[Packing, int] = by(
        "method", Packing, "The same bytes after compression."
    )
    compress_seconds: dict[Packing, float] = by(
        "method", Packing, "Time that compressing results took, by method."
    )
    expand_seconds: dict[Packing, float] = by(
        "method", Packing, "Time that expanding results of the shared store took, by method."
    )
    waits: int = counter("Waits for an execution of another proxy.")
    waits_served: int = counter("Waits that ended with the other's result.")
    failures: int = counter("Operations of the shared store without an answer.")
    losses: int = counter("Times that the shared store was lost, or turned out to be another.")
    unheard: int = counter("Writes that went ahead without being announced to other proxies.")
    cleared: int = counter("Locks given up for proxies that are gone.")
    waiting: int = gauge("Waits for an execution of another proxy, now.")

    def add_compressed(self, tally: Tally) -> None:
        """A result was made ready for the store."""
        self.compress_input_bytes[tally.packing] += tally.plain
        self.compress_output_bytes[tally.packing] += tally.packed
        self.compress_seconds[tally.packing] += tally.seconds

    def add_expanded(self, tally: Tally) -> None:
        """A result of the store was read."""
        self.expand_seconds[tally.packing] += tally.seconds


class Link:
    """One process' end. ``clock`` gives monotonic seconds, ``life_pid`` the pid of a backend that
    lives as long as this process (0: none yet), ``backend_gone`` asks whether one has ended,
    ``read_order`` tells which keys an order means."""

    def __init__(
        self,
        client: Client,
        codec: Codec,
        *,
        prefix: str,
        times: Times,
        patience: float,
        flight_wait: float,
        configuration: str,
        clock: Callable[[], float],
        life_pid: Callable[[], int] = lambda: 0,
        backend_gone: Callable[[str, int], Awaitable[bool]] | None = None,
        read_order: Callable[[bytes], Fits] = lambda _: _fits_any,
    ) -> None:
        # for the life of the process
        self.client = client
        self.codec = codec
        self.prefix = prefix
        self.times = times
        self.patience = patience  # of a read, in seconds
        self.deadlines = Deadlines(patience)  # of reads without a task
        self.flight_wait = flight_wait
        self.configuration = configuration  # 8 hexadecimal digits
        self.clock = clock
        self.life_pid = life_pid
        self.backend_gone = backend_gone
        self.read_order = read_order
        self.counts = StoreCounts()
        self.mismatch = False  # another proxy has another configuration
        # now
        self.era = 0  # moves when the server turns out to be another one
        self._told = Health.APART
        self._states: dict[str, Health] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def health(self) -> Health:
        """The worst of all databases' states."""
        order = list(Health)
        return max(self._states.values(), key=order.index, default=Health.APART)

    @property
    def is_degraded(self) -> bool:
        """Whether the store is out of reach, or may not be used."""
        return self.health not in (Health.APART, Health.HEALTHY)

    def count_fetch(self) -> float:
        """A question is sent: at this time, in monotonic seconds."""
        self.counts.fetches += 1
        return self.clock()

    def set_state(self, database: str, state: Health, why: str = "") -> None:
        """Note how a database stands; each change of the whole is one line in the log."""
        self._states[database] = state
        health = self.health
        if health is self._told:
            return
        before, self._told = self._told, health
        say = log.info if health is Health.HEALTHY else log.warning
        say("store state", state=health.value, before=before.value, database=database, why=why)

    def changed_server(self) -> None:
        """Whatever was told to the store so far may be lost (T-13)."""
        self.era += 1

    def note_failure(self, error: Exception, era: int) -> None:
        """An operation had no answer; ``era``: when it was asked for."""
        self.counts.failures += 1
        if isinstance(error, StoreChanged) and self.era == era:
            self.changed_server()

    def refuse(self, error: Exception) -> None:
        """A value is none, or not the one that it should be."""
        self.counts.bad_values += 1
        log.warning("a value in the store was refused", why=str(error))

    def compare(self, other: str) -> None:
        """Another proxy's configuration; a mismatch is reported once."""
        if other != self.configuration and not self.mismatch:
            self.mismatch = True
            log.warning(
                "a proxy with another configuration shares this store",
                advice="give all of them the same [cache], [tables], [functions] and [store]",
            )

    def background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``work`` beside; errors are logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work on the store failed", error=repr(task.exception()))

    async def close(self) -> None:
        """End the work under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _fits_any(_key: bytes) -> bool:
    return True


def new_id() -> bytes:
    """A member's id: 16 hexadecimal digits."""
    return secrets.token_hex(8).encode()


def ms(seconds: float) -> int:
    """Milliseconds, as the scripts have them."""
    return round(seconds * 1000)

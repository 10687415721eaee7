"""Joining flights: waiting for another client's execution of the same question (P7, T-17)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pgcache.cache.entry import Entry
from pgcache.cache.flights import Follow, Lead
from pgcache.proxy.decide import Ask, flight_key
from pgcache.proxy.runs import Run
from pgcache.proxy.state import State

# A question whose flights failed this often is run without one.
MAX_ATTEMPTS = 3


class Joiner:
    """One session's part in flights; ``go_on`` decides the waiting run again."""

    __slots__ = ("_follow", "_go_on", "_landed", "_loop", "_run", "_state", "_timer")

    def __init__(self, state: State, go_on: Callable[[], None]) -> None:
        self._state = state
        self._go_on = go_on
        self._loop = asyncio.get_running_loop()
        self._follow: Follow | None = None
        self._landed: Entry | None = None
        self._run: Run | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the session waits for another client's flight."""
        return self._follow is not None

    def join(self, question: Ask, run: Run, limit: int) -> Lead | Follow | None:
        """Lead or follow a flight for ``question``, or None: run it alone."""
        if question.shadow or run.attempts >= MAX_ATTEMPTS:
            return None
        key = flight_key(question, limit)
        part = question.database.flights.join(key, question.tags, question.database.generations)
        if isinstance(part, Follow):
            run.attempts += 1
            self._run = run
            self._follow = part
            part.on_landing(self._on_landing)
            wait = self._state.engine.config.cache.flight_wait
            self._timer = self._loop.call_later(wait, self.leave)
        elif part is not None:
            self._state.engine.counters.flights += 1
        return part

    def join_several(
        self, questions: Sequence[tuple[Ask, int]], run: Run
    ) -> list[Lead | None] | None:
        """Lead what several questions of one run miss, or not; None: it has to wait."""
        return [None] * len(questions)

    def take_landed(self, run: Run) -> Entry | None:
        """The result that the flight brought which ``run`` waited for; nobody else's (T-17)."""
        landed, self._landed = self._landed, None
        return landed if run is self._run else None

    def leave(self) -> None:
        """Stop waiting; the run goes on by itself."""
        if self._follow is not None:
            self._follow.leave()
            if self._run is not None:
                self._run.attempts = MAX_ATTEMPTS
            self._on_landing(None)

    def _on_landing(self, entry: Entry | None) -> None:
        self._follow = None
        self._landed = entry
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # Not at once: this runs inside another session's reading of its origin.
        self._loop.call_soon(self._go_on)

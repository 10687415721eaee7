"""Giving up on what has no answer in time, with one timer for all that waits.

All wait equally long, so that the first to come is the first to be due; a timer for each would cost
more than most questions do. What is over is let go at once: thousands of them a second would
otherwise be there when garbage is looked for. Must not know: what is waited for.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle, get_running_loop
from typing import Protocol


class Waiting(Protocol):
    """What waits."""

    def give_up(self) -> None:
        """It took too long; called once, and not where it is done."""


class Deadlines:
    """Everything is given up on after ``patience`` seconds, or a little later."""

    __slots__ = ("_due", "_loop", "_patience", "_timer")

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._due: dict[Waiting, float] = {}  # by the loop's clock, the oldest first
        self._timer: TimerHandle | None = None
        self._loop: AbstractEventLoop | None = None  # asked for once: that is a call of the system

    def __len__(self) -> int:
        return len(self._due)

    def add(self, waiting: Waiting) -> None:
        """Begin to wait. HOT PATH: see ``make bench-shared``."""
        loop = self._loop
        if loop is None:
            loop = self._loop = get_running_loop()
        self._due[waiting] = loop.time() + self._patience
        if self._timer is None:
            self._timer = loop.call_later(self._patience, self._look)

    def done(self, waiting: Waiting) -> None:
        """It need not be waited for any more, if it was."""
        self._due.pop(waiting, None)

    def _look(self) -> None:
        loop, self._timer = get_running_loop(), None
        now = loop.time()
        late = []
        for waiting, due in self._due.items():
            if due > now:
                self._timer = loop.call_at(due, self._look)
                break
            late.append(waiting)
        for waiting in late:
            if self._due.pop(waiting, None) is not None:  # none before it has ended it
                waiting.give_up()

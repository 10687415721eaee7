"""Giving up on what has no answer in time, with one timer for all that waits.

All wait equally long, so that the first to come is the first to be due; a timer for each would cost
more than most questions do. Must not know: what is waited for.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle, get_running_loop
from collections import deque
from typing import Protocol


class Waiting(Protocol):
    """What waits."""

    is_over: bool

    def give_up(self) -> None:
        """It took too long; called once, and not where it is over."""


class Deadlines:
    """Everything is given up on after ``patience`` seconds, or a little later."""

    __slots__ = ("_loop", "_patience", "_timer", "_waiting")

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waiting: deque[tuple[float, Waiting]] = deque()
        self._timer: TimerHandle | None = None
        self._loop: AbstractEventLoop | None = None  # asked for once: that is a call of the system

    def add(self, waiting: Waiting) -> None:
        """Begin to wait. HOT PATH: see ``make bench-shared``."""
        loop = self._loop
        if loop is None:
            loop = self._loop = get_running_loop()
        self._waiting.append((loop.time() + self._patience, waiting))
        if self._timer is None:
            self._timer = loop.call_later(self._patience, self._look)

    def _look(self) -> None:
        self._timer = None
        loop, queue = get_running_loop(), self._waiting
        due: list[Waiting] = []
        while queue and (queue[0][1].is_over or queue[0][0] <= loop.time()):
            waiting = queue.popleft()[1]
            if not waiting.is_over:
                due.append(waiting)
        if queue:
            self._timer = loop.call_at(queue[0][0], self._look)
        for waiting in due:
            if not waiting.is_over:
                waiting.give_up()

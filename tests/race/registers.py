"""What a read may return, worked out from what was acknowledged.

A register is one value in the database that the test alone writes, with numbers that only grow.
A read must return a number whose commit was at least sent, not rolled back, and not older than
what was known to be committed when the read was sent: by an acknowledgement to any client, or
by having been seen by any earlier read. (That is linearisability of single values: PostgreSQL
gives it, so the proxy must.)
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque

_CLOCK = itertools.count(1)


class StaleRead(AssertionError):
    """A read broke the rules; the message holds the register's history."""


class Register:
    """One value, its writer's lock, what is known about it, and what happened lately.

    With `slack`, in seconds, a read may fall behind what was not known so long before it was sent.
    """

    def __init__(self, name: str, slack: float = 0.0) -> None:
        self.name = name
        self.lock = asyncio.Lock()
        self.floor = 0
        self._slack = slack
        self._raised: deque[tuple[float, int]] = deque()  # when the floor became what it is
        self._old_floor = 0  # what it was `slack` ago
        self._possible = {0}
        self._last = 0
        self._history: deque[str] = deque(maxlen=60)

    def note(self, who: str, what: str) -> None:
        """Write an event down for the history."""
        self._history.append(f"{next(_CLOCK):>8} {who:<10} {what}")

    def next_value(self, who: str) -> int:
        """Return the number for a write that begins now."""
        self._last += 1
        self.note(who, f"writes {self._last}")
        return self._last

    def commit_sent(self, who: str, value: int) -> None:
        """From now on the value may be seen."""
        self._possible.add(value)
        self.note(who, f"sends the commit of {value}")

    def committed(self, who: str, value: int) -> None:
        """The commit was acknowledged: from now on nothing older may be seen."""
        self.note(who, f"is told that {value} is committed")
        self._raise_floor(value)

    def aborted(self, who: str, value: int) -> None:
        """The write did not happen."""
        self._possible.discard(value)
        self.note(who, f"rolled {value} back")

    def read_sent(self, who: str) -> int:
        """Return what the read that begins now must not fall behind."""
        while self._raised and self._raised[0][0] < time.monotonic() - self._slack:
            self._old_floor = self._raised.popleft()[1]
        return self._old_floor if self._slack else self.floor

    def read(self, who: str, floor: int, value: int) -> None:
        """Check what a read returned."""
        self.note(who, f"read {value} (not older than {floor})")
        if value < floor or value not in self._possible:
            why = "older than known" if value < floor else "never committed"
            raise StaleRead(
                f"{who} read {value} of {self.name}, {why}; what happened:\n"
                + "\n".join(self._history)
            )
        self._raise_floor(value)

    def _raise_floor(self, value: int) -> None:
        if value > self.floor:
            self.floor = value
            self._raised.append((time.monotonic(), value))

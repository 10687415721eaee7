"""When to start a worker again that has ended: at once, then later and later while it fails.

Pure: told what happened and when, says how long to wait.
"""

from __future__ import annotations

from typing import Final

# A worker that has lived so long was not broken from the start, in seconds.
PROBATION: Final = 10.0
FIRST_DELAY: Final = 0.5
MAX_DELAY: Final = 30.0


class Restarts:
    """The restarts of one worker. Times are seconds of any clock that never goes back."""

    def __init__(self) -> None:
        self.count = 0
        self._failures = 0
        self._started_at = 0.0

    def started(self, now: float) -> None:
        """A process was started."""
        self._started_at = now

    def ended(self, now: float) -> float:
        """It ended unasked; the seconds to wait before the next.

        0 at first: clients wait for it. More for each further one that did not live long.
        """
        self.count += 1
        if now - self._started_at >= PROBATION:
            self._failures = 0
        self._failures += 1
        if self._failures == 1:
            return 0.0
        # The exponent is bounded, or a worker that fails for days would overflow it.
        return min(MAX_DELAY, FIRST_DELAY * 2.0 ** min(self._failures - 2, 20))

"""A member's lease as the member knows it: until when others may still rely on hearing it.

The store counts the lease by its own clock, from when it carries a renewal out. A renewal that was
held up on its way must not be carried out later than the member thinks possible: so each has a
deadline by the store's clock. Clocks are never compared, only how far they have gone (they are
taken to go equally fast). Must not know: the store.
"""

from __future__ import annotations

from collections.abc import Callable

from pgcache.cache.shared.link import Times


class Lease:
    """``clock`` gives monotonic seconds."""

    __slots__ = ("_before", "_clock", "_latest", "_renewed", "_times", "_told", "_told_at")

    def __init__(self, times: Times, clock: Callable[[], float]) -> None:
        self._times = times
        self._clock = clock
        self._told, self._told_at = 0, clock()
        self._latest = self._renewed = float("-inf")  # when it may last have been renewed
        self._before = self._renewed  # the same before the last was asked for

    def tell(self, store_ms: int) -> None:
        """What the store's clock said a moment ago, in ms."""
        self._told, self._told_at = store_ms, self._clock()

    def ask(self) -> int:
        """A renewal is about to be sent: its deadline, in ms of the store's clock.

        ``tell`` came after the question whose answer it was told by, so that the store's clock is
        further than counted from then, never behind.
        """
        now = self._clock()
        self._latest, self._before = now + self._times.lateness, self._renewed
        self._renewed = max(self._renewed, self._latest)
        return self._told + round((now - self._told_at + self._times.lateness) * 1000)

    def answer(self) -> None:
        """The renewal that was asked for last was carried out."""
        self._renewed = min(self._latest, self._clock())

    def refuse(self) -> None:
        """It was not, for certain: a store that refuses all of them keeps no write waiting."""
        self._renewed = self._before

    @property
    def silence_left(self) -> float:
        """Seconds until nobody serves any more what this process may change; 0 or less: now."""
        return self._renewed + self._times.silence - self._clock()

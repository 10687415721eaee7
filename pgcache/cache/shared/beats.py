"""Beats: signs of life that come back through the channel, and what is proved by them.

When a beat is heard back, everything that was said on the channel before it has been heard; for a
while from when it was *sent* the memory tier may be used. Must not know: the store.
"""

from __future__ import annotations

from pgcache.cache.shared.link import Times


class Beats:
    """One membership's."""

    __slots__ = ("_number", "_sent", "_times", "trusted_until")

    def __init__(self, times: Times) -> None:
        self._times = times
        self._number = 0
        self._sent: dict[int, float] = {}
        self.trusted_until = float("-inf")

    def send(self, now: float) -> int:
        """The number of the beat that is sent now."""
        self._number += 1
        self._sent[self._number] = now
        return self._number

    def hear(self, number: int) -> None:
        """A beat came back, and with it all before it: they cannot be told in another order."""
        sent = self._sent.get(number)
        for earlier in [n for n in self._sent if n <= number]:
            del self._sent[earlier]
        if sent is not None:
            self.trusted_until = max(self.trusted_until, sent + self._times.trust)

    @property
    def is_silent(self) -> bool:
        """Whether so many have not come back that the channel must be lost."""
        return len(self._sent) * self._times.beat > self._times.silence

    def forget(self) -> None:
        """Nothing is proved any more; numbers go on, so that an old beat proves nothing."""
        self._sent.clear()
        self.trusted_until = float("-inf")

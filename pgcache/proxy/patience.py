"""How long the sessions of a database are kept waiting for its catalogs, all in all.

After a change of definitions a question waits until the catalogs have been read again: a tenth of a
second, and then it can be answered from memory again. That is worth it now and then. A load that
goes on making tables would wait after each of them, and so would everyone beside it: then they pass
instead, until the waits are a small part of the time again.

Counterpart: ``learning`` waits. Must not know: what is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_MOST: Final = 20.0  # seconds that may be waited without a pause
_SHARE: Final = 0.1  # of the time, in the long run


class Patience:
    """What is left of it; ``clock`` gives seconds."""

    __slots__ = ("_clock", "_left", "_seen", "_spent_until")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = _MOST
        self._seen = self._spent_until = clock()

    @property
    def is_left(self) -> bool:
        """Whether one more may begin to wait."""
        now = self._clock()
        self._left = min(_MOST, self._left + (now - self._seen) * _SHARE)
        self._seen = now
        return self._left > 0

    def spend(self, began: float) -> None:
        """Somebody has waited since ``began``; those who waited at the same time count once."""
        now = self._clock()
        self._left -= max(0.0, now - max(began, self._spent_until))
        self._spent_until = max(now, self._spent_until)

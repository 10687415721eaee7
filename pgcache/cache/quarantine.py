"""Queries that are forwarded for a while, because a cached result of theirs was wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_MAX: Final = 10_000


class Quarantine:
    """Normalised texts, and until when each is confined. ``clock`` gives monotonic seconds."""

    __slots__ = ("_clock", "_until")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[bytes, float] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def confine(self, key_text: bytes, seconds: float) -> None:
        """Confine a query for so long."""
        if len(self._until) >= _MAX:
            del self._until[next(iter(self._until))]
        self._until[key_text] = self._clock() + seconds

    def release(self, key_text: bytes) -> None:
        """Let a query go again."""
        self._until.pop(key_text, None)

    def holds(self, key_text: bytes) -> bool:
        """Whether a query is confined now."""
        until = self._until.get(key_text)
        if until is None:
            return False
        if self._clock() < until:
            return True
        del self._until[key_text]
        return False

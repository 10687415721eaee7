"""What was concluded once and is remembered, within a number and a number of bytes.

Clients choose how many texts they send and how long these are, so that a number alone bounds
nothing. Must not know: what is concluded.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

__all__ = ["Memo"]

_MAX_ITEMS: Final = 20_000
_MAX_BYTES: Final = 32 * 1024 * 1024

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Memo(Generic[_K, _V]):
    """A dict that is emptied when it is full: what is in use is soon concluded again."""

    __slots__ = ("_bytes", "_items", "_max_bytes", "_max_items", "get")

    def __init__(self, max_items: int = _MAX_ITEMS, max_bytes: int = _MAX_BYTES) -> None:
        self._items: dict[_K, _V] = {}
        self._bytes = 0
        self._max_items = max_items
        self._max_bytes = max_bytes
        self.get = self._items.get  # a plain one, which is asked for every statement

    def __len__(self) -> int:
        return len(self._items)

    def put(self, key: _K, value: _V, size: int) -> None:
        """Remember; ``size``: bytes of the text that the key or the value keeps alive."""
        if len(self._items) >= self._max_items or self._bytes + size > self._max_bytes:
            self.clear()
        self._items[key] = value
        self._bytes += size

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
        self._bytes = 0

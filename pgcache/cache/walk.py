"""Forgetting entries by a look at each key, in steps, as if it were done at once.

From the beginning of a walk, entries that fit are not given any more, wherever the walk has got
to; entries that were stored since are not meant. So others may run between the steps.

Counterpart: ``memory`` keeps the entries. Must not know: what is looked for in a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice


class Walk:
    """One such order. ``count``: entries forgotten so far because of it."""

    __slots__ = ("_fits", "_keys", "_newer", "count")

    def __init__(self, fits: Callable[[bytes], bool], keys: Iterable[bytes]) -> None:
        self._fits = fits
        self._keys = iter(keys)
        self._newer: set[bytes] = set()
        self.count = 0

    def stored(self, key: bytes) -> None:
        """An entry of this key was stored: what was there is replaced, and that is not meant."""
        self._newer.add(key)

    def takes(self, key: bytes) -> bool:
        """Whether an entry of this key is one to be forgotten."""
        return key not in self._newer and self._fits(key)

    def next_keys(self, step: int) -> Iterator[bytes]:
        """Some of the keys that there were at the beginning; none where that was all."""
        return islice(self._keys, step)

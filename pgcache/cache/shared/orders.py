"""Orders about single results that stand in a database's state: these patterns, these keys.

Results are not looked for: which of them an order means is judged when one is asked for, by whoever
asks. Each order has a token; that of the newest order that means a key is part of the key's vector,
so that a result from before it is never the one that is wanted, and no fill from before it is taken
(T-11, T-12). The state's list has a version, which every fetch, fill and confirmation compares with
the one the caller knows.

An order that is given again takes the place of its former self: whatever the old one means, the new
one means too. A list that grows too long is emptied, and everything moves.

Counterpart: ``scripts`` keeps the list. Must not know: what an order says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

# More than this moves everything.
MOST_ORDERS: Final = 100
MOST_BYTES: Final = 32_768

_TOKEN: Final = 16
_MAX_REMEMBERED: Final = 2_000  # keys

Fits = Callable[[bytes], bool]


class Orders:
    """The orders that stand, as this process has heard them. ``read`` understands one."""

    __slots__ = ("_read", "_standing", "_tokens", "version")

    def __init__(self, read: Callable[[bytes], Fits]) -> None:
        self.version = b""
        self._read = read
        self._standing: dict[bytes, Fits] = {}  # by token, the newest last
        self._tokens: dict[bytes, bytes] = {}  # of keys, under this version

    def take(self, version: bytes, packed: bytes) -> list[Fits]:
        """The list is this one now; returns the orders that were not known."""
        known = self._standing
        try:
            self._standing = {t: known.get(t) or self._read(order) for t, order in _records(packed)}
        except ValueError:  # damaged: what cannot be read means everything
            self._standing = {version: lambda _: True}
        self.version = version
        self._tokens.clear()
        return [fits for token, fits in self._standing.items() if token not in known]

    def token(self, key: bytes) -> bytes:
        """What the vector of this key ends with: b'' where no order means it."""
        if not self._standing:
            return b""
        token = self._tokens.get(key)
        if token is None:
            newest_first = reversed(self._standing.items())
            token = next((token for token, fits in newest_first if fits(key)), b"")
            if len(self._tokens) >= _MAX_REMEMBERED:
                self._tokens.clear()
            self._tokens[key] = token
        return token


def _records(packed: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Tokens and orders. Raises ValueError."""
    pos = 0
    while pos < len(packed):
        begin = pos + 4
        pos = begin + int.from_bytes(packed[pos:begin], "big")
        if pos > len(packed) or pos < begin + _TOKEN:
            raise ValueError("a list of orders that is cut off")
        yield packed[begin : begin + _TOKEN], packed[begin + _TOKEN : pos]

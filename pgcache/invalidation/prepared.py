"""What prepared transactions wrote, kept until COMMIT PREPARED makes it visible (T-16).

Counterpart: ``proxy/forward`` and ``filling`` see the commands. Must not know: sessions, bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from pgcache.catalog.model import EVERYTHING, Tags

_MOST: Final = 1_000


class PreparedTransactions:
    """One database's, by their names; of those forgotten nobody knows what they wrote."""

    __slots__ = ("_most", "_written")

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._written: OrderedDict[str, tuple[Tags, bool]] = OrderedDict()

    def remember(self, gid: str, writes: Tags, schema: bool) -> None:
        """``gid`` was prepared; it wrote this, and ``schema``: perhaps definitions."""
        while len(self._written) >= self._most:
            self._written.popitem(last=False)
        self._written[gid] = (writes, schema)

    def take(self, gid: str) -> tuple[Tags, bool]:
        """What COMMIT PREPARED makes visible: everything, where nobody here prepared it."""
        return self._written.pop(gid, (EVERYTHING, True))

    def forget(self, gid: str) -> None:
        """The name is about to be used again, by a transaction that may write something else."""
        self._written.pop(gid, None)

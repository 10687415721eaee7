"""A database's generations where a store is shared: every move is also told to the others.

Here everything happens at once, as in ``Generations``, and is then announced: ``issued`` holds the
announcements that have not been heard yet. A session sends nothing that may commit, and tells its
client of no success, before those it caused are done (T-10).

What others announce comes in by ``hear``. Must not know: how announcements travel.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from typing import Protocol

from pgcache.cache.generations import Generations, Lock, Tag

Heard = asyncio.Future[None]


class SharedLock(Lock):
    """A lock that others hear of. ``number`` tells it from this process' other locks; ``owner`` is
    the membership under which they have heard of it, b'' before that."""

    __slots__ = ("heard", "number", "owner", "pid")

    def __init__(self, tags: frozenset[Tag] | None, number: int, pid: int) -> None:
        super().__init__(tags)
        self.number = number
        self.owner = b""
        self.heard: Heard | None = None  # done when they have
        self.pid = pid


class Announcer(Protocol):
    """Tells the others. Futures are done when they know, or can no longer be wrong; never fail."""

    def lock(self, lock: SharedLock) -> Heard:
        """Some tags are locked."""

    def unlock(self, lock: SharedLock) -> Heard:
        """They are not any more, and have moved."""

    def is_standing(self, lock: SharedLock) -> bool:
        """Whether all know of this lock, so that nobody serves or fills what it covers."""

    def move(self, tags: frozenset[Tag] | None, *, redefined: bool) -> Heard:
        """Some tags moved (None: everything); ``redefined``: because definitions did."""

    def order(self, order: bytes) -> Heard:
        """Results that an order means are dead."""


class SharedGenerations(Generations):
    """Generations whose moves are announced."""

    __slots__ = ("_announcer", "_issued", "_numbers", "held")

    def __init__(self, announcer: Announcer) -> None:
        super().__init__()
        self._announcer = announcer
        self._numbers = itertools.count(1)
        self._issued: list[Heard] = []
        self.held: dict[int, SharedLock] = {}  # to be told again to a store that lost them

    def take_issued(self) -> list[Heard]:
        """The announcements since this was last asked that are not done."""
        if not self._issued:
            return []
        issued, self._issued = self._issued, []
        return [heard for heard in issued if not heard.done()]

    def issued(self) -> list[Heard]:
        """The announcements that are not done, left to whoever takes them."""
        return [heard for heard in self._issued if not heard.done()]

    def lock(self, tags: frozenset[Tag] | None, pid: int = 0) -> SharedLock:
        """Lock ``tags``, here at once."""
        super().lock(tags)
        lock = SharedLock(tags, next(self._numbers), pid)
        self.held[lock.number] = lock
        lock.heard = self._announcer.lock(lock)
        self._issue(lock.heard)
        return lock

    def unlock(self, lock: Lock, *, moved: bool) -> None:
        """Give up one owner's lock. Elsewhere the lock itself was a move: while it stands nobody
        can serve what was before, so that the writer need not wait until it is gone, and is
        answered before that is said."""
        assert isinstance(lock, SharedLock)
        super().unlock(lock, moved=moved)
        del self.held[lock.number]
        if self._announcer.is_standing(lock):
            asyncio.get_running_loop().call_soon(self._announcer.unlock, lock)
        else:
            self._issue(self._announcer.unlock(lock))

    def move(self, tags: Iterable[Tag] | None) -> None:
        """Kill every entry that depends on one of ``tags`` (None: every entry), everywhere."""
        wanted = None if tags is None else frozenset(tags)
        self._kill(wanted)
        self._issue(self._announcer.move(wanted, redefined=False))

    def redefine(self) -> None:
        """Kill every entry, everywhere, and have the catalogs read again."""
        self._kill(None)
        self._issue(self._announcer.move(None, redefined=True))

    def order(self, order: bytes) -> None:
        """Have all forget the results that ``order`` means."""
        self._issue(self._announcer.order(order))

    def hear(self, tags: frozenset[Tag] | None) -> None:
        """Others have moved or locked ``tags``."""
        self._kill(tags)

    def _issue(self, heard: Heard) -> None:
        if len(self._issued) > 100:  # of callers who do not wait
            self._issued = [one for one in self._issued if not one.done()]
        self._issued.append(heard)

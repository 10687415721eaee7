"""Generations: whether what an entry depends on has moved since it was read (T-10 to T-13).

One object a database. Every tag (a relation, or a name the operator made up) has a token; a fill
remembers the tokens read before its query was sent, and lives as long as they stand. Nothing is
ever walked to invalidate: moving a tag replaces its token, and entries find out when touched.

Counterpart: ``entry.Entry`` remembers a vector of tokens, ``invalidation/`` locks and moves.
Must not know: what a tag means, where changes come from, how entries are stored.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Hashable, Iterable
from typing import Final

Tag = Hashable
Vector = tuple[int, ...]  # the epoch of everything, then one token for each tag in order

# One counter for the whole process, started at random: a token is never handed out twice, so one
# that was forgotten cannot come back with its old value, nor can one of an earlier process (T-13).
_tokens: Final = itertools.count(secrets.randbits(62))


class Lock:
    """What one owner holds locked; ``tags`` None is everything. Made by ``Generations.lock``."""

    __slots__ = ("held", "tags")

    def __init__(self, tags: frozenset[Tag] | None) -> None:
        self.tags = tags
        self.held = True

    def __repr__(self) -> str:
        what = "everything" if self.tags is None else sorted(map(repr, self.tags))
        return f"<Lock {what} {'held' if self.held else 'released'}>"


class Generations:
    """The current tokens of a database's tags, and which of them are locked.

    ``version`` moves with every change of anything (lock, unlock, move): an entry that was found
    current at this version still is, which is the single compare of a hit.
    ``touches`` moves when everything has to be decided anew, though nothing has moved; it comes
    back only where the reason turns out to have been none.

    ``max_tags`` bounds the tokens remembered, since hints let clients make up tags. Forgetting a
    token kills the entries that hold it, which is safe; relations alone never come near it.
    """

    __slots__ = (
        "_epoch",
        "_everything_locked",
        "_locked",
        "_max_tags",
        "_tokens",
        "_touches",
        "touches",
        "version",
    )

    def __init__(self, *, max_tags: int = 1_000_000) -> None:
        self.version = 0
        self.touches = self._touches = 0  # now, and the last that was given
        self._epoch = next(_tokens)
        self._tokens: dict[Tag, int] = {}
        self._locked: dict[Tag, int] = {}  # owners of each locked tag
        self._everything_locked = 0
        self._max_tags = max_tags

    def __repr__(self) -> str:
        return (
            f"<Generations version={self.version} tags={len(self._tokens)} "
            f"locked={'everything' if self._everything_locked else len(self._locked)}>"
        )

    def capture(self, tags: tuple[Tag, ...]) -> Vector | None:
        """Return the tokens to fill with, or None while any of it is locked (T-11).

        To be called before the query is sent, hence before its snapshot can be taken.
        """
        if self.is_locked(tags):
            return None
        tokens = self._tokens
        vector = [self._epoch]
        for tag in tags:
            token = tokens.get(tag)
            if token is None:
                token = self._create(tag)
            vector.append(token)
        return tuple(vector)

    def is_current(self, tags: tuple[Tag, ...], vector: Vector) -> bool:
        """Whether nothing in ``vector`` has moved and nothing is locked now."""
        return not self.is_locked(tags) and not self.has_moved(tags, vector)

    def has_moved(self, tags: tuple[Tag, ...], vector: Vector) -> bool:
        """Whether ``vector`` is dead for good. Locked tags have not moved (yet)."""
        if vector[0] != self._epoch:
            return True
        get = self._tokens.get
        return any(map(_differ, map(get, tags), vector[1:])) or len(vector) != len(tags) + 1

    def is_locked(self, tags: Iterable[Tag]) -> bool:
        """Whether everything, or any of ``tags``, is locked."""
        if self._everything_locked:
            return True
        return bool(self._locked) and not self._locked.keys().isdisjoint(tags)

    def lock(self, tags: frozenset[Tag] | None, pid: int = 0) -> Lock:
        """Lock ``tags`` (None: everything) for one owner: neither served nor filled.

        ``pid``: of the backend whose outcome it waits for, 0 where that is not known. Nothing
        comes of it here; a store that others share keeps it for whoever outlives this process.
        """
        if tags is None:
            self._everything_locked += 1
        else:
            for tag in tags:
                self._locked[tag] = self._locked.get(tag, 0) + 1
        self.version += 1
        return Lock(tags)

    def unlock(self, lock: Lock, *, moved: bool) -> None:
        """Give up one owner's lock; ``moved`` says that the data changed, or may have (T-15).

        Other owners' locks stand. Raises ValueError for a lock already given up.
        """
        if not lock.held:
            raise ValueError("this lock was already released")
        lock.held = False
        if moved:  # the token moves before the lock goes
            self._kill(lock.tags)
        if lock.tags is None:
            self._everything_locked -= 1
        else:
            for tag in lock.tags:
                owners = self._locked[tag] - 1
                if owners:
                    self._locked[tag] = owners
                else:
                    del self._locked[tag]
        self.version += 1

    def take_issued(self) -> list[asyncio.Future[None]]:
        """What has to be waited for before others can go wrong: here nothing."""
        return []

    def issued(self) -> list[asyncio.Future[None]]:
        """The same, without taking it from whoever waits for it: here nothing."""
        return []

    def order(self, order: bytes) -> None:
        """Have others forget the results that ``order`` means: here nobody else has any."""

    def touch(self) -> None:
        """Make everybody look again, though nothing has moved."""
        self._touches += 1
        self.touches = self._touches
        self.version += 1

    def untouch(self, touched: int, before: int) -> None:
        """What ``touches`` moved to ``touched`` for was nothing: it is ``before`` again, unless
        there was another reason meanwhile."""
        if self.touches == touched:
            self.touches = before
            self.version += 1

    def move(self, tags: Iterable[Tag] | None) -> None:
        """Kill every entry that depends on one of ``tags`` (None: every entry)."""
        self._kill(tags)

    def redefine(self) -> None:
        """Kill every entry, because definitions changed: what they were planned by is no more."""
        self._kill(None)

    def _kill(self, tags: Iterable[Tag] | None) -> None:
        if tags is None:
            self._epoch = next(_tokens)
        else:
            tokens = self._tokens
            for tag in tags:
                if tag in tokens:  # of an unknown tag nobody can hold a token
                    tokens[tag] = next(_tokens)
        self.version += 1

    def locked_tags(self) -> frozenset[Tag] | None:
        """The tags locked now, for display; None is everything."""
        return None if self._everything_locked else frozenset(self._locked)

    def _create(self, tag: Tag) -> int:
        tokens = self._tokens
        if len(tokens) >= self._max_tags:
            del tokens[next(iter(tokens))]
        token = tokens[tag] = next(_tokens)
        return token


def _differ(token: int | None, remembered: int) -> bool:
    return token != remembered

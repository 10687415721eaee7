"""One database's part of the shared store, as this proxy sees it: what it announces.

A session sends nothing that may commit before the others know of its locks, and tells of no
success while they could still serve what was before. A proxy that cannot reach the store waits
until they must have noticed that they do not hear it, and goes on (P6, T-14): the next time it
joins, everything is taken to have moved.

Counterpart: ``generations`` issues what is announced here, ``membership`` says whether anybody
hears it, ``lookup`` fetches and fills. Must not know: what a tag means, sessions.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pgcache.cache.shared.client import StoreLost
from pgcache.cache.shared.confirm import Confirmer
from pgcache.cache.shared.generations import Heard, SharedGenerations, SharedLock
from pgcache.cache.shared.link import Link
from pgcache.cache.shared.membership import Membership, Owner, fields
from pgcache.cache.shared.orders import MOST_BYTES, MOST_ORDERS


class Space(Membership):
    """Membership and announcements. ``generations`` is made here."""

    def __init__(self, link: Link, database: str, owner: Owner) -> None:
        super().__init__(link, database, owner, SharedGenerations(self))
        self.confirmer = Confirmer(self)

    # -- announcements (``Announcer``)

    def lock(self, lock: SharedLock) -> Heard:
        """Announce a lock."""
        tags = fields(lock.tags)

        def note(member: bytes) -> None:
            lock.owner = member

        return self._announce(
            lambda: ("lock", [self.owner_id(lock.number), lock.pid, *tags]),
            lambda: self.generations.held.get(lock.number) is lock,
            note,
        )

    def unlock(self, lock: SharedLock) -> Heard:
        """Announce the end of a lock."""
        tags = fields(lock.tags)
        return self._announce(lambda: ("unlock", [self.owner_id(lock.number), *tags]))

    def is_standing(self, lock: SharedLock) -> bool:
        """Whether the store has this lock, as far as anybody was told."""
        return self.is_joined and lock.owner == self.id

    def move(self, tags: frozenset[Any] | None, *, redefined: bool) -> Heard:
        """Announce a move."""
        token = b""
        if redefined:
            token = self.schema = secrets.token_bytes(16)
        return self._announce(lambda: ("move", [token, *fields(tags)]))

    def order(self, order: bytes) -> Heard:
        """Announce an order about single results."""
        token = secrets.token_bytes(16)
        return self._announce(lambda: ("order", [token, order, MOST_BYTES, MOST_ORDERS]))

    def _announce(
        self,
        build: Callable[[], tuple[str, list[Any]]],
        is_wanted: Callable[[], bool] = lambda: True,
        then: Callable[[bytes], None] = lambda _: None,
    ) -> Heard:
        return self.link.background(self._say(build, is_wanted, then))

    async def _say(
        self,
        build: Callable[[], tuple[str, list[Any]]],
        is_wanted: Callable[[], bool],
        then: Callable[[bytes], None],
    ) -> None:
        """Have the others know; returns when they do, or when they have stopped serving anything
        that this process may change. Never raises."""
        while is_wanted():
            keys = self.keys
            if self._joined and not self.is_joined:
                self.lose("the server has changed")  # another database's part was told so
            if self.is_joined and keys is not None:
                name, arguments = build()
                member = self.id
                state = [keys.state, keys.channel]
                try:
                    await self.run(name, state, *arguments, patience=self.patience)
                except StoreLost as error:
                    self.lose(str(error))
                else:
                    then(member)
                    return
            elif self._entering is not None:
                await self._entering.wait()
            elif not await self._joined_before_silence():
                # They have been waiting for this process since: the next join tells everything.
                self._unheard = True
                self.link.counts.unheard += 1
                return

    async def _joined_before_silence(self) -> bool:
        """Wait until joined, or until nobody serves any more what this process may change."""
        link = self.link
        first = link.clock() + link.times.lease  # a first attempt may be underway
        while not (self._joining.is_set() or self._entering is not None):
            left = self.lease.silence_left
            if self._era == -1 and not self._attempted.is_set():
                left = max(left, first - link.clock())
            if left <= 0:
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._joining.wait()
        return True

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
from functools import partial
from typing import Any

from pgcache.cache.shared.cancels import Cancels
from pgcache.cache.shared.confirm import Confirmer
from pgcache.cache.shared.contract import Owner, Reply, StoreLost
from pgcache.cache.shared.generations import Heard, SharedGenerations, SharedLock
from pgcache.cache.shared.keys import fields
from pgcache.cache.shared.link import Link
from pgcache.cache.shared.membership import Membership
from pgcache.cache.shared.orders import MOST_BYTES, MOST_ORDERS
from pgcache.cache.shared.standing import Standing


class Space(Membership):
    """Membership and announcements. ``generations`` is made here."""

    def __init__(self, link: Link, database: str, owner: Owner) -> None:
        super().__init__(link, database, owner, SharedGenerations(self))
        self.standing = Standing()
        self.confirmer = Confirmer(self)
        self.cancels = Cancels(self._publish, link.background, owner.told_cancel)

    async def _publish(self, kind: bytes, text: bytes) -> None:
        """Say something that may be missed."""
        if self.keys is not None and self.is_joined:
            with suppress(StoreLost):
                state = [self.keys.state, self.keys.channel]
                await self.run("say", state, kind, text, patience=self.link.patience)

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

        def build() -> tuple[str, list[Any]]:
            return "unlock", [self.owner_id(lock.number), *tags]

        if lock.heard is None or lock.heard.done():
            return self._announce(build)
        return self.link.background(self._say_after(lock.heard, build))  # never before its lock

    async def _say_after(self, heard: Heard, build: Callable[[], tuple[str, list[Any]]]) -> None:
        await asyncio.wait((heard,))
        await self._say(build, lambda: True, lambda _: None)

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
        """At once and without a task where that is possible, and else as ``_say`` does."""
        if not self.is_joined or self.keys is None:
            return self.link.background(self._say(build, is_wanted, then))
        name, arguments = build()
        loop, member, era = asyncio.get_running_loop(), self.id, self.link.era
        heard: Heard = loop.create_future()

        def hear(reply: Reply | StoreLost) -> None:
            timer.cancel()
            if isinstance(reply, StoreLost):
                self.link.note_failure(reply, era)
            elif reply[0] != b"gone" and self.link.era == era:
                then(member)
                _finish(heard, heard)
                return
            if member == self.id:
                self.lose("an announcement was not heard")
            again = self.link.background(self._say(build, is_wanted, then))
            again.add_done_callback(partial(_finish, heard))

        state = [self.keys.state, self.keys.channel]
        stop = self.link.client.run_soon(name, state, [member, *arguments], hear)
        if stop is None:
            return self.link.background(self._say(build, is_wanted, then))

        def give_up() -> None:
            stop()
            hear(StoreLost("no answer in time"))

        timer = loop.call_later(self.patience, give_up)
        return heard

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


def _finish(heard: Heard, _task: Heard) -> None:
    if not heard.done():
        heard.set_result(None)

"""One database's part of the shared store, as this proxy sees it: its membership.

A proxy *joins* a database: it gets a lease in the store, which it renews with every beat. A beat
that comes back through the channel proves that everything said before has been heard; for a while
after it the memory tier may be used. While any member's lease has run out nothing is served: it
may be writing without being heard. So a member that cannot announce a write waits until all others
must have noticed that, and then goes on (P6, T-14).

Counterpart: ``space`` says what is to be announced. Must not know: what a tag means, sessions.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from pgcache.cache.shared.beats import Beats
from pgcache.cache.shared.burial import bury
from pgcache.cache.shared.cancels import Cancels
from pgcache.cache.shared.channel import parse_message
from pgcache.cache.shared.contract import (
    Owner,
    Reply,
    StoreChanged,
    StoreLost,
    StoreRefused,
    Subscription,
)
from pgcache.cache.shared.generations import SharedGenerations
from pgcache.cache.shared.heeding import heed
from pgcache.cache.shared.keys import Keys, build_keys, fields
from pgcache.cache.shared.landings import Landings
from pgcache.cache.shared.lease import Lease
from pgcache.cache.shared.link import Health, Link, ms, new_id
from pgcache.cache.shared.members import parse_members
from pgcache.cache.shared.orders import Orders
from pgcache.cache.shared.scripts import KEPT_MS, MOST_FIELDS

_MAX_FORMER: Final = 1_000

History = tuple[object, ...]  # what tells a database, since its server started, from all others
Answered = TypeVar("Answered")


class Membership:
    """One database's membership. ``generations`` are the database's."""

    cancels: Cancels  # of those who announce

    def __init__(
        self, link: Link, database: str, owner: Owner, generations: SharedGenerations
    ) -> None:
        # for its life
        self.link = link
        self.database = database
        self.generations = generations
        self.landings = Landings()
        self.leases: dict[bytes, bytes] = {}  # fence to key: renewed with every beat
        self._owner = owner
        # the origin's history that it is about
        self.keys: Keys | None = None
        self._history: History = ()
        self._task: asyncio.Task[None] | None = None
        # the membership
        self.id = b""
        self.schema = b""  # the definitions' token that the catalogs at hand belong to
        self.orders = Orders(link.read_order)
        self._may_be_known = False  # the store may have this id
        self._former: list[bytes] = []  # others that it may still have
        self._seen = b""  # all members, as they were listed last
        self._joined = False
        self._era = -1
        self._settled = False  # nobody may be writing unheard
        self._suspect = False
        self._unheard = False  # a write went ahead without being announced
        self.lease = Lease(link.times, link.clock)
        self.beats = Beats(link.times)
        self._wake = asyncio.Event()  # something has changed: beat at once
        self._entering: asyncio.Event | None = None  # an attempt is underway: wait for its end
        self._attempted = asyncio.Event()  # the first attempt to join is over
        self._joining = asyncio.Event()  # set while joined

    # -- what is asked of it

    @property
    def is_joined(self) -> bool:
        """Whether announcements are heard."""
        return self._joined and self._era == self.link.era

    @property
    def is_usable(self) -> bool:
        """Whether a read may ask the store."""
        return self.is_joined and self._settled and not self._suspect

    @property
    def is_open(self) -> bool:
        """Whether anything may be served or filled at all."""
        return self.is_joined and self._settled

    def is_trusted(self, now: float) -> bool:
        """Whether the memory tier holds what the store does, as far as anybody was told."""
        return self.beats.trusted_until > now and self._settled and self.is_joined

    def meet(self, history: History) -> None:
        """The origin's history is known: take part in what is said about it (S-15)."""
        if history == self._history:
            return
        self._history = history
        keys = build_keys(self.link.prefix, *history)
        before, self.keys = self.keys, keys
        if self._task is not None:
            self._task.cancel()
            self._drop_out("the origin has another history")
        if before is not None and self.id:
            self.link.background(self._leave(before, self.id))
        self._former.clear()
        self._seen = b""
        self._task = self.link.background(self._run(keys))

    async def close(self) -> None:
        """Leave: others need not wait for this process any more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self.keys is not None and self.is_joined:
            await self._leave(self.keys, self.id)
        self._joined = False

    def doubt(self) -> None:
        """A read had no answer: do without until a beat has one."""
        if self.is_joined and not self._suspect:
            self._suspect = True
            self.link.set_state(self.database, Health.SUSPECT, "a read had no answer")
            self.look_again()

    async def run(self, name: str, keys: list[bytes], *arguments: Any, patience: float) -> Reply:
        """Run a script as this member. Raises StoreLost, also where the server is another one, or
        no longer knows this member."""
        reply = await self._answered(
            self.link.client.run(name, keys, self.id, *arguments), patience
        )
        if reply[0] == b"gone":
            raise StoreLost("the store does not know this proxy any more")
        return reply

    async def peek(self, fields: Sequence[bytes]) -> tuple[list[bytes | None], int]:
        """Fields of the state, and Redis' time in ms, not before them. Raises StoreLost."""
        if self.keys is None:
            raise StoreLost("the origin is not known yet")
        call = self.link.client.peek(self.keys.state, fields)
        return await self._answered(call, self.link.patience)

    async def _answered(self, call: Awaitable[Answered], patience: float) -> Answered:
        """What the store says in time. Raises StoreLost, also where it is another one."""
        link, era = self.link, self.link.era
        try:
            async with asyncio.timeout(patience):
                reply = await call
        except (StoreLost, TimeoutError) as error:
            link.note_failure(error, era)
            if isinstance(error, TimeoutError):
                raise StoreLost(f"no answer within {patience * 1000:g} ms") from error
            raise
        if link.era != era:
            raise StoreLost("the server has changed meanwhile")
        return reply

    @property
    def patience(self) -> float:
        """How long an announcement or a beat may take, in seconds; a read waits for less."""
        return self.link.times.lease / 2

    # -- the membership

    async def _run(self, keys: Keys) -> None:
        pause = 0.0
        while True:
            try:
                own = keys.channel + b":" + (fresh := new_id())
                async with self.link.client.subscribe(keys.channel, own) as channel:
                    await self._enter(keys, fresh)
                    pause = 0.0
                    await self._live(keys, own, channel)
            except (StoreLost, ValueError, IndexError) as error:  # these: answers without sense
                self._drop_out(str(error))
            finally:
                self._attempted.set()
            await asyncio.sleep(pause)
            longest = self.link.times.longest_pause
            pause = min(longest, max(0.02, pause * 2))

    async def _enter(self, keys: Keys, fresh: bytes) -> None:
        over = self._entering = asyncio.Event()
        try:
            await self._join(keys, fresh)
        finally:
            self._entering = None
            over.set()

    async def _join(self, keys: Keys, fresh: bytes) -> None:
        """Become a member under a new id: what was sent under the old one is refused from now."""
        link, times = self.link, self.link.times
        if self._may_be_known:
            self._former = [*self._former, self.id][-_MAX_FORMER:]
        self.id, self._may_be_known = fresh, False
        was_changed = self._era not in (-1, link.era)
        while True:
            lost, self._unheard = self._unheard or was_changed, False
            try:
                told = await self.run("clock", [keys.state], patience=self.patience)
                self.lease.tell(int(told[1]))
                self._may_be_known = True
                reply = await self._renew(
                    "join",
                    [keys.state, keys.channel],
                    ms(times.lease),
                    link.life_pid(),
                    link.configuration,
                    (b"s" if was_changed else b"u") if lost else b"",
                    secrets.token_bytes(16),
                    ms(times.quarantine),
                    self.lease.ask(),
                    self._seen,
                    *self._former,
                )
                break
            except StoreRefused as error:
                self._may_be_known, self._unheard = False, self._unheard or lost
                if not isinstance(error, StoreChanged):
                    raise
                was_changed = self._era != -1
                await link.client.load()
            except StoreLost:
                self._unheard = self._unheard or lost
                raise
        await self._become_member(keys, bytes(reply[1]))

    async def _renew(self, name: str, keys: list[bytes], *arguments: Any) -> Reply:
        """Run a script that renews the lease."""
        try:
            reply = await self.run(name, keys, *arguments, patience=self.patience)
        except StoreRefused:
            self.lease.refuse()
            raise
        if reply[0] == b"late":
            self.lease.refuse()
            raise StoreLost("the store is too slow")
        self.lease.answer()
        return reply

    async def _become_member(self, keys: Keys, schema: bytes) -> None:
        self._era, self.schema = self.link.era, schema
        await self._tell_again(keys)
        if self._unheard:
            raise StoreLost("a write went ahead while the store was being joined")
        self._former.clear()
        self.generations.hear(None)  # the memory tier starts empty
        self._owner.told_redefined()  # the catalogs at hand may be older than the token
        self._suspect = self._settled = False
        self._joined = True
        self._joining.set()
        self._attempted.set()

    def owner_id(self, number: int) -> bytes:
        """What a lock of this member is called."""
        return self.id + b"-%07x" % (number & 0xFFFFFFF)

    async def _tell_again(self, keys: Keys) -> None:
        """Locks that are held must stand under the new id as well."""
        for lock in list(self.generations.held.values()):
            await self.run(
                "lock",
                [keys.state, keys.channel],
                self.owner_id(lock.number),
                lock.pid,
                *fields(lock.tags),
                patience=self.patience,
            )
            lock.owner = self.id
        if self._former:
            await self.run("forget", [keys.state], *self._former, patience=self.patience)

    async def _live(self, keys: Keys, own: bytes, channel: Subscription) -> None:
        """Beat, and hear what the others say, until either fails."""
        loop = asyncio.get_running_loop()
        tasks = {loop.create_task(self._listen(channel)), loop.create_task(self._beat(keys, own))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, channel: Subscription) -> None:
        while True:
            data = await channel.next()
            try:
                message = parse_message(data)
            except ValueError as error:
                raise StoreLost(f"a message that makes no sense: {error}") from error
            heed(self, message)

    def take_orders(self, version: bytes, orders: bytes) -> None:
        """These orders about single results stand now."""
        for fits in self.orders.take(version, orders):
            self._owner.told_order(fits)

    def redefined(self, token: bytes, *, is_own: bool = False) -> None:
        """The definitions' token is this one now."""
        if token != self.schema or not is_own:
            self.schema = token
            self.generations.hear(None)
            self._owner.told_redefined()

    async def _beat(self, keys: Keys, own: bytes) -> None:
        times = self.link.times
        while True:
            self._wake.clear()
            sent = self.link.clock()
            leases = dict(self.leases)
            reply = await self._renew(
                "beat",
                [keys.state, own, *leases.values()],
                ms(times.lease),
                self.link.life_pid(),
                self.beats.send(sent),
                KEPT_MS,
                self.link.configuration,
                self.lease.ask(),
                ms(times.quarantine),
                MOST_FIELDS,
                *leases,
            )
            self._look_around(keys, reply, sent)
            if self.link.clock() - sent > times.lease:
                raise StoreLost("the lease ran out")
            with suppress(TimeoutError):
                async with asyncio.timeout(times.beat):
                    await self._wake.wait()
            if not self.is_joined:
                raise StoreLost("an announcement was not heard, or the server has changed")
            if self.beats.is_silent:
                raise StoreLost("beats are not heard back")
            if self.link.clock() >= self.beats.trusted_until:
                self.generations.touch()  # the fast lane asks nobody else

    def _look_around(self, keys: Keys, reply: Reply, asked: float) -> None:
        """Who else is there, and whether somebody may be writing unheard."""
        now, until = int(reply[2]), int(float(reply[3]))
        self.lease.tell(now)
        self._seen = bytes(reply[1])
        others = [m for m in parse_members(self._seen) if m.id != self.id]
        for other in others:
            self.link.compare(other.configuration)
        absent = [other for other in others if other.is_absent(now)]
        gone = [other for other in others if other.is_gone]
        settled = not absent and until <= now
        if settled is not self._settled:
            self._settled = settled
            self.generations.touch()
        self._suspect = False
        why = "a proxy is cut off from the store" if absent else ""
        state = Health.HEALTHY if settled else Health.SETTLING
        self.link.set_state(self.database, state, why)
        if absent or gone:
            self.link.background(bury(self, keys, [*absent, *gone], now, asked))

    def look_again(self) -> None:
        """Beat at once."""
        self._wake.set()

    # -- losing it

    def lose(self, why: str) -> None:
        """An announcement was not heard, or nobody knows: join anew, and say it again then."""
        self._drop_out(why)
        self.look_again()

    def _drop_out(self, why: str) -> None:
        if self._joined:
            self.link.counts.losses += 1
        self._joined = self._settled = False
        self._joining.clear()
        self.beats.forget()
        self.landings.give_up()
        self.leases.clear()
        self.generations.touch()
        self.link.set_state(self.database, Health.DEGRADED, why)

    async def _leave(self, keys: Keys, member: bytes) -> None:
        with suppress(StoreLost, TimeoutError):
            async with asyncio.timeout(self.link.patience):
                await self.link.client.run("leave", [keys.state], member)

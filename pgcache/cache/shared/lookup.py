"""Asking the shared store: an entry, the right to run the query, or neither; and storing.

One round trip asks for everything at once: the entry, whether what it depends on still stands,
and, where there is none, the lease by which one proxy runs the query for all of them (P7). Results
are filled by compare-and-set on what that same round trip said (T-11).

Counterpart: ``space`` is the membership, ``proxy/`` asks. Must not know: sessions.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any, Final

import structlog

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Tag, Vector
from pgcache.cache.shared.codec import Arrival, BadValue, end_of
from pgcache.cache.shared.compress import Tally
from pgcache.cache.shared.contract import StoreChanged, StoreLost, StoreRefused
from pgcache.cache.shared.keys import Keys, digest, spell
from pgcache.cache.shared.space import Space

log = structlog.get_logger("pgcache.store")

# A large value travels longer than a question does; it keeps nobody waiting.
_FILL_PATIENCE: Final = 5.0
# So many executions of others may fail before a waiting query runs itself.
_MAX_ATTEMPTS: Final = 3
# What a lease's end is waited for beyond its own, in seconds.
_GRACE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question. ``lifetime`` in seconds bounds the age; ``limit`` is Execute's (0: all rows).

    ``described``: with a RowDescription. ``fresh``: not from the store. ``leads``: run it for all.
    ``at_hand``: an entry of the memory tier, if only its tokens have to be confirmed; with
    ``is_stale``, unless the store has a younger one. ``grace``: seconds by which one of the store
    may be older.
    """

    key: bytes
    tags: tuple[Tag, ...]
    lifetime: float
    limit: int = 0
    described: bool = False
    fresh: bool = False
    leads: bool = True
    at_hand: Entry | None = None
    is_stale: bool = False
    grace: float = 0.0


@dataclass(slots=True)
class Grant:
    """Leave to fill: tokens of the store and of this process from before the query was sent.

    ``fence`` b'': without a lease. To be given back once, by ``fill`` or ``release``.
    """

    key: bytes
    tags: tuple[Tag, ...]
    shared: bytes
    vector: Vector
    fence: bytes
    space: Space
    keys: Keys
    member: bytes
    is_open: bool = True

    def fill(self, entry: Entry) -> None:
        """Store ``entry`` in the background; where the store refuses, it dies here as well."""
        if self.is_open:
            self.is_open = False
            entry.shared = self.shared
            self.space.link.background(_fill(self, entry))

    def release(self, *, worth_it: bool = True) -> None:
        """Nothing will be stored; others may try, unless it is not worth it."""
        if self.is_open:
            self.is_open = False
            if self.fence:
                self.space.leases.pop(self.fence, None)
                self.space.link.background(_release(self, worth_it))


async def look_up(space: Space, wanted: Wanted) -> Entry | Grant | None:
    """An entry; or leave to run the query for all and fill; or None: run it alone.

    Waits while another proxy runs it, at most ``flight_wait``. Never raises.
    """
    link = space.link
    deadline = link.clock() + link.flight_wait
    waited = False
    for _ in range(_MAX_ATTEMPTS):
        found = await _fetch(space, wanted)
        while isinstance(found, _Busy):
            waited = True
            link.counts.waits += 1
            left = deadline - link.clock()
            if left <= 0:
                return None
            landed = await space.landings.wait(found.fence, min(left, found.seconds + _GRACE))
            if landed is not None and not landed.worth_it:
                return None
            again = await _fetch(space, wanted)
            if landed is not None and not landed.stored and isinstance(again, _Busy):
                found = again
                break  # one attempt more was in vain
            found = again
        if not isinstance(found, _Busy):
            if waited and isinstance(found, Entry):
                link.counts.waits_served += 1
            return found
    return None


async def look_once(space: Space, wanted: Wanted) -> Entry | Grant | None:
    """The same without waiting; None also where another proxy runs it. Never raises."""
    found = await _fetch(space, wanted)
    return None if isinstance(found, _Busy) else found


@dataclass(frozen=True, slots=True)
class _Busy:
    """Somebody else runs the query; the lease ends after so many ``seconds`` if it is dead."""

    fence: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question to the store: as whom, and what was known here when it was sent.

    ``token``: the key's, by the orders' ``version``. ``sent``: in monotonic seconds.
    """

    keys: Keys
    digest: bytes
    vector: Vector
    member: bytes
    fence: bytes
    version: bytes
    token: bytes
    sent: float


async def _fetch(space: Space, wanted: Wanted) -> Entry | Grant | _Busy | None:
    link, keys = space.link, space.keys
    vector = space.generations.capture(wanted.tags)
    if vector is None or keys is None or not space.is_usable:
        return None
    asked = _Asked(
        keys,
        digest(wanted.key),
        vector,
        space.id,
        secrets.token_bytes(16) if wanted.leads else b"",
        space.orders.version,
        space.orders.token(wanted.key),
        link.count_fetch(),
    )
    try:
        reply = await space.run(
            "fetch",
            [keys.state, keys.entry(asked.digest), keys.lease(asked.digest)],
            secrets.token_bytes(12),
            space.schema,
            wanted.limit,
            round(wanted.lifetime * 1000),
            _wishes(wanted),
            asked.fence,
            round(link.times.lease * 1000),
            wanted.at_hand.shared if wanted.at_hand else b"",
            asked.version,
            asked.token,
            round(wanted.grace * 1000),
            *map(spell, wanted.tags),
            patience=link.patience,
        )
    except StoreLost:
        space.doubt()
        return None
    return await _understand(space, wanted, asked, reply)


async def _understand(
    space: Space, wanted: Wanted, asked: _Asked, reply: list[Any]
) -> Entry | Grant | _Busy | None:
    what = bytes(reply[0])
    if what in (b"same", b"hit"):
        if what == b"same":
            space.link.counts.confirmed += 1
            found = wanted.at_hand
        else:
            found = await _read(space, wanted, asked, reply)
        # An order that was heard meanwhile, on another connection, may mean it.
        return found if space.orders.token(wanted.key) == asked.token else None
    if what == b"busy":
        return _Busy(bytes(reply[2]), max(0, int(reply[3])) / 1000)
    if what == b"miss":
        fence, keys, shared = asked.fence, asked.keys, bytes(reply[1])
        if fence:
            space.leases[fence] = keys.lease(asked.digest)
        key, tags = wanted.key, wanted.tags
        return Grant(key, tags, shared, asked.vector, fence, space, keys, asked.member)
    if what == b"schema":  # nothing may be served or filled by the catalogs at hand
        space.redefined(bytes(reply[1]))
    elif what == b"orders" and asked.version != reply[1]:
        space.take_orders(bytes(reply[1]), bytes(reply[2]))
        return await _fetch(space, wanted)
    return None


def _wishes(wanted: Wanted) -> bytes:
    entry = b"" if wanted.fresh else b"e"
    entry += (b"d" if wanted.described else b"") + (b"l" if wanted.leads else b"")
    return entry + (b"s" if wanted.is_stale else b"")


async def _read(space: Space, wanted: Wanted, asked: _Asked, reply: list[Any]) -> Entry | None:
    """The entry in a reply. Its age and its end are told by Redis' clock, and counted from when
    the question was sent: the answer may have taken a while."""
    link = space.link
    shared, value = bytes(reply[1]), bytes(reply[5])
    age, left, kept = (int(ms) / 1000 for ms in reply[2:5])
    stored_at = asked.sent - age
    arrival = Arrival(
        wanted.key,
        wanted.tags,
        asked.vector,
        shared,
        stored_at=stored_at,
        expires_at=end_of(stored_at, asked.sent + left, wanted.lifetime),
        grace=max(0.0, kept - left),
    )
    given, tally = (asked.keys.entry(asked.digest), value, arrival), Tally()
    try:
        if len(value) >= link.codec.min_bytes:
            entry = await asyncio.to_thread(link.codec.decode, *given, tally)
        else:
            entry = link.codec.decode(*given, tally)
    except BadValue as error:
        link.refuse(error)
        return None
    if kept < 0:
        return None  # without an end, or gone
    link.counts.hits += 1
    link.counts.add_expanded(tally)
    return entry


async def _fill(grant: Grant, entry: Entry) -> None:
    space = grant.space
    link = space.link
    try:
        outcome = await _store(grant, entry, grant.keys.entry(digest(grant.key)))
    except StoreLost as error:
        log.info("not stored", why=str(error))
        outcome = b"lost"
    finally:
        space.leases.pop(grant.fence, None)
    if outcome == b"stored":
        link.counts.fills += 1
    elif outcome == b"kept":
        link.counts.fills_without_room += 1
    else:
        link.counts.fills_refused += 1
        entry.kill()


async def _store(grant: Grant, entry: Entry, name: bytes) -> bytes:
    """What the store did: b"stored"; b"kept": it has no room, and the entry may stay here."""
    space = grant.space
    link, codec = space.link, space.link.codec
    tally = Tally()
    if codec.is_large(entry):
        value = await asyncio.to_thread(codec.encode, name, entry, grant.shared, tally)
    else:
        value = codec.encode(name, entry, grant.shared, tally)
    link.counts.add_compressed(tally)
    if entry.expires_at <= link.clock() or space.id != grant.member or not space.is_joined:
        await _release(grant, True)
        return b"late"
    try:
        outcome = await _put(grant, entry, "fill", *codec.around_times(value))
    except StoreChanged:
        raise
    except StoreRefused:  # it is full, most likely
        outcome = await _put(grant, entry, "keep", b"", b"")
    link.counts.fill_bytes += len(value) if outcome == b"stored" else 0
    return outcome


async def _put(grant: Grant, entry: Entry, script: str, before: bytes, after: bytes) -> bytes:
    space, keys, name = grant.space, grant.keys, digest(grant.key)
    now = space.link.clock()
    reply = await space.run(
        script,
        [keys.state, keys.entry(name), keys.lease(name), keys.channel],
        grant.fence,
        max(1, round((entry.expires_at - now) * 1000)),
        round((now - entry.stored_at) * 1000),
        grant.shared,
        before,
        after,
        space.orders.version,
        space.orders.token(grant.key),
        round((entry.stale_until - entry.expires_at) * 1000),
        *map(spell, grant.tags),
        patience=_FILL_PATIENCE,
    )
    return bytes(reply[0])


async def _release(grant: Grant, worth_it: bool) -> None:
    space, keys = grant.space, grant.keys
    if space.id != grant.member or not space.is_joined:
        return
    try:
        await space.run(
            "release",
            [keys.state, keys.lease(digest(grant.key)), keys.channel],
            grant.fence,
            b"-" if worth_it else b"!",
            patience=space.link.patience,
        )
    except StoreLost:
        space.doubt()

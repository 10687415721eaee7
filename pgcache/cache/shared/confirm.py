"""Confirming entries of the memory tier: whether the store's tokens are still theirs (strict).

What is asked for while an answer is underway is one question together, of native commands: what
may be served is decided here, as the script ``fetch`` would. Whatever is not plainly confirmed is
not served; ``lookup`` then asks with the script, and finds out why.

Counterpart: ``lookup`` for everything else. Must not know: sessions.
"""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Protocol

import structlog

from pgcache.cache.entry import Entry
from pgcache.cache.shared.codec import TOKEN
from pgcache.cache.shared.contract import Fields, Stop, StoreLost
from pgcache.cache.shared.keys import EVERYTHING, SCHEMA, Keys, spell
from pgcache.cache.shared.link import Link
from pgcache.cache.shared.members import parse_members
from pgcache.cache.shared.orders import Orders

log = structlog.get_logger("pgcache.store")

# The list of members, until when an empty state is not used, how late it was, the orders' version;
# then what all entries hold.
_STANDING: Final = (b"p", b"q", b"t", b"x", EVERYTHING, SCHEMA)

_NONE: Final = frozenset[int]()

Answer = Callable[[bool], None]


class Witness(Protocol):
    """A database's part of the store, as far as this needs it."""

    link: Link
    keys: Keys | None
    id: bytes
    schema: bytes
    orders: Orders

    @property
    def is_usable(self) -> bool:
        """Whether a read may ask the store."""

    def doubt(self) -> None:
        """A read had no answer."""

    async def peek(self, fields: list[bytes]) -> Fields:
        """Fields of the state, and Redis' time in ms, not before them. Raises StoreLost."""


class Batch:
    """What is asked at once, and as whom. ``stop``: what stops the waiting."""

    __slots__ = ("asked", "entries", "era", "member", "orders", "schema", "stop", "tags", "timer")

    def __init__(self, asked: list[tuple[Entry, Answer]], witness: Witness) -> None:
        self.asked = asked
        self.entries = {id(entry): entry for entry, _ in asked}
        self.tags = list(dict.fromkeys(tag for e in self.entries.values() for tag in e.tags))
        self.era, self.member, self.schema = witness.link.era, witness.id, witness.schema
        self.orders = witness.orders.version
        self.stop: Stop | None = None
        self.timer: TimerHandle | None = None


class Confirmer:
    """Asks for one database: at once where nothing is underway, else together when it is over."""

    __slots__ = ("_asked", "_batch", "_ends", "_members", "_witness")

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._asked: list[tuple[Entry, Answer]] = []
        self._batch: Batch | None = None  # underway
        self._members: tuple[bytes, bytes | None] = (b"", None)  # as seen last, by whom
        self._ends = 0  # when the first of their leases does, in ms of Redis' clock

    def ask(self, entry: Entry, answer: Answer) -> None:
        """Call ``answer`` soon with whether ``entry`` was current after this call. Never at once,
        and never with an error."""
        self._asked.append((entry, answer))
        if self._batch is None:
            self._begin()

    def _begin(self) -> None:
        witness, link = self._witness, self._witness.link
        asked, self._asked = self._asked, []
        batch = self._batch = Batch(asked, witness)
        if not witness.is_usable or witness.keys is None:
            get_running_loop().call_soon(self._end, batch, _NONE)
            return
        link.counts.fetches += 1
        fields = [*_STANDING, *map(spell, batch.tags)]
        heard = partial(self._hear, batch)
        batch.stop = link.client.peek_soon(witness.keys.state, fields, heard)
        if batch.stop is None:
            link.background(self._ask_slowly(batch, fields))
        else:
            batch.timer = get_running_loop().call_later(link.patience, self._give_up, batch)

    async def _ask_slowly(self, batch: Batch, fields: list[bytes]) -> None:
        """Where a connection has to be opened first."""
        confirmed = _NONE
        try:
            confirmed = self._judge(batch, *await self._witness.peek(fields))
        except StoreLost:
            self._witness.doubt()
        finally:
            self._end(batch, confirmed)

    def _hear(self, batch: Batch, found: Fields | StoreLost) -> None:
        """HOT PATH: see ``make bench-shared``."""
        link, confirmed = self._witness.link, _NONE
        if isinstance(found, StoreLost):
            link.note_failure(found, batch.era)
            self._witness.doubt()
        elif link.era == batch.era:
            confirmed = self._judge(batch, *found)
        self._end(batch, confirmed)

    def _give_up(self, batch: Batch) -> None:
        assert batch.stop is not None
        batch.stop()
        self._hear(batch, StoreLost("no answer in time"))

    def _end(self, batch: Batch, confirmed: frozenset[int]) -> None:
        self._batch = None
        if batch.timer is not None:
            batch.timer.cancel()
        if self._asked:
            self._begin()
        for entry, answer in batch.asked:
            try:
                answer(id(entry) in confirmed)
            except Exception:  # one session's trouble is not another's
                log.exception("a hit could not be answered")

    def _judge(self, batch: Batch, values: list[bytes | None], now: int) -> frozenset[int]:
        """Which entries stand."""
        members, until, noted, version, everything, definitions, *rest = values
        if definitions != batch.schema or not self._stands(batch.member, members, until, now):
            return _NONE
        if noted is not None and int(noted) > now:
            return _NONE  # the clock has gone back: leases seem to last longer than they do
        orders = self._witness.orders
        if not (version or b"") == batch.orders == orders.version:
            return _NONE
        tokens = dict(zip(batch.tags, rest, strict=True))
        found = frozenset(
            number
            for number, entry in batch.entries.items()
            if entry.shared
            and (vector := join(everything, definitions, *map(tokens.get, entry.tags))) is not None
            and entry.shared == vector + orders.token(entry.key)
        )
        self._witness.link.counts.confirmed += sum(id(entry) in found for entry, _ in batch.asked)
        return found

    def _stands(self, member: bytes, packed: bytes | None, until: bytes | None, now: int) -> bool:
        """Whether a member may serve: it is one, and nobody may be writing unheard (T-14)."""
        if (member, packed) != self._members:
            self._members = member, packed
            self._ends = first_end(member, packed)
        return self._ends >= now and (until is None or float(until) <= now)


def first_end(member: bytes, packed: bytes | None) -> int:
    """When the first member's lease ends, in ms of Redis' clock; 0 where ``member`` is none.

    Those that are known to be gone write no more: nobody waits for them.
    """
    ends = {other.id: other.until for other in parse_members(packed or b"") if not other.is_gone}
    return min(ends.values()) if member in ends else 0


def join(*tokens: bytes | None) -> bytes | None:
    """A vector as the scripts make it; None where one is missing, or is a lock."""
    return None if any(not t or len(t) != TOKEN for t in tokens) else b"".join(_known(tokens))


def _known(tokens: Iterable[bytes | None]) -> Iterable[bytes]:
    return (token for token in tokens if token is not None)

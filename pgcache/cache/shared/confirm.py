"""Confirming entries of the memory tier: whether the store's tokens are still theirs (strict).

All that is asked for in one turn of the event loop is one question to the store, of native
commands: what may be served is decided here, as the script ``fetch`` would. Whatever is not plainly
confirmed is not served; ``lookup`` then asks with the script, and finds out why.

Counterpart: ``lookup`` for everything else. Must not know: sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

import structlog

from pgcache.cache.entry import Entry
from pgcache.cache.shared.client import StoreLost
from pgcache.cache.shared.codec import TOKEN
from pgcache.cache.shared.keys import EVERYTHING, SCHEMA, spell
from pgcache.cache.shared.link import Link
from pgcache.cache.shared.members import parse_members

log = structlog.get_logger("pgcache.store")

# The list of members, and until when an empty state is not used; then what all entries hold.
_STANDING: Final = (b"p", b"q", EVERYTHING, SCHEMA)

Answer = Callable[[bool], None]


class Witness(Protocol):
    """A database's part of the store, as far as this needs it."""

    link: Link
    id: bytes
    schema: bytes

    @property
    def is_usable(self) -> bool:
        """Whether a read may ask the store."""

    def doubt(self) -> None:
        """A read had no answer."""

    async def peek(self, fields: list[bytes]) -> tuple[list[bytes | None], int]:
        """Fields of the state, and Redis' time in ms, not before them. Raises StoreLost."""


class Confirmer:
    """Asks for one database."""

    __slots__ = ("_asked", "_ends", "_members", "_witness")

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._asked: list[tuple[Entry, Answer]] = []
        self._members: tuple[bytes, bytes | None] = (b"", None)  # as seen last, by whom
        self._ends = 0  # when the first of their leases does, in ms of Redis' clock

    def ask(self, entry: Entry, answer: Answer) -> None:
        """Call ``answer`` soon with whether ``entry`` was current after this call. Never at once,
        and never with an error."""
        if not self._asked:
            self._witness.link.background(self._confirm())
        self._asked.append((entry, answer))

    async def _confirm(self) -> None:
        asked, self._asked = self._asked, []  # this begins when all others have had their turn
        confirmed = frozenset[int]()
        try:
            confirmed = await self._find(asked)
        finally:
            for entry, answer in asked:
                try:
                    answer(id(entry) in confirmed)
                except Exception:  # one session's trouble is not another's
                    log.exception("a hit could not be answered")

    async def _find(self, asked: list[tuple[Entry, Answer]]) -> frozenset[int]:
        witness = self._witness
        entries = {id(entry): entry for entry, _ in asked}
        if not witness.is_usable:
            return frozenset()
        link, member, schema = witness.link, witness.id, witness.schema
        tags = list(dict.fromkeys(tag for entry in entries.values() for tag in entry.tags))
        link.counts.fetches += 1
        try:
            values, now = await witness.peek([*_STANDING, *map(spell, tags)])
        except StoreLost:
            witness.doubt()
            return frozenset()
        members, until, everything, definitions, *rest = values
        if definitions != schema or not self._stands(member, members, until, now):
            return frozenset()
        tokens = dict(zip(tags, rest, strict=True))
        found = frozenset(
            number
            for number, entry in entries.items()
            if entry.shared
            and entry.shared == join(everything, definitions, *map(tokens.get, entry.tags))
        )
        link.counts.confirmed += sum(id(entry) in found for entry, _ in asked)
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

"""What native commands tell of a database's state: whether this member may serve, and the tokens.

Scripts judge by themselves (``lua``); where a script would cost more than it saves, the same fields
are read by HMGET and judged here, by the same rules. Counterparts: ``confirm`` and ``fetching``,
which ask. Must not know: sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Protocol, cast

from pgcache.cache.generations import Tag
from pgcache.cache.shared.codec import TOKEN
from pgcache.cache.shared.contract import Fields
from pgcache.cache.shared.generations import SharedGenerations
from pgcache.cache.shared.keys import EVERYTHING, SCHEMA, Keys, spell
from pgcache.cache.shared.link import Link
from pgcache.cache.shared.members import parse_members
from pgcache.cache.shared.orders import Orders

# The list of members, until when an empty state is not used, how late it was, the orders' version;
# then what all entries hold. Tags follow.
FIELDS: Final = (b"p", b"q", b"t", b"x", EVERYTHING, SCHEMA)


@lru_cache(maxsize=1_024)
def fields_of(tags: tuple[Tag, ...]) -> tuple[bytes, ...]:
    """What to ask for where an entry has these tags."""
    return (*FIELDS, *map(spell, tags))


class Witness(Protocol):
    """A database's part of the store, as far as those who ask need it."""

    link: Link
    keys: Keys | None
    id: bytes
    schema: bytes
    orders: Orders
    generations: SharedGenerations
    standing: Standing

    @property
    def is_usable(self) -> bool:
        """Whether a read may ask the store."""

    def doubt(self) -> None:
        """A read had no answer."""

    async def peek(self, fields: Sequence[bytes]) -> Fields:
        """Fields of the state, and Redis' time in ms, not before them. Raises StoreLost."""


class Viewpoint:
    """What was known here when the store was asked: its answer is judged by that."""

    __slots__ = ("era", "member", "orders", "schema")

    def __init__(self, witness: Witness) -> None:
        self.era, self.member, self.schema = witness.link.era, witness.id, witness.schema
        self.orders = witness.orders.version


class Standing:
    """Judges one database's fields. Remembers the members, whose list is the same for a while."""

    __slots__ = ("_ends", "_member", "_members")

    def __init__(self) -> None:
        self._member, self._members = b"", b""  # as seen last, by whom
        self._ends = 0  # when the first of their leases does, in ms of Redis' clock

    def may_serve(
        self, view: Viewpoint, values: list[bytes | None], now: int, orders: Orders
    ) -> bool:
        """Whether ``values``, of ``FIELDS`` at least, allow a hit to who asked from ``view``;
        ``orders``: as they are known now.

        It has to be a member, and nobody may be writing unheard (T-14). Fields that make no sense
        allow nothing.
        """
        members, until, noted, version, _, definitions = values[: len(FIELDS)]
        if definitions != view.schema or not (version or b"") == view.orders == orders.version:
            return False
        try:
            if noted is not None and int(noted) > now:
                return False  # the clock has gone back: leases seem to last longer than they do
            if members != self._members or view.member != self._member:
                self._ends = first_end(view.member, members)
                self._member, self._members = view.member, members or b""
            return self._ends >= now and (until is None or float(until) <= now)
        except ValueError:
            return False


def first_end(member: bytes, packed: bytes | None) -> int:
    """When the first member's lease ends, in ms of Redis' clock; 0 where ``member`` is none.

    Those that are known to be gone write no more: nobody waits for them.
    """
    ends = {other.id: other.until for other in parse_members(packed or b"") if not other.is_gone}
    return min(ends.values()) if member in ends else 0


def join(tokens: Sequence[bytes | None]) -> bytes | None:
    """A vector as the scripts make it; None where one is missing, or is a lock."""
    for token in tokens:
        if not token or len(token) != TOKEN:
            return None
    return b"".join(cast("Sequence[bytes]", tokens))

"""Messages on a database's channels, as the scripts write them: bytes to values, nothing else.

A kind, the sender's id, then: ``m`` tags that moved; ``s`` the definitions' new token, and with it
everything moved; ``o`` the orders' version, and the orders; ``f`` a lease's fence and what came of
it; ``c`` a cancel request's digest, and ``d`` the same where it was claimed; ``b`` the number of
one's own beat.
Must not know: redis, what is done about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pgcache.cache.generations import Tag
from pgcache.cache.shared.cancels import CLAIM, REQUEST
from pgcache.cache.shared.keys import EVERYTHING, unspell
from pgcache.cache.shared.scripts import MEMBER


@dataclass(frozen=True, slots=True)
class Moved:
    """These tags are dead; None is everything."""

    sender: bytes
    tags: frozenset[Tag] | None


@dataclass(frozen=True, slots=True)
class Redefined:
    """Definitions changed, or may have: everything is dead, and the catalogs are out of date."""

    sender: bytes
    token: bytes


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order about single results was given: all that stand, and the list's new version."""

    version: bytes
    orders: bytes


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """A cancel request's session is looked for."""

    sender: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class CancelTaken:
    """A proxy has found it among its own."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class Landed:
    """A lease has ended: its result is stored, or not (others may try, or need not)."""

    fence: bytes
    stored: bool
    worth_it: bool


@dataclass(frozen=True, slots=True)
class Beat:
    """One's own beat has come back: all that was said before it has been heard."""

    number: int


Message = Moved | Redefined | Ordered | CancelAsked | CancelTaken | Landed | Beat


def parse_message(data: bytes) -> Message:
    """Take a message apart. Raises ValueError."""
    kind, sender, rest = data[:1], data[1 : 1 + MEMBER], data[1 + MEMBER :]
    if kind == b"m":
        return Moved(sender, _tags(rest))
    if kind == b"s":
        return Redefined(sender, rest)
    if kind == b"o":
        return Ordered(rest[:16], rest[16:])
    if kind == b"f" and len(rest) == 17:
        return Landed(rest[:16], rest[16:] == b"+", rest[16:] != b"!")
    if kind == REQUEST:
        return CancelAsked(sender, rest)
    if kind == CLAIM:
        return CancelTaken(rest)
    if kind == b"b":
        return Beat(int(rest))
    raise ValueError(f"no message: {data[:40]!r}")


def _tags(packed: bytes) -> frozenset[Tag] | None:
    found: list[Tag] = []
    pos = 0
    while pos < len(packed):
        end = pos + 4 + int.from_bytes(packed[pos : pos + 4], "big")
        field = packed[pos + 4 : end]
        if end > len(packed):
            raise ValueError("a message that is cut off")
        if field == EVERYTHING:
            return None
        found.append(unspell(field))
        pos = end
    return frozenset(found)

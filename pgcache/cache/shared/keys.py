"""Names in Redis: which keys belong to which database of which origin, and how tags are spelled.

Every name of one database holds the same hash tag, so that a Cluster keeps them on one node and a
script may touch them together. Names hold the number of what they are about: that of the protocol,
and those of results that of their format. Must not know: redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from pgcache.cache.generations import Tag

# Of what proxies have to agree on to hear each other's writes and orders: names, the state, the
# channel, and what a result's key is made of, by which orders name results.
PROTOCOL: Final = 2
# Of values. Proxies with others share everything but results.
VALUES: Final = 3

EVERYTHING: Final = b"*"
SCHEMA: Final = b"$"


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of one database's keys, made by ``build_keys``."""

    base: bytes
    state: bytes  # hash: members, tokens, locks, owners
    channel: bytes

    def entry(self, digest: bytes) -> bytes:
        """Where an entry is kept."""
        return b"%be%d:%b" % (self.base, VALUES, digest.hex().encode())

    def lease(self, digest: bytes) -> bytes:
        """Where the right to run a query is kept: for all who can read the result."""
        return b"%bl%d:%b" % (self.base, VALUES, digest.hex().encode())


def build_keys(prefix: str, *facts: object) -> Keys:
    """The names for the database that ``facts`` tell from all others (S-15)."""
    told = "\0".join(map(str, facts)).encode()
    mark = blake2b(told, digest_size=10).hexdigest()
    base = f"{prefix}:{PROTOCOL}:{{{mark}}}:".encode()
    return Keys(base, base + b"state", base + b"channel")


def digest(key: bytes) -> bytes:
    """What stands for a key's material in names; the material itself is compared on a hit."""
    return blake2b(key, digest_size=16).digest()


def spell(tag: Tag) -> bytes:
    """A tag as a field of the state: relations by OID, the operator's names by name."""
    if isinstance(tag, int):
        return b"r%d" % tag
    if isinstance(tag, str):
        return b"n" + tag.encode("utf-8", "surrogateescape")
    raise TypeError(f"a tag is an OID or a name, not {tag!r}")


def fields(tags: frozenset[Tag] | None) -> list[bytes]:
    """Several tags as fields of the state, None as the one that stands for everything."""
    return [EVERYTHING] if tags is None else sorted(map(spell, tags))


def unspell(field: bytes) -> Tag:
    """The tag of a field. Raises ValueError."""
    if field[:1] == b"r":
        return int(field[1:])
    if field[:1] == b"n":
        return field[1:].decode("utf-8", "surrogateescape")
    raise ValueError(f"no tag: {field!r}")

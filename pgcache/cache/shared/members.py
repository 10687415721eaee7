"""The members of a database as its state lists them: records of a fixed length.

Counterpart: ``scripts`` writes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from pgcache.cache.shared.scripts import MEMBER, RECORD


@dataclass(frozen=True, slots=True)
class Member:
    """One proxy. ``until``: the end of its lease, in ms of Redis' clock; 0: it is gone for good."""

    id: bytes
    until: int
    life_pid: int
    configuration: str

    @property
    def is_gone(self) -> bool:
        """Whether it is known to have ended: only its locks stand."""
        return self.until == 0

    def is_absent(self, now: int) -> bool:
        """Whether its lease has run out at ``now``, and it may be writing unheard."""
        return 0 < self.until < now


def parse_members(packed: bytes) -> list[Member]:
    """All members. Raises ValueError."""
    if len(packed) % RECORD:
        raise ValueError("the list of members is damaged")
    found = []
    for pos in range(0, len(packed), RECORD):
        record = packed[pos : pos + RECORD]
        found.append(
            Member(
                id=record[:MEMBER],
                until=int(record[16:29]),
                life_pid=int(record[29:39]),
                configuration=record[39:].decode("ascii"),
            )
        )
    return found

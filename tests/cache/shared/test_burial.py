"""Giving up the locks of members whose leases have run out."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgcache.cache.shared.burial import bury
from pgcache.cache.shared.contract import Reply
from pgcache.cache.shared.keys import build_keys
from pgcache.cache.shared.link import Link, StoreCounts, Times
from pgcache.cache.shared.members import Member

_OWN, _ALIVE, _DEAD = 11, 12, 13
_KEYS = build_keys("pgcache", "database")


@dataclass
class Survivor:
    """Knows which backends live, and keeps what it ran."""

    database: str = "database"
    locks: list[bytes] = field(default_factory=list)
    cleared: list[tuple[object, ...]] = field(default_factory=list)
    looked_again: int = 0
    now: float = 100.0
    slow: float = 0.0  # so many seconds the origin takes
    link: Link = field(init=False)

    def __post_init__(self) -> None:
        told = SimpleNamespace(
            life_pid=lambda: _OWN,
            backend_gone=self._gone,
            counts=StoreCounts(),
            times=Times(2.0),
            clock=lambda: self.now,
        )
        self.link = cast(Link, told)  # only what is asked of it here

    async def _gone(self, _database: str, pid: int) -> bool:
        self.now += self.slow
        return pid == _DEAD

    async def run(self, name: str, _keys: list[bytes], *arguments: Any, patience: float) -> Reply:
        """Run a script."""
        assert patience > 0
        if name == "locks":
            return [b"ok", *self.locks]
        self.cleared.append(arguments)
        return [b"ok"]

    def look_again(self) -> None:
        """Look at the members again."""
        self.looked_again += 1


def _member(pid: int, until: int = 1_000) -> Member:
    return Member(b"%016d" % pid, until, pid, "00c0ffee")


async def _cleared(survivor: Survivor, *members: Member) -> list[bytes]:
    await bury(survivor, _KEYS, members, 2_000, survivor.now)
    return [cast(bytes, arguments[0]) for arguments in survivor.cleared]


async def test_T10_only_who_is_known_to_have_ended_is_forgotten() -> None:
    dead = _member(_DEAD)
    survivor = Survivor()
    assert await _cleared(survivor, _member(_ALIVE), dead, _member(0)) == [dead.id]
    assert survivor.looked_again == 1


async def test_a_name_that_this_process_had_before_is_forgotten() -> None:
    """Else all would wait for a proxy that is there, for as long as it is."""
    former = _member(_OWN)
    assert await _cleared(Survivor(), former) == [former.id]


async def test_T10_locks_are_given_up_with_their_backends() -> None:
    dead = _member(_DEAD)
    owners = [b"one", b"%010d%013d" % (_DEAD, 1), b"two", b"%010d%013d" % (_ALIVE, 1)]
    survivor = Survivor(locks=owners)
    await bury(survivor, _KEYS, [dead], 2_000, survivor.now)
    assert survivor.cleared == [(dead.id, b"", b"one")]


@pytest.mark.parametrize(
    ("until", "slow", "moves"), [(1_000, 0.0, False), (400, 0.0, True), (1_000, 0.6, True)]
)
async def test_T14_who_may_have_gone_on_unheard_takes_everything_along(
    until: int, slow: float, moves: bool
) -> None:
    """Unheard writes begin three quarters of a lease after its end: from then on it is unknown."""
    survivor = Survivor(slow=slow)
    await _cleared(survivor, _member(_DEAD, until), _member(_DEAD, 0))
    tokens = [cast(bytes, arguments[1]) for arguments in survivor.cleared]
    assert [len(token) for token in tokens] == [16 * moves, 0]

"""Giving up the locks of proxies that are gone, once what they waited for has ended.

Only the origin knows: a proxy is gone when its sign of life there is, and a lock's backend may
still be committing when its proxy is long dead (T-10).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from pgcache.cache.shared.contract import Reply, StoreLost
from pgcache.cache.shared.keys import Keys
from pgcache.cache.shared.link import Link
from pgcache.cache.shared.members import Member

log = structlog.get_logger("pgcache.store")

# Of a pid that was not known yet nobody can ask: after this time it is taken to be gone.
_UNKNOWN_MS: Final = 600_000
_PATIENCE: Final = 1.0  # seconds: nobody waits for this


class Survivor(Protocol):
    """A member that sees to it."""

    link: Link
    database: str

    async def run(self, name: str, keys: list[bytes], *arguments: object, patience: float) -> Reply:
        """Run a script. Raises StoreLost."""

    def look_again(self) -> None:
        """Look at the members again."""


async def bury(
    survivor: Survivor, keys: Keys, absent: Sequence[Member], now: int, asked: float
) -> None:
    """Give up what can be given up of members whose leases have run out.

    ``now``: ms of Redis' clock, not before ``asked`` by one's own. Several members may do so at
    once. One that is found to have ended when it may have gone on unheard for a while may have
    written then: what it wrote nobody knows, so everything moves (T-14).
    """
    link = survivor.link
    for member in absent:
        if not member.is_gone and not await _has_ended(survivor, member, now):
            continue
        silent = (now - member.until) / 1000 + link.clock() - asked
        unheard = not member.is_gone and silent > link.times.trust and not _is_own(link, member)
        try:
            count, left = await _clear(survivor, keys, member, now, unheard=unheard)
        except StoreLost:
            return  # the next beat finds out
        link.counts.cleared += count
        if not member.is_gone or not left:
            told = {"given_up": count, "kept": left, "everything_moved": unheard}
            log.warning("a proxy is gone", database=survivor.database, **told)
            survivor.look_again()


async def _clear(
    survivor: Survivor, keys: Keys, member: Member, now: int, *, unheard: bool
) -> tuple[int, int]:
    """How many locks were given up, and how many are left."""
    reply = await survivor.run("locks", [keys.state], member.id, patience=_PATIENCE)
    gone, left = [], 0
    for owner, record in zip(reply[1::2], reply[2::2], strict=True):
        if await _is_gone(survivor, int(record[:10]), now - int(record[10:23])):
            gone.append(bytes(owner))
        else:
            left += 1
    state = [keys.state, keys.channel]
    token = secrets.token_bytes(16) if unheard else b""
    await survivor.run("clear", state, member.id, token, *gone, patience=_PATIENCE)
    return len(gone), left


def _is_own(link: Link, member: Member) -> bool:
    """Whether this process was called so before: a pid is nobody else's meanwhile."""
    return bool(member.life_pid) and member.life_pid == link.life_pid()


async def _has_ended(survivor: Survivor, member: Member, now: int) -> bool:
    if _is_own(survivor.link, member):
        return True
    return await _is_gone(survivor, member.life_pid, now - member.until)


async def _is_gone(survivor: Survivor, pid: int, age_ms: int) -> bool:
    if not pid:
        return age_ms > _UNKNOWN_MS
    ask = survivor.link.backend_gone
    return ask is not None and await ask(survivor.database, pid)

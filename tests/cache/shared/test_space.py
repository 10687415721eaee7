"""Membership and announcements against a server of the test's own, which keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest

from pgcache.cache.shared.codec import Codec
from pgcache.cache.shared.compress import method_of
from pgcache.cache.shared.contract import (
    Fetched,
    Peeked,
    Ran,
    Reply,
    Stop,
    StoreChanged,
    StoreLost,
    StoreRefused,
)
from pgcache.cache.shared.link import Link, Times
from pgcache.cache.shared.orders import Fits
from pgcache.cache.shared.space import Space

LEASE = 0.4
_NOW = b"1764098000123"


class Channel(asyncio.Queue[bytes]):
    """A subscription."""

    async def next(self) -> bytes:
        """Wait for the next message."""
        return await self.get()


class Server:
    """Says yes to everything; ``ran`` is what it was asked. It may forget scripts, or be away."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.is_away = self.is_late = self.is_mute = False
        self.is_full = False
        self.refused = 0
        self.former: tuple[bytes, ...] = ()  # what who joined last was called before
        self.is_quick = True
        self.may_tell = asyncio.Event()
        self.may_tell.set()
        self._knows = False
        self._channels: dict[bytes, Channel] = {}

    def forget(self) -> None:
        """It is another server now."""
        self._knows = False

    async def run(self, name: str, keys: Sequence[bytes], *arguments: Any) -> Reply:
        """Run a script."""
        if self.is_away:
            raise StoreLost("nobody there")
        if not self._knows:
            raise StoreChanged("never seen")
        self.ran.append(name)
        if name == "clock":
            return [b"ok", _NOW]
        if self.is_full:
            self.refused += 1
            raise StoreRefused("OOM")
        if name == "join":
            self.former = arguments[9:]
            return [b"ok", b"s" * 16]
        if name == "beat":
            if self.is_late:
                return [b"late"]
            member, number = arguments[0], arguments[3]
            self._channels[keys[1]].put_nowait(b"b%s%d" % (member, number))
            return [b"ok", b"", _NOW, b"0"]
        return [b"ok"]

    async def peek(self, key: bytes, fields: Sequence[bytes]) -> tuple[list[bytes | None], int]:
        """Nothing is there."""
        return [None] * len(fields), int(_NOW)

    def run_soon(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[Any], call: Ran
    ) -> Stop | None:
        """The same without a task, where ``is_quick``; ``is_mute``: without an answer."""
        if not self.is_quick:
            return None
        stopped: list[None] = []
        asyncio.get_running_loop().create_task(self._tell(name, keys, arguments, call, stopped))
        return lambda: stopped.append(None)

    async def _tell(
        self,
        name: str,
        keys: Sequence[bytes],
        arguments: Sequence[Any],
        call: Ran,
        stopped: list[None],
    ) -> None:
        reply: Reply | StoreLost
        try:
            reply = await self.run(name, keys, *arguments)
        except StoreLost as error:
            reply = error
        await self.may_tell.wait()
        if not stopped and not self.is_mute:
            call(reply)

    def peek_soon(self, key: bytes, fields: Sequence[bytes], call: Peeked) -> None:
        """This server has no such thing."""

    def fetch_soon(self, key: bytes, fields: Sequence[bytes], name: bytes, call: Fetched) -> None:
        """Nor this."""

    async def load(self) -> None:
        """Learn the scripts."""
        self._knows = True

    async def version(self) -> tuple[int, ...]:
        """New enough."""
        return (8, 0, 0)

    @asynccontextmanager
    async def subscribe(self, *channels: bytes) -> AsyncIterator[Channel]:
        """Listen; all channels are one."""
        if self.is_away:
            raise StoreLost("nobody there")
        channel = Channel()
        for name in channels:
            self._channels[name] = channel
        yield channel


class Owner:
    """A database."""

    def told_redefined(self) -> None:
        """There are no catalogs here."""

    def told_order(self, fits: Fits) -> None:
        """Nor results."""

    def told_cancel(self, digest: bytes) -> None:
        """Nor sessions."""


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def link(server: Server) -> AsyncIterator[Link]:
    made = Link(
        server,
        Codec(method_of("none"), 1 << 20, b""),
        prefix="pgcache",
        times=Times(LEASE),
        patience=0.1,
        flight_wait=1.0,
        configuration="00c0ffee",
        clock=monotonic,
    )
    yield made
    await made.close()


async def _space(link: Link, name: str) -> Space:
    space = Space(link, name, Owner())
    space.meet((name,))
    await _until(lambda: space.is_usable)
    return space


async def _until(what: Any) -> None:
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110 - the space does not tell
            await asyncio.sleep(0.005)


async def _write(space: Space) -> None:
    """Lock, and give it up; returns when the client may hear of it."""
    lock = space.generations.lock(frozenset((1,)))
    await asyncio.gather(*space.generations.take_issued())
    space.generations.unlock(lock, moved=True)
    await asyncio.gather(*space.generations.take_issued())


@pytest.mark.parametrize("is_quick", [True, False])
async def test_T10_a_write_is_announced(server: Server, link: Link, is_quick: bool) -> None:
    server.is_quick = is_quick
    space = await _space(link, "one")
    await _write(space)
    await _until(lambda: server.ran[-1] in ("unlock", "beat") and "unlock" in server.ran)
    assert server.ran.index("lock") < server.ran.index("unlock")
    assert link.counts.unheard == 0


async def test_T14_a_write_that_cannot_be_announced_waits_until_nobody_relies_on_it(
    server: Server, link: Link
) -> None:
    space = await _space(link, "one")
    server.is_away = True
    await _write(space)
    assert space.lease.silence_left <= 0
    assert link.counts.unheard >= 1
    server.is_away = False
    await _until(lambda: space.is_usable)


async def test_P6_a_store_that_refuses_all_renewals_keeps_no_write_waiting_for_ever(
    server: Server, link: Link
) -> None:
    """It is full, say: it is asked again and again, and each time it may have been carried out."""
    space = await _space(link, "one")
    server.is_full = True
    async with asyncio.timeout(20):
        await _write(space)
    assert link.counts.unheard >= 1
    assert server.refused > 1
    server.is_full = False
    await _until(lambda: space.is_usable)


async def test_T14_a_beat_that_was_too_late_is_none(server: Server, link: Link) -> None:
    space = await _space(link, "one")
    before = space.id
    server.is_late = True
    await _until(lambda: not space.is_joined)
    server.is_late = False
    await _until(lambda: space.is_usable)
    assert space.id != before


async def test_T13_another_server_is_found_out_by_all_databases(server: Server, link: Link) -> None:
    """Also by one that is just about to announce something."""
    one, two = await _space(link, "one"), await _space(link, "two")
    before = one.id, two.id
    server.forget()
    await _write(one)
    await _write(two)
    await _until(lambda: one.is_usable and two.is_usable)
    assert one.id != before[0]
    assert two.id != before[1]
    assert link.counts.unheard == 0


async def test_T13_an_announcement_of_a_database_that_was_not_told_yet(
    server: Server, link: Link
) -> None:
    """It joins anew, and does not ask without end whether it has."""
    space = await _space(link, "one")
    before = space.id
    link.changed_server()  # another database's part has found out
    async with asyncio.timeout(20):
        await _write(space)
    assert space.id != before


async def test_T10_the_end_of_a_lock_does_not_overtake_it(server: Server, link: Link) -> None:
    """Commands take one of several connections: nobody would give up a lock that came later."""
    space = await _space(link, "one")
    server.may_tell.clear()
    lock = space.generations.lock(frozenset((1,)))
    space.generations.unlock(lock, moved=True)
    await asyncio.sleep(0.02)
    assert "unlock" not in server.ran
    server.may_tell.set()
    await asyncio.gather(*space.generations.take_issued())
    assert server.ran.index("lock") < server.ran.index("unlock")


async def test_T14_an_announcement_without_an_answer_is_made_again(
    server: Server, link: Link
) -> None:
    space = await _space(link, "one")
    before = space.id
    server.is_mute = True
    space.generations.move((1,))
    (heard,) = space.generations.take_issued()
    await _until(lambda: space.id != before)
    server.is_mute = False
    await heard
    assert server.ran.count("move") > 1
    assert link.counts.failures > 0


async def test_T10_a_member_tells_what_it_was_called_before_however_often_it_was_refused(
    server: Server, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that the store never took are not told: they would crowd out the one that it has."""
    monkeypatch.setattr("pgcache.cache.shared.membership._MAX_FORMER", 3)
    space = await _space(link, "one")
    before = space.id
    server.is_full = True
    await _until(lambda: server.refused > 5)
    server.is_full = False
    await _until(lambda: space.is_usable)
    assert server.former == (before,)

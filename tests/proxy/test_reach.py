"""Whether the origin can be reached: asked once for all, and again until it can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from pgcache.config import Origin
from pgcache.metrics.counters import Counters
from pgcache.proxy.reach import Reach, find_problem
from pgcache.wire.messages import build_error


class Origins:
    """Looks that end when told to, and the work that makes them."""

    def __init__(self) -> None:
        self.counters = Counters()
        self._has_begun = asyncio.Event()
        self.looks: list[asyncio.Future[str]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.reach = Reach(self._look, self._work, self.counters, interval=0.001)

    async def _look(self) -> str:
        self.looks.append(asyncio.get_running_loop().create_future())
        self._has_begun.set()
        return await self.looks[-1]

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def nth(self, number: int) -> asyncio.Future[str]:
        """The look of this number, once it has begun."""
        async with asyncio.timeout(30):
            while len(self.looks) < number:
                self._has_begun.clear()
                await self._has_begun.wait()
        return self.looks[number - 1]


async def test_all_who_ask_share_the_looks_and_hear_of_each() -> None:
    origins = Origins()
    first: list[str] = []
    second: list[str] = []
    origins.reach.ask("first", first.append)
    look = await origins.nth(1)
    origins.reach.ask("second", second.append)
    look.set_result("refused")
    look = await origins.nth(2)
    assert (first, second) == (["refused"], []), "that look began before the second asked"
    assert origins.counters.clients_cut_off == 1
    look.set_result("refused")
    look = await origins.nth(3)
    assert (first, second) == (["refused"] * 2, ["refused"])
    assert origins.counters.clients_cut_off == 2
    look.set_result("")
    await asyncio.gather(*origins.tasks)
    assert (first[-1], second[-1]) == ("", "")
    assert origins.counters.clients_cut_off == 0
    assert len(origins.looks) == 3, "nobody asks any more"
    origins.reach.ask("first", first.append)
    (await origins.nth(4)).set_result("")
    await asyncio.gather(*origins.tasks)
    assert first == ["refused", "refused", "", ""]


async def test_who_is_gone_is_not_told() -> None:
    origins = Origins()
    told: list[str] = []
    origins.reach.ask("one", told.append)
    (await origins.nth(1)).set_result("refused")
    look = await origins.nth(2)
    origins.reach.forget("one")
    origins.reach.forget("one")
    assert origins.counters.clients_cut_off == 0
    look.set_result("refused")
    await asyncio.gather(*origins.tasks)
    assert told == ["refused"]


@asynccontextmanager
async def origin_saying(answer: bytes | None) -> AsyncIterator[Origin]:
    """An origin that says this to a startup packet, b'' to hang up, None to stay silent."""
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        assert b"user\0service\0database\0shop\0" in await reader.readexactly(size - 4)
        for piece in (answer[:3], answer[3:]) if answer else ():
            writer.write(piece)
            await writer.drain()
        if answer != b"":
            await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Origin(host="127.0.0.1", port=port, user="service", dbname="shop")
        await over.wait()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"R\0\0\0\x08\0\0\0\x03", ""),
        (build_error("53300", "too many", severity="FATAL"), ""),
        (build_error("28000", "not you", severity="FATAL"), ""),
        (build_error("08P01", "no such thing", severity="FATAL"), ""),
        (build_error("57P03", "starting up", severity="FATAL"), "it lets nobody in (57P03)"),
        (build_error("57P01", "stopping", severity="FATAL"), "it lets nobody in (57P01)"),
        (build_error("08006", "a pooler's", severity="FATAL"), "it lets nobody in (08006)"),
        (b"", "it hung up"),
    ],
)
async def test_what_a_startup_packet_is_told(answer: bytes, problem: str) -> None:
    async with origin_saying(answer) as origin:
        assert await find_problem(origin, None) == problem


async def test_silence_is_a_problem_and_so_is_nobody() -> None:
    async with origin_saying(None) as origin:
        hasty = replace(origin, connect_timeout=0.05)
        assert await find_problem(hasty, None) == "no answer within 0.05 s"
    assert "Connect" in await find_problem(origin, None)

"""Waiting for another proxy's execution."""

from __future__ import annotations

import asyncio

from pgcache.cache.shared.channel import Landed
from pgcache.cache.shared.landings import Landings

LANDED = Landed(b"f" * 16, True, True)


async def test_all_who_wait_are_told() -> None:
    landings = Landings()
    waiting = [asyncio.create_task(landings.wait(LANDED.fence, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    landings.land(LANDED)
    assert await asyncio.gather(*waiting) == [LANDED] * 3


async def test_a_landing_that_was_heard_first_is_remembered() -> None:
    landings = Landings()
    landings.land(LANDED)
    assert await landings.wait(LANDED.fence, 60) == LANDED


async def test_patience_ends() -> None:
    assert await Landings().wait(b"x" * 16, 0) is None


async def test_nobody_can_say_any_more() -> None:
    landings = Landings()
    waiting = asyncio.create_task(landings.wait(LANDED.fence, 60))
    await asyncio.sleep(0)
    landings.give_up()
    assert await waiting is None

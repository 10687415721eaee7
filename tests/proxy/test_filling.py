"""What is stored, and what becomes of it when others write."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings

from tests.proxy.rig import Rig
from tests.proxy.schedules import MOVES, Move, Schedule


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(MOVES)
def test_P3_no_schedule_shows_what_is_older_or_never_was(moves: list[Move]) -> None:
    async def run() -> None:
        await Schedule(Rig()).play(moves)

    asyncio.run(run())

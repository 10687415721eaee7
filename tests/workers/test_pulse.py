"""Who does not answer for long hangs; who was late once does not."""

from __future__ import annotations

import asyncio
from typing import Any

from pgcache.workers.channel import ChannelLost
from pgcache.workers.pulse import ALIVE, await_silence

SECONDS = 0.03


class Worker:
    """Answers as it is told to: True at once, False never, and then it has ended."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)

    async def ask(self, what: str, payload: Any = None) -> None:
        """One question."""
        assert (what, payload) == (ALIVE, None)
        if not self._answers:
            raise ChannelLost("the process at the other end is gone")
        if not self._answers.pop(0):
            await asyncio.Event().wait()


async def test_silence() -> None:
    assert await await_silence(Worker(True, False, False, False), SECONDS)


async def test_a_late_answer_is_no_silence() -> None:
    assert not await await_silence(Worker(False, False, True, False, False, True), SECONDS)


async def test_a_worker_that_has_ended_is_not_waited_for() -> None:
    assert not await await_silence(Worker(), SECONDS)

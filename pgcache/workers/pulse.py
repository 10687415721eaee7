"""Whether a worker still answers: its supervisor asks now and then, and loses patience in the end.

One question without an answer proves nothing: the supervisor itself may have been stopped, and
finds its own timers run out before it has read what came meanwhile. Several in a row do.
Counterpart: ``slot`` kills who does not answer.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from pgcache.workers.channel import ChannelLost

# What is asked; there is nothing to answer.
ALIVE: Final = "alive"
_QUESTIONS: Final = 3


class Asks(Protocol):
    """The supervisor's end of a channel."""

    async def ask(self, what: str, payload: Any = None) -> Any:
        """Return the other end's answer. Raises ChannelLost or RemoteFailure."""


async def await_silence(channel: Asks, seconds: float) -> bool:
    """Return True once the worker has not answered for so long, False once it has ended."""
    silent = 0
    while silent < _QUESTIONS:
        try:
            async with asyncio.timeout(seconds / _QUESTIONS):
                await channel.ask(ALIVE)
        except TimeoutError:
            silent += 1
            continue
        except ChannelLost:
            return False
        silent = 0
        await asyncio.sleep(seconds / _QUESTIONS)
    return True

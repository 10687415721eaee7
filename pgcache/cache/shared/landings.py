"""Waiting for another proxy's execution to end (P7): pushed, not polled."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from pgcache.cache.shared.channel import Landed

_MAX_REMEMBERED: Final = 1_000


class Landings:
    """Who waits for which lease. A landing that is heard before the reply that it belongs to, on
    another connection, is remembered for a while."""

    __slots__ = ("_recent", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[bytes, list[asyncio.Future[Landed | None]]] = {}
        self._recent: OrderedDict[bytes, Landed] = OrderedDict()

    def land(self, landed: Landed) -> None:
        """A lease has ended."""
        for future in self._waiting.pop(landed.fence, ()):
            if not future.done():
                future.set_result(landed)
        self._recent[landed.fence] = landed
        if len(self._recent) > _MAX_REMEMBERED:
            self._recent.popitem(last=False)

    async def wait(self, fence: bytes, seconds: float) -> Landed | None:
        """How the lease ended; None where nobody said so in time, or nobody can."""
        recent = self._recent.get(fence)
        if recent is not None:
            return recent
        future: asyncio.Future[Landed | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(fence, []).append(future)
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            waiting = self._waiting.get(fence)
            if waiting is not None and future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._waiting[fence]

    def give_up(self) -> None:
        """The channel is lost: nobody will say."""
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)
        self._waiting.clear()

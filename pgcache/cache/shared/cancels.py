"""Cancel requests that arrived at another proxy than their session's (W-30, W-32).

Whoever has the session claims the request and sees to it, also where its query is not the
origin's at all but waits for another client's execution; so that exactly one proxy passes it on.
Keys do not travel: a request is called by their digest, which ``store.secret`` makes a MAC.

Counterpart: ``heeding`` hears of requests and claims. Must not know: sessions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from hashlib import blake2b
from typing import Any, Final

# What is said on the channel.
REQUEST: Final = b"c"
CLAIM: Final = b"d"

# How long a claim is waited for, and then the end of it, in seconds.
_PATIENCE: Final = 0.5
_LONGEST: Final = 30.0


def cancel_digest(pid: int, secret: bytes, key: bytes = b"") -> bytes:
    """What a cancel key is called in public: 16 bytes.

    Without a ``key`` that others do not have they can find a secret of four bytes, as protocol 3.0
    has it, by trying all of them.
    """
    told = pid.to_bytes(8, "big") + secret
    return blake2b(told, digest_size=16, key=key, person=b"pgcache-cancel").digest()


Work = Coroutine[Any, Any, None]


class Cancels:
    """Requests of this process' clients that wait for a claim. ``say`` publishes, ``begin`` runs
    work beside; ``take`` gives what carries out a request of another proxy, None where its session
    is not here."""

    __slots__ = ("_begin", "_say", "_take", "_waiting")

    def __init__(
        self,
        say: Callable[[bytes, bytes], Work],
        begin: Callable[[Work], object],
        take: Callable[[bytes], Work | None],
    ) -> None:
        self._say = say
        self._begin = begin
        self._take = take
        self._waiting: dict[bytes, _Request] = {}

    async def ask(self, digest: bytes, patience: float = _PATIENCE) -> bool:
        """Whether another proxy has the session; then it has carried the request out as well."""
        request = self._waiting[digest] = _Request()
        try:
            await self._say(REQUEST, digest)
            await asyncio.wait((request.claimed,), timeout=patience)
            if request.claimed.done():
                await asyncio.wait((request.done,), timeout=_LONGEST)
            return request.claimed.done()
        finally:
            self._waiting.pop(digest, None)

    def requested(self, digest: bytes) -> None:
        """Another proxy looks for a session."""
        work = self._take(digest)
        if work is not None:
            self._begin(self._carry_out(digest, work))

    async def _carry_out(self, digest: bytes, work: Work) -> None:
        await self._say(CLAIM, digest)
        try:
            await work
        finally:
            await self._say(CLAIM, digest)

    def claimed(self, digest: bytes) -> None:
        """Somebody has it; said again, the origin has taken notice (W-31)."""
        request = self._waiting.get(digest)
        if request is not None:
            future = request.done if request.claimed.done() else request.claimed
            if not future.done():
                future.set_result(None)


class _Request:
    """What is waited for."""

    __slots__ = ("claimed", "done")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.claimed: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()

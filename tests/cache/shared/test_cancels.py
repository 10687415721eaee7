"""Cancel requests between proxies: who claims one, and when it is over."""

from __future__ import annotations

import asyncio

from pgcache.cache.shared.cancels import CLAIM, REQUEST, Cancels, Work, cancel_digest

DIGEST = cancel_digest(42, b"secret")


class Proxy:
    """One of two ends of a channel; it has the session or not."""

    def __init__(self, *, has_it: bool) -> None:
        self.cancels = Cancels(self._say, self._begin, self._take)
        self.other: Proxy | None = None
        self.has_it = has_it
        self.said: list[bytes] = []
        self.noticed = asyncio.Event()  # the origin has taken notice
        self.carried_out = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def _say(self, kind: bytes, digest: bytes) -> None:
        self.said.append(kind)
        if self.other is not None:
            hear = self.other.cancels.requested if kind == REQUEST else self.other.cancels.claimed
            hear(digest)

    def _begin(self, work: Work) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    def _take(self, digest: bytes) -> Work | None:
        return self._carry_out() if self.has_it and digest == DIGEST else None

    async def _carry_out(self) -> None:
        await self.noticed.wait()
        self.carried_out += 1


def pair(*, has_it: bool) -> tuple[Proxy, Proxy]:
    one, two = Proxy(has_it=False), Proxy(has_it=has_it)
    one.other, two.other = two, one
    return one, two


async def test_W31_a_claim_is_over_when_the_origin_has_taken_notice() -> None:
    one, two = pair(has_it=True)
    asked = asyncio.get_running_loop().create_task(one.cancels.ask(DIGEST, 60.0))
    for _ in range(10):
        await asyncio.sleep(0)
    assert (two.said, asked.done()) == ([CLAIM], False)
    two.noticed.set()
    assert await asked
    assert (two.carried_out, two.said) == (1, [CLAIM, CLAIM])


async def test_a_session_that_nobody_has_is_not_waited_for() -> None:
    one, two = pair(has_it=False)
    assert not await one.cancels.ask(DIGEST, 0.0)
    assert two.said == []
    one.cancels.claimed(DIGEST)  # too late, or nobody's


async def test_keys_are_told_apart() -> None:
    one, two = pair(has_it=True)
    assert not await one.cancels.ask(cancel_digest(42, b"secreT"), 0.0)
    assert two.carried_out == 0


def test_who_has_no_part_in_the_secret_cannot_tell_which_key_a_digest_is_of() -> None:
    key = b"k" * 32
    told = {cancel_digest(42, b"secret", key), cancel_digest(42, b"secret", b"x" * 32), DIGEST}
    assert len(told) == 3
    assert cancel_digest(42, b"secret", key) in told

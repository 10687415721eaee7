"""Giving up in time, with one timer."""

from __future__ import annotations

import asyncio

from pgcache.cache.shared.deadlines import Deadlines


class Waiting:
    """What waits until a test says that it is done."""

    def __init__(self) -> None:
        self.given_up = 0

    def give_up(self) -> None:
        self.given_up += 1


async def _until(is_so: asyncio.Event) -> None:
    async with asyncio.timeout(20):
        await is_so.wait()


class Last(Waiting):
    """The last of them."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()

    def give_up(self) -> None:
        super().give_up()
        self.heard.set()


async def test_what_is_done_is_not_given_up_and_the_rest_is_once() -> None:
    deadlines = Deadlines(0.02)
    first, done, last = Waiting(), Waiting(), Last()
    for waiting in (first, done, last):
        deadlines.add(waiting)
    deadlines.done(done)
    assert len(deadlines) == 2, "nothing of it is kept"
    await _until(last.heard)
    assert (first.given_up, done.given_up, last.given_up) == (1, 0, 1)
    deadlines.done(last)
    assert len(deadlines) == 0


async def test_nothing_is_given_up_before_its_time() -> None:
    deadlines, loop = Deadlines(0.05), asyncio.get_running_loop()
    first, second = Last(), Last()
    deadlines.add(first)
    await asyncio.sleep(0.03)
    begun = loop.time()
    deadlines.add(second)
    await _until(first.heard)
    assert second.given_up == 0 or loop.time() - begun >= 0.05
    await _until(second.heard)
    assert loop.time() - begun >= 0.05


async def test_it_waits_again_after_everything_was_done() -> None:
    deadlines = Deadlines(0.01)
    for _ in range(3):
        last = Last()
        deadlines.add(last)
        await _until(last.heard)
        assert last.given_up == 1


async def test_one_that_ends_another_as_it_gives_up() -> None:
    """Both are due at once; the second is done before its turn."""
    deadlines = Deadlines(0.01)
    second, last = Waiting(), Last()

    class First(Waiting):
        def give_up(self) -> None:
            deadlines.done(second)

    for waiting in (First(), second, last):
        deadlines.add(waiting)
    await _until(last.heard)
    assert second.given_up == 0

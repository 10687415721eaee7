"""Generations whose moves are announced: what is issued, and that hearing is not telling."""

from __future__ import annotations

import asyncio

from pgcache.cache.generations import Tag
from pgcache.cache.shared.generations import Heard, SharedGenerations, SharedLock


class Teller:
    """Notes what is announced; nobody hears of it before ``hear``."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self.open: list[Heard] = []
        self.is_stable = False

    def _say(self, *what: object) -> Heard:
        self.said.append(what)
        heard: Heard = asyncio.get_running_loop().create_future()
        self.open.append(heard)
        return heard

    def lock(self, lock: SharedLock) -> Heard:
        return self._say("lock", lock.tags, lock.pid)

    def unlock(self, lock: SharedLock) -> Heard:
        return self._say("unlock", lock.tags)

    def is_standing(self, lock: SharedLock) -> bool:
        return self.is_stable

    def order(self, order: bytes) -> Heard:
        return self._say("order", order)

    def move(self, tags: frozenset[Tag] | None, *, redefined: bool) -> Heard:
        return self._say("move", tags, redefined)


async def test_an_order_is_announced_and_left_to_whoever_takes_it() -> None:
    teller = Teller()
    generations = SharedGenerations(teller)
    generations.order(b"these")
    assert teller.said == [("order", b"these")]
    assert generations.issued() == generations.issued() == teller.open
    assert generations.take_issued() == teller.open
    assert generations.issued() == []


async def test_everything_is_announced_and_can_be_waited_for() -> None:
    teller = Teller()
    generations = SharedGenerations(teller)
    lock = generations.lock(frozenset((1,)), 42)
    assert generations.held == {lock.number: lock}
    assert generations.take_issued() == teller.open
    assert generations.take_issued() == []
    generations.unlock(lock, moved=True)
    generations.move([1, 2])
    generations.redefine()
    assert generations.held == {}
    assert teller.said == [
        ("lock", frozenset((1,)), 42),
        ("unlock", frozenset((1,))),
        ("move", frozenset((1, 2)), False),
        ("move", None, True),
    ]
    teller.open[1].set_result(None)
    assert generations.take_issued() == teller.open[2:]


async def test_T10_the_end_of_a_lock_that_all_know_of_is_told_but_not_waited_for() -> None:
    teller = Teller()
    generations = SharedGenerations(teller)
    lock = generations.lock(frozenset((1,)))
    vector = generations.capture((2,))
    generations.take_issued()
    teller.is_stable = True
    generations.unlock(lock, moved=True)
    assert generations.take_issued() == []
    await asyncio.sleep(0)
    assert teller.said[-1] == ("unlock", frozenset((1,)))
    assert vector is not None and generations.is_current((2,), vector)


async def test_what_is_heard_is_not_told_again() -> None:
    teller = Teller()
    generations = SharedGenerations(teller)
    vector = generations.capture((1, 2))
    assert vector is not None
    generations.hear(frozenset((2,)))
    assert generations.has_moved((1, 2), vector)
    assert teller.said == []
    assert generations.take_issued() == []


async def test_callers_who_do_not_wait_leave_nothing_behind() -> None:
    teller = Teller()
    generations = SharedGenerations(teller)
    for _ in range(300):
        generations.move([1])
        teller.open[-1].set_result(None)
    assert generations.take_issued() == []

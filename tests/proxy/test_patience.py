"""Waiting for the catalogs, and when it is no longer worth it."""

from __future__ import annotations

import asyncio

import pytest

from pgcache.proxy.patience import Patience
from tests.proxy.rig import Line, Rig
from tests.support.frames import query


class Clock:
    """Seconds that pass when told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def is_left(patience: Patience) -> bool:
    """Ask anew."""
    return patience.is_left


def test_it_is_used_up_by_waiting_and_comes_back_with_time() -> None:
    clock = Clock()
    patience = Patience(clock)
    for _ in range(100):
        assert is_left(patience)
        began, clock.now = clock.now, clock.now + 0.19
        patience.spend(began)
    # 19 seconds waited; a tenth of the time has come back.
    assert is_left(patience)
    for _ in range(20):
        began, clock.now = clock.now, clock.now + 0.19
        patience.spend(began)
    assert not is_left(patience)
    clock.now += 30
    assert is_left(patience)


def test_those_who_wait_together_count_once() -> None:
    clock = Clock()
    patience = Patience(clock)
    clock.now += 1.0
    for _ in range(200):
        patience.spend(100.0)
    assert is_left(patience)
    patience.spend(100.5)
    clock.now += 18.5
    patience.spend(100.5)
    assert is_left(patience)
    clock.now += 5.0
    patience.spend(119.0)
    assert not is_left(patience)


@pytest.mark.parametrize("waits", [True, False])
async def test_a_question_waits_while_it_is_left(rig: Rig, line: Line, waits: bool) -> None:
    rig.catalog.is_slow = True
    if not waits:
        rig.now += 60.0
        rig.database.patience.spend(rig.now - 60.0)
        rig.now += 1.0
    line.says(query("create table more (v text)"))
    line.heard()
    line.asked()
    line.says(query("select v from t"))
    if waits:
        assert line.asked() == ""
        rig.catalog.reload()
        for _ in range(10):
            await asyncio.sleep(0)
        line.settle()
    else:
        assert line.asked() == "Q"
    line.hears("T(v) D(one) D(two) C(SELECT_2) Z(I)")
    assert rig.counters.misses == waits

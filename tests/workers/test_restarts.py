from __future__ import annotations

from pgcache.workers.restarts import FIRST_DELAY, MAX_DELAY, PROBATION, Restarts


def test_one_that_served_long_is_replaced_at_once() -> None:
    restarts = Restarts()
    for number in range(1, 4):
        restarts.started(100.0)
        assert restarts.ended(100.0 + PROBATION) == 0.0
        assert restarts.count == number


def test_one_that_keeps_failing_is_tried_less_and_less() -> None:
    restarts, now, delays = Restarts(), 0.0, []
    for _ in range(2_000):
        restarts.started(now)
        now += 0.1
        delays.append(restarts.ended(now))
    assert delays[:4] == [0.0, FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4]
    assert delays == sorted(delays)
    assert delays[-1] == MAX_DELAY


def test_a_good_life_forgives() -> None:
    restarts = Restarts()
    for _ in range(5):
        restarts.started(0.0)
        restarts.ended(0.0)
    restarts.started(0.0)
    assert restarts.ended(PROBATION) == 0.0
    restarts.started(0.0)
    assert restarts.ended(1.0) == FIRST_DELAY

"""A member's lease: how long others may rely on hearing it, and what comes too late for it."""

from __future__ import annotations

import pytest

from pgcache.cache.shared.lease import Lease
from pgcache.cache.shared.link import Times

TIMES = Times(2.0)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_who_was_never_a_member_is_relied_on_by_nobody() -> None:
    assert Lease(TIMES, Clock()).silence_left < 0


def test_T14_a_renewal_has_a_deadline_by_the_stores_clock() -> None:
    clock = Clock()
    lease = Lease(TIMES, clock)
    lease.tell(7_000)
    clock.now += 0.25
    assert lease.ask() == 7_000 + 250 + 500


def test_T14_silence_is_counted_from_when_it_may_have_been_renewed() -> None:
    clock = Clock()
    lease = Lease(TIMES, clock)
    lease.tell(7_000)
    lease.ask()
    assert lease.silence_left == pytest.approx(TIMES.lateness + TIMES.silence)
    clock.now += 0.1
    lease.answer()
    assert lease.silence_left == pytest.approx(TIMES.silence)
    clock.now += 1.0
    lease.ask()  # ... and nobody knows what becomes of it
    clock.now += 3.0
    assert lease.silence_left == pytest.approx(TIMES.lateness + TIMES.silence - 3.0)
    clock.now += 5.0
    assert lease.silence_left < 0


def test_T14_a_renewal_that_was_refused_counts_for_nothing() -> None:
    clock = Clock()
    lease = Lease(TIMES, clock)
    lease.tell(7_000)
    lease.ask()
    lease.answer()
    for _ in range(10):
        clock.now += 1.0
        lease.ask()
        lease.refuse()
    assert lease.silence_left == pytest.approx(TIMES.silence - 10.0)
    lease.ask()  # ... and nobody knows what becomes of it
    clock.now += 0.5
    lease.ask()
    lease.refuse()
    assert lease.silence_left == pytest.approx(TIMES.lateness + TIMES.silence - 0.5)


def test_an_answer_that_was_long_on_its_way_renews_nothing_later_than_the_deadline() -> None:
    clock = Clock()
    lease = Lease(TIMES, clock)
    lease.tell(7_000)
    lease.ask()
    clock.now += 0.9
    lease.answer()
    assert lease.silence_left == pytest.approx(TIMES.silence - (0.9 - TIMES.lateness))

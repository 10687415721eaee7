"""Second looks: XFetch's probabilities, and when they are drawn."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.policy.looking import any_of, first_look, next_look, renews

TIMES = st.floats(0.001, 1e4)


@given(st.floats(0, 1), st.integers(0, 1_000))
def test_many_hits_are_as_many_draws(probability: float, hits: int) -> None:
    assert any_of(probability, hits) == pytest.approx(1 - (1 - probability) ** hits, abs=1e-9)


@given(TIMES, TIMES, st.floats(0.1, 5), st.integers(0, 100), st.floats(0, 1))
def test_one_draw_for_all_hits_decides_as_xfetch_does(
    gap: float, cost: float, beta: float, hits: int, chance: float
) -> None:
    single = math.exp(-gap / (cost * beta))
    expected = 1 - (1 - single) ** hits
    if abs(chance - expected) > 1e-9:
        assert renews(gap, cost, beta, hits, chance) is (chance < expected)


@pytest.mark.parametrize(("beta", "cost"), [(0.0, 1.0), (1.0, 0.0)])
def test_what_is_off_or_cost_nothing_is_not_renewed(beta: float, cost: float) -> None:
    assert not renews(0.0, cost, beta, 1_000, 0.0)


def test_without_hits_nothing_is_renewed() -> None:
    assert not renews(0.0, 1.0, 1.0, 0, 0.0)
    assert renews(0.0, 1.0, 1.0, 1, 0.999)


@given(TIMES, TIMES, TIMES, st.floats(0, 5), st.floats(0, 1))
def test_looks_lie_within_the_lifetime_and_go_on(
    start: float, life: float, cost: float, beta: float, ratio: float
) -> None:
    end = start + life
    first = first_look(start, end, cost, beta, ratio)
    assert start <= first <= end
    assert ratio > 0 or first >= (start + end) / 2 - 1e-6
    following = next_look(first, end, cost, beta, ratio)
    assert following == end or following > first


def test_nothing_asked_for_means_no_look_before_the_end() -> None:
    assert first_look(0.0, 300.0, 5.0, 0.0, 0.0) == 300.0
    assert next_look(10.0, 300.0, 5.0, 0.0, 0.0) == 300.0
    assert first_look(0.0, 300.0, 5.0, 0.0, 0.1) == 1.0
    assert next_look(10.0, 300.0, 5.0, 0.0, 0.1) == 11.0
    assert first_look(0.0, 300.0, 5.0, 1.0, 0.0) == 250.0


def test_a_hot_result_is_nearly_always_renewed_in_time_with_few_looks() -> None:
    """100 hits a second on a result that takes 2 s: renewed more than its cost before the end."""
    dice = random.Random(7)
    in_time, looks, cost, rate = 0, 0, 2.0, 100
    for _ in range(500):
        look = first_look(0.0, 300.0, cost, 1.0, 0.0)
        hits = int(look * rate)
        while look < 300.0:
            looks += 1
            if renews(300.0 - look, cost, 1.0, hits, dice.random()):
                in_time += 300.0 - look >= cost
                break
            following = next_look(look, 300.0, cost, 1.0, 0.0)
            hits = int((following - look) * rate)
            look = following
    assert in_time >= 495
    assert looks / 500 < 80

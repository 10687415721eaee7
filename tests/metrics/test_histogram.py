from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.metrics.histogram import BOUNDS, Histogram


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram(1.0, 2.0)
    for seconds in (0.0, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(seconds)
    assert list(histogram.cumulative()) == [(1.0, 2), (2.0, 4), (float("inf"), 5)]
    assert histogram.sum == 7.0
    assert repr(histogram) == "<Histogram 5 of 7 s>"


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_nothing_is_lost_and_counts_only_grow(times: list[float]) -> None:
    histogram = Histogram()
    for seconds in times:
        histogram.observe(seconds)
    counts = [count for _, count in histogram.cumulative()]
    assert histogram.count == len(times) == counts[-1]
    assert all(before <= after for before, after in pairwise(counts))
    assert histogram.sum == pytest.approx(sum(times))
    for bound, count in zip(BOUNDS, counts, strict=False):
        assert count == sum(seconds <= bound for seconds in times)


def test_quantiles_are_upper_bounds() -> None:
    histogram = Histogram(0.1, 1.0)
    assert histogram.quantile(0.5) == 0.0
    for seconds in (0.05, 0.05, 0.5, 20.0):
        histogram.observe(seconds)
    assert histogram.quantile(0.5) == 0.1
    assert histogram.quantile(0.75) == 1.0
    assert histogram.quantile(1.0) == float("inf")

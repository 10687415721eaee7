"""Medians, ranges and ratios of rounds."""

from __future__ import annotations

from math import isnan

import pytest

from benchmarks.samples import Series

NAN = float("nan")


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    ours, theirs = Series.of((10.0, 40.0, 9.0)), Series.of((10.0, 10.0, 3.0))
    assert ours.over(theirs).values == (1.0, 4.0, 3.0)
    assert ours.over(theirs).median == 3.0  # the ratio of the medians would be 1.0


def test_rounds_that_gave_nothing_do_not_count() -> None:
    series = Series.of((NAN, 4.0, 2.0))
    assert (series.low, series.median, series.high) == (2.0, 3.0, 4.0)


def test_nothing_measured_is_not_a_number() -> None:
    for series in (Series.of(()), Series.of((NAN,))):
        assert isnan(series.median)
        assert isnan(series.low)
        assert isnan(series.high)


def test_series_of_different_lengths_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        Series.of((1.0,)).over(Series.of((1.0, 2.0)))

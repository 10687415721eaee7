from __future__ import annotations

import pytest

from pgcache.metrics.history import History, Sample


def test_rates_are_of_what_happened_between() -> None:
    history = History()
    assert history.whole() is None
    for at, hits, misses, saved in ((0.0, 5, 5, 1.0), (10.0, 14, 6, 21.0), (20.0, 14, 6, 21.0)):
        history.add(Sample(at, hits, misses, 0, saved))
    first, second = history.spans()
    assert (first.ratio, first.saved_rate) == (0.9, 2.0)
    assert (second.ratio, second.saved_rate) == (None, 0.0)
    whole = history.whole()
    assert whole is not None
    assert (whole.seconds, whole.hits, whole.asked, whole.saved) == (20.0, 9, 10, 20.0)


def test_a_worker_that_began_anew_is_no_negative_rate() -> None:
    history = History()
    history.add(Sample(0.0, 100, 100, 0, 50.0))
    history.add(Sample(10.0, 5, 110, 0, 1.0))
    (span,) = history.spans()
    assert (span.hits, span.asked, span.saved) == (0, 10, 0.0)


@pytest.mark.parametrize("kept", [1, 3])
def test_old_samples_leave(kept: int) -> None:
    history = History(kept)
    for second in range(10):
        history.add(Sample(float(second), second, 0, 0, 0.0))
    assert [span.at for span in history.spans()] == [float(n) for n in range(10 - kept, 10)]

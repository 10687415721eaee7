from __future__ import annotations

from pgcache.metrics.sources import SourceState


def test_a_new_source_hears_nothing_yet() -> None:
    state = SourceState("listen", "app")
    assert not state.is_up
    assert state.lag is None
    assert state.changes == 0

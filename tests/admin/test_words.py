from __future__ import annotations

import pytest

from pgcache.admin.words import format_seconds


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0 ms"), (1.0, "1.0 s"), (119.0, "119.0 s"), (120.0, "2.0 min"), (7200.0, "2.0 h")],
)
def test_times(seconds: float, said: str) -> None:
    assert format_seconds(seconds) == said

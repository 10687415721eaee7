from __future__ import annotations

import pytest

from pgcache.demo.dashboard import TILES, Answer, Viewer
from tests.demo.conftest import Filled


@pytest.mark.parametrize(
    ("verdict", "short", "is_hit"),
    [
        ("hit; ttl=287; key=ab", "hit", True),
        ("fwd=miss; stored; ttl=300; key=ab", "miss", False),
        ("fwd=bypass; detail=volatile-function", "volatile-function", False),
        ("fwd=miss; detail=too-large", "too-large", False),
        ("", "no notice", False),
    ],
)
def test_verdicts_in_a_word(verdict: str, short: str, is_hit: bool) -> None:
    answer = Answer([], 1.0, verdict)
    assert (answer.short, answer.is_hit) == (short, is_hit)


def test_there_are_enough_tiles() -> None:
    assert len(TILES) >= 6
    assert len({tile.title for tile in TILES}) == len(TILES)
    revenue = TILES[0].sql
    assert revenue.count("\nJOIN ") == 4
    for part in ("count(DISTINCT", "percentile_cont", "INTERVAL '30 days'"):
        assert part in revenue


@pytest.mark.postgres
def test_every_tile_has_rows_and_is_the_same_twice(filled: Filled) -> None:
    with Viewer(filled.url) as viewer:
        assert viewer.ask("SET application_name = 'x'").rows == []
        for tile, answer in viewer.look():
            assert answer.rows, tile.title
            assert answer.elapsed_ms > 0
            assert answer.verdict == "", "PostgreSQL itself says nothing"

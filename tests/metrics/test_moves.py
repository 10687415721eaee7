from __future__ import annotations

from pgcache.metrics.counters import Source
from pgcache.metrics.moves import Moves


def test_counts_are_by_source_and_tag() -> None:
    moves = Moves()
    moves.note(Source.WRITE, [1, 2], 10.0)
    moves.note(Source.WRITE, [1], 11.0)
    moves.note(Source.CONSOLE, None, 12.0)
    assert list(moves.counts()) == [
        (Source.WRITE, 1, 2),
        (Source.WRITE, 2, 1),
        (Source.CONSOLE, None, 1),
    ]


def test_everything_moves_each_tag() -> None:
    moves = Moves()
    assert moves.moved_at(1) is None
    assert moves.latest(3.0) == 3.0
    moves.note(Source.WRITE, [1], 10.0)
    assert (moves.moved_at(1), moves.moved_at(2)) == (10.0, None)
    moves.note(Source.SCHEMA, None, 12.0)
    assert (moves.moved_at(1), moves.moved_at(2)) == (12.0, 12.0)
    moves.note(Source.WRITE, [2], 15.0)
    assert (moves.moved_at(1), moves.moved_at(2)) == (12.0, 15.0)
    assert moves.latest(3.0) == 15.0


def test_made_up_tags_cannot_fill_the_memory() -> None:
    moves = Moves(max_tags=2)
    moves.note(Source.CONSOLE, ["a", "b", "c", "d", "a"], 1.0)
    assert {tag: count for _, tag, count in moves.counts()} == {"a": 2, "b": 1, None: 2}

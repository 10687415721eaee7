from __future__ import annotations

from pgcache.catalog.model import EVERYTHING
from pgcache.invalidation.prepared import PreparedTransactions


def test_what_was_prepared_here_is_known_once() -> None:
    prepared = PreparedTransactions()
    prepared.remember("a", frozenset({1}), False)
    assert prepared.take("a") == (frozenset({1}), False)
    assert prepared.take("a") == (EVERYTHING, True)


def test_a_name_used_again_means_something_else() -> None:
    prepared = PreparedTransactions()
    prepared.remember("a", frozenset({1}), False)
    prepared.forget("a")
    prepared.forget("never")
    assert prepared.take("a") == (EVERYTHING, True)


def test_the_oldest_are_forgotten_and_then_count_as_everything() -> None:
    prepared = PreparedTransactions(2)
    for number, gid in enumerate("abc"):
        prepared.remember(gid, frozenset({number}), False)
    assert prepared.take("a") == (EVERYTHING, True)
    assert prepared.take("c") == (frozenset({2}), False)

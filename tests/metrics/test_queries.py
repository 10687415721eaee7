from __future__ import annotations

import pytest

from pgcache.errors import Reason
from pgcache.metrics.counters import Counters
from pgcache.metrics.queries import Queries, Shape


def _queries(counters: Counters | None = None, **options: int) -> Queries:
    """A table in which texts that begin with the same letter are of one kind."""
    return Queries(counters or Counters(), lambda what: Shape(str(what)[0], str(what)), **options)  # type: ignore[arg-type]


def test_kinds_are_told_apart_by_database_and_fingerprint() -> None:
    queries = _queries()
    first = queries.find("app", "a1")
    assert queries.find("app", "a2") is first
    assert queries.find("app", "b") is not first
    assert queries.find("other", "a1") is not first
    assert len(queries) == 3
    assert {(query.database, query.fingerprint) for query in queries} == {
        ("app", "a"),
        ("app", "b"),
        ("other", "a"),
    }
    queries.clear()
    assert len(queries) == 0
    assert queries.find("app", "a1") is not first


def test_what_is_counted() -> None:
    counters = Counters()
    query = _queries(counters).find("app", "a")
    query.ran(None, 2.0, 10.0)
    query.filled(5, 100)
    assert (query.last, query.last_at) == ("miss", 10.0)
    query.credit(3, 2.0, 5, 100)
    assert query.last == "hit"
    query.ran(Reason.PAUSED, 0.5, 11.0)
    assert query.last == "paused"
    assert (query.calls, query.hits, query.misses, query.passes) == (5, 3, 1, {Reason.PAUSED: 1})
    assert (query.origin_seconds, query.longest, query.saved_seconds) == (2.5, 2.0, 6.0)
    assert (query.rows, query.bytes) == (20, 400)
    assert counters.saved_seconds == 6.0
    assert repr(query) == "<Query a 3 of 5 hits>"


def test_those_that_matter_least_leave() -> None:
    queries = _queries(max_queries=10)
    for number, name in enumerate("abcdefghij"):
        queries.find("app", name).ran(None, float(number), 0.0)
    queries.find("app", "b").credit(1, 100.0, 1, 1)
    kept = queries.find("app", "k")
    assert {query.fingerprint for query in queries} == set("bcdefghijk")
    assert queries.find("app", "k") is kept
    assert queries.find("app", "a").misses == 0, "it begins anew"


@pytest.mark.parametrize(("count", "expected"), [(1, "b"), (2, "bc"), (10, "bca")])
def test_top(count: int, expected: str) -> None:
    queries = _queries()
    for name, seconds in (("a", 1.0), ("b", 3.0), ("c", 2.0)):
        queries.find("app", name).credit(1, seconds, 1, 1)
    assert "".join(query.fingerprint for query in queries.top(count)) == expected
    assert queries.top(1, lambda query: -query.saved_seconds)[0].fingerprint == "a"


def test_a_long_one_is_not_kept_by_its_text() -> None:
    asked: list[object] = []

    def shape_of(what: object) -> Shape:
        asked.append(what)
        return Shape("one kind", "text")

    queries = Queries(Counters(), shape_of, size_of=lambda what: len(str(what)))
    long = "x" * 10_000
    assert queries.find("db", long) is queries.find("db", long) is queries.find("db", "short")
    queries.find("db", "short")
    assert asked == [long, long, "short"]

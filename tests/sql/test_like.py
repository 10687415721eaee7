"""LIKE over texts: compared with PostgreSQL's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.sql.like import build_like
from tests.support.postgres import Server


@pytest.mark.parametrize(
    ("pattern", "text", "is_like"),
    [
        ("select%from orders%", "select * from orders where id = 1", True),
        ("SELECT%FROM Orders%", "select 1 from orders", True),
        ("select%from orders", "select 1 from orders where true", False),
        ("%orders%", "orders", True),
        ("%", "", True),
        ("", "", True),
        ("", "x", False),
        ("a%a", "a", False),
        ("a%a", "aa", True),
        ("%ab%b", "ab", False),
        ("a_c", "abc", True),
        ("a_c", "ac", False),
        (r"100\%", "100%", True),
        (r"100\%", "100 percent", False),
        ("select\n\t%", "select 1", True),
        ("%.%", "a b", False),
        ("a%", "a\nb", True),
    ],
)
def test_like(pattern: str, text: str, is_like: bool) -> None:
    assert build_like(pattern)(text) is is_like


def test_a_lone_backslash_at_the_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="must not end with escape character"):
        build_like("a\\")


def test_a_long_text_takes_no_time_that_grows_with_a_power() -> None:
    assert not build_like("%a%a%a%a%a%a%a%a%b%")("a" * 200_000)


def _reference(pattern: str, text: str) -> bool:
    """LIKE by its definition: row by row of a table of prefixes."""
    reached = {0}
    for character in pattern:
        if character == "%":
            reached = set(range(min(reached, default=len(text) + 1), len(text) + 1))
        else:
            fits = {n for n in reached if n < len(text) and character in ("_", text[n])}
            reached = {n + 1 for n in fits}
    return len(text) in reached


@given(pattern=st.text("ab%_", max_size=8), text=st.text("ab", max_size=10))
def test_as_defined(pattern: str, text: str) -> None:
    assert build_like(pattern)(text) is _reference(pattern, text)


@pytest.mark.postgres
def test_as_postgresql(newest_postgres: Server) -> None:
    patterns = ["%", "a%", "%a", "a%b%c", "_b%", r"\%%", "", "%%", "a_%_c", r"a\_c"]
    texts = ["", "a", "abc", "aXbYc", "%", "a_c", "abbbc", "ab", "cab"]
    with newest_postgres.connect() as connection:
        for pattern in patterns:
            for text in texts:
                row = connection.execute("SELECT %s::text LIKE %s", (text, pattern)).fetchone()
                assert row == (build_like(pattern)(text),), (pattern, text)

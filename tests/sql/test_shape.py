"""A text without its literals."""

from __future__ import annotations

import pytest

from pgcache.sql.script import read_script
from pgcache.sql.shape import LONGEST, fingerprint, is_ordered, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("select a  from t where b = 'x' -- no", "select a from t where b = ?"),
        ("select 1, $1, $$a$$, U&'x'", "select ?, $1, ?, ?"),
        ('select "a 1" from t', 'select "a 1" from t'),
        ("select 'unterminated", "select ?"),
    ],
)
def test_literals_are_gone(text: str, shown: str) -> None:
    assert redact(text) == shown


def _of(text: str) -> str:
    return fingerprint(read_script(text.encode()).key_text)


def test_a_fingerprint_tells_kinds_of_queries_apart() -> None:
    assert len(_of("select a from t")) == 16
    assert _of("SELECT a FROM t WHERE b = 5 -- x") == _of("select a from t where b = 17")
    assert _of("select a from t where b = 'x'") == _of("select a from t where b = 5")
    assert _of("select a from t where b = c") != _of("select a from t where b = 5")
    assert _of('select "A" from t') != _of("select a from t")
    assert fingerprint(b"select '\xff'") == fingerprint(b"select 'x'")


@pytest.mark.parametrize(
    ("text", "ordered"),
    [
        ("select a from t ORDER  BY a", True),
        ("(select a from t order by a) limit 1", False),
        ("select rank() over (order by a) from t", False),
        ("select a from t -- order by a", False),
        ("select 'order by' from t", False),
        ('select a as "order" from t', False),
        ("select a from (select a from t order by a) t order by 1", True),
    ],
)
def test_an_order_counts_outside_of_parentheses(text: str, ordered: bool) -> None:
    assert is_ordered(read_script(text.encode()).key_text) is ordered


def test_of_a_long_text_only_the_beginning_is_looked_at() -> None:
    text = "select a from t where b = '" + "x" * LONGEST + "' and secret = 'hush'"
    assert redact(text) == "select a from t where b = ? …"
    words = "select " + ", ".join(["a"] * LONGEST)
    assert len(redact(words)) <= LONGEST + 2


def test_the_mark_of_a_raw_key_is_not_shown() -> None:
    assert redact("\0select 1") == "select ?"

"""Queries that differ in constants share an analysis, and only where it is the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcache.sql.lexer import TokenKind, tokenize
from pgcache.sql.long import LONG
from pgcache.sql.model import Read, Statement
from pgcache.sql.outline import is_of_outline, outline
from pgcache.sql.script import read_script
from pgcache.sql.shape import redact
from tests.sql.corpus import STATEMENTS, statements

NUMBERS = ["0", "1", "42", "1.5", ".5", "1e10", "0x1F", "1_000", "9" * 30]
STRINGS = [
    *("''", "'a'", "'EU'", "'2026-01-31'", "'it''s'", "'now'", "'today at 5'", "'nowhere'"),
    *(
        "'app.tenant'",
        "'a, b)'",
        "'?'",
        "'$1'",
        "'a'\n'b'",
        "'to'\n'day'",
        "E'a'",
        "'\\'",
        "'now''s'",
    ),
]
QUERIES = [*STATEMENTS, *statements("dashboards")]


def outline_of(text: str) -> str | None:
    return outline(text, tokenize(text))


def analysis(text: str) -> tuple[Statement, ...]:
    return tuple(
        replace(statement, start=0, end=0) for statement in read_script(text.encode()).statements
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE id = 1", "select a  from t where id = 2.5 -- why"),
        ("SELECT a FROM t WHERE s = 'x' LIMIT 10", "SELECT a FROM t WHERE s = 'y z' LIMIT 20"),
        ("SELECT a FROM t WHERE s IN ('x', 'y')", "SELECT a FROM t WHERE s IN ('z', '')"),
        ("SELECT f(a, 'x'), now() FROM t", "SELECT f(a, 'y'), now() FROM t"),
        ("SELECT a FROM t WHERE d > date '2026-01-01'", "SELECT a FROM t WHERE d > date '1-1-1'"),
    ],
)
def test_constants_make_no_other_outline(one: str, other: str) -> None:
    assert outline_of(one) == outline_of(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t", "SELECT b FROM t"),
        ("SELECT a FROM t WHERE b=1", "SELECT a FROM t WHERE b = 1"),
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = $1"),
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = '1'"),
        ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = 'today'"),
        ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = 'to'\n'day'"),
        ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = E'x'"),
        ("SELECT current_setting('a.b') FROM t", "SELECT current_setting('a.c') FROM t"),
        ("SELECT x.in('a.b') FROM t", "SELECT x.in('a.c') FROM t"),
        ("SELECT a FROM t WHERE b = 'x'", 'SELECT a FROM t WHERE b = "x"'),
    ],
)
def test_anything_else_does(one: str, other: str) -> None:
    assert outline_of(one) != outline_of(other)


@pytest.mark.parametrize("text", ["", "INSERT INTO t VALUES (1)", "SET a = 1", "; SELECT 1 FROM t"])
def test_only_queries_have_one(text: str) -> None:
    assert outline_of(text) is None


def test_a_long_text_has_none() -> None:
    assert outline_of(f"SELECT a FROM t WHERE s = '{'x' * LONG}'") is None


def test_what_is_refused_is_not_shared() -> None:
    """The reason may quote a constant."""
    assert is_of_outline([reading(Read())])
    for text in ("SELECT 1", "SELECT a FROM t FOR UPDATE", "SELECT a FROM t; SELECT b FROM t", ""):
        assert not is_of_outline(read_script(text.encode()).statements)


def reading(read: Read) -> Statement:
    return replace(read_script(b"SELECT a FROM t").statements[0], read=read)


def with_constants(text: str, chosen: list[tuple[str, str]]) -> str:
    """``text`` with its numbers and plain literals replaced, in turn, by those chosen."""
    parts, position, count = [], 0, 0
    for token in tokenize(text):
        parts.append(text[position : token.start])
        position = token.end
        if token.kind in (TokenKind.NUMBER, TokenKind.STRING):
            parts.append(chosen[count % len(chosen)][token.kind is TokenKind.STRING])
            count += 1
        else:
            parts.append(text[token.start : token.end])
    return "".join(parts) + text[position:]


constants = st.tuples(st.sampled_from(NUMBERS), st.sampled_from(STRINGS))
calls = st.sampled_from(
    [
        "SELECT f('x', 1), g(2), h(date 'x'), in ('x') FROM t WHERE a IN ('x', 'y') AND b = 'z'",
        "SELECT a FROM f('x') WHERE position('x' in ('y')) = 1 OR c LIKE 'x' ESCAPE 'y'",
        "SELECT x AS in ('x'), CASE 'x' WHEN 'y' THEN 1 END, ARRAY['x', 1], t.in('x') FROM t",
        "SELECT current_setting('x'), current_setting('x', true), s.current_setting('x') FROM t",
        "WITH in AS MATERIALIZED (SELECT 'x') SELECT a FROM t LIMIT 1 OFFSET 2",
        "SELECT interval '1' second(3), numeric(10, 2) 'x', a::varchar(3) FROM t ORDER BY 1, 2",
        "SELECT a FROM t GROUP BY GROUPING SETS ((1), ('x')) HAVING max('x') > 1 LIMIT 1",
    ]
)


@settings(deadline=None, max_examples=400)
@given(
    st.one_of(st.sampled_from(QUERIES), calls),
    st.lists(constants, min_size=1, max_size=12),
    constants,
    st.integers(0, 11),
)
def test_the_same_outline_is_the_same_analysis(
    text: str, some: list[tuple[str, str]], another: tuple[str, str], place: int
) -> None:
    others = some.copy()
    others[place % len(some)] = another
    one, other = with_constants(text, some), with_constants(text, others)
    drawn = outline_of(one)
    if drawn is None or drawn != outline_of(other) or not is_of_outline(analysis(one)):
        return
    assert analysis(one) == analysis(other)
    assert _display(one) == _display(other)


def _display(text: str) -> str:
    return redact(read_script(text.encode()).key_text.decode())

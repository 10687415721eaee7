"""The cursor over tokens."""

from __future__ import annotations

import pytest

from pgcache.sql.lexer import tokenize
from pgcache.sql.model import Name, RelationRef
from pgcache.sql.reader import Source, TokenReader, match_parentheses


def reader(text: str) -> TokenReader:
    return TokenReader(Source(text, tokenize(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", Name("a")),
        ('S."T"', Name("T", "s")),
        ("db.s.t", Name("t", "s", "db")),
        (r'U&"d!0061" UESCAPE ' + "'!'", Name("da")),
        ("s.select", Name("select", "s")),
        ("s . t", Name("t", "s")),
        ('"select"', Name("select")),
        ("select", None),
        ("left", None),
        ("s.", None),
        ("s.'a'", None),
        ("'a'", None),
        ("", None),
    ],
)
def test_names(text: str, expected: Name | None) -> None:
    one = reader(text)
    assert one.name() == expected
    assert one.index == (0 if expected is None else one.end)


@pytest.mark.parametrize(
    ("text", "expected", "rest"),
    [
        ("t", RelationRef(Name("t")), ""),
        ("t * x", RelationRef(Name("t")), "x"),
        ("ONLY s.t x", RelationRef(Name("t", "s"), only=True), "x"),
        ("ONLY (t) x", RelationRef(Name("t"), only=True), "x"),
        ("ONLY (t x", None, "only"),
        ("(t)", None, ""),
    ],
)
def test_relations(text: str, expected: RelationRef | None, rest: str) -> None:
    one = reader(text)
    assert one.relation() == expected
    assert one.word() == rest


def test_a_list_is_read_whole_or_not_at_all() -> None:
    assert len(reader("a, ONLY b, s.c *").relations()) == 3
    one = reader("a, 1")
    assert one.relations() == ()
    assert one.index == 0


def test_words_and_marks() -> None:
    one = reader("a b (c, (d)) , 'x' = 1")
    assert one.at("a", "b")
    assert not one.take("a", "c")
    assert one.take("a", "b")
    assert one.skip_parentheses()
    assert one.take_one_of("x", "y") == ""
    assert one.take_mark(";", ",")
    assert one.string() == "x"
    assert one.mark() == "="
    assert one.word() == ""
    assert not one.is_last()
    assert one.rest_as_written() == ["=", "1"]
    assert one.is_done()
    assert one.peek() is None


def test_parentheses_find_their_partners() -> None:
    assert match_parentheses(tokenize("( ( ) a ) ( )")) == [4, 2, -1, -1, -1, 6, -1]
    assert match_parentheses(tokenize(") ( (")) == [-1, 3, 3]


def test_an_open_parenthesis_reaches_to_the_end() -> None:
    one = reader("(a")
    assert one.skip_parentheses()
    assert one.is_done()

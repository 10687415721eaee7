"""Values of literals and identifiers against PostgreSQL's parser."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcache.sql.lexer import TokenKind, tokenize
from pgcache.sql.literals import cut_name, identifier, is_certain_name, string_value
from tests.sql import oracle

bodies = st.text(alphabet="ab'\\nNxuU0179dé€\n ", max_size=12)
prefixes = st.sampled_from(["", "E", "e", "N", "U&"])


def tree_value(text: str) -> str | None:
    """Return the string constant that PostgreSQL makes of SELECT <text>."""
    trees = oracle.parse(f"SELECT {text}")
    if trees is None or len(trees) != 1:
        return None
    target: Any = trees[0].targetList[0]
    found = target.val.arg if hasattr(target.val, "arg") else target.val  # N'…' is a cast
    value: Any = getattr(found, "val", None)
    return value.sval if target.name is None and hasattr(value, "sval") else None


@settings(deadline=None)
@given(prefixes, st.lists(bodies, min_size=1, max_size=3))
def test_strings_are_those_of_postgres(prefix: str, pieces: list[str]) -> None:
    text = prefix + "\n".join(f"'{piece}'" for piece in pieces)
    expected = tree_value(text)
    tokens = tokenize(text)
    if expected is None or len(tokens) != 1:
        return
    found = string_value(tokens[0])
    assert found is not None
    if "\\" not in text or all(ord(c) < 128 for c in expected):
        assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'it''s'", "it's"),
        ("'a'\n  'b' -- c\n 'c'", "abc"),
        ("'a'\n  'b' 'c'", None),  # two literals
        ("'a'\n -- c\n 'b'", "ab"),
        (r"'a\n'", r"a\n"),
        (r"E'a\n\t\b\f\r\\\'\x41\101\u00e9\U0001F600\q'", "a\n\t\b\f\r\\'AAé😀q"),
        (r"E'\xff'", "\udcff"),
        ("$$a'b$$", "a'b"),
        ("$t$a$$b$t$", "a$$b"),
        ("N'a'", "a"),
        (r"U&'d\0061t\+000061\\'", "data\\"),
        ("B'101'", None),
        ('"a"', None),
        ("a", None),
        ("1", None),
    ],
)
def test_string_values(text: str, expected: str | None) -> None:
    tokens = tokenize(text)
    assert (string_value(tokens[0]) if len(tokens) == 1 else None) == expected


def test_another_escape_character() -> None:
    assert string_value(tokenize("U&'d!0061'")[0], "!") == "da"
    assert identifier(tokenize('U&"d!0061"')[0], "!") == "da"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Abc", "abc"),
        ('"Abc"', "Abc"),
        ('"a""b"', 'a"b'),
        (r'U&"d\0061t"', "dat"),
        ("'a'", None),
        ("1", None),
        ("(", None),
        ("a" * 70, "a" * 63),
        ('"' + "é" * 40 + '"', "é" * 31),
        ('"' + "😀" * 16 + '"', "😀" * 15),
    ],
)
def test_identifiers(text: str, expected: str | None) -> None:
    assert identifier(tokenize(text)[0]) == expected


@settings(deadline=None)
@given(st.text())
def test_names_are_cut_to_63_bytes_at_a_character(name: str) -> None:
    cut = cut_name(name)
    assert name.startswith(cut)
    assert len(cut.encode("utf-8", "surrogatepass")) <= 63
    assert cut == name or len(name[: len(cut) + 1].encode("utf-8", "surrogatepass")) > 63


@settings(deadline=None)
@given(st.text(max_size=80))
def test_identifiers_are_those_of_postgres(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    trees = oracle.parse(f"SELECT 1 AS {quoted}") if name and "\0" not in name else None
    if trees is None:
        return
    (token,) = tokenize(quoted)
    assert token.kind is TokenKind.QUOTED
    assert identifier(token) == trees[0].targetList[0].name


@pytest.mark.parametrize(
    ("name", "is_certain"),
    [
        ("a" * 63, True),
        ("A b", True),
        ("\u00e9" * 15, True),
        ("\u00e9" * 16, False),
        ("\u00c9", False),  # a single-byte encoding's locale may fold it
        ("\u30a2" * 10, True),
        ("\u30a2" * 11, False),
        ("", True),
    ],
)
def test_S12_names_that_every_encoding_cuts_alike(name: str, is_certain: bool) -> None:
    assert is_certain_name(name) == is_certain

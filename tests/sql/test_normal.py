"""Key texts: what shares one and what must not (C-01, C-02, C-04)."""

from __future__ import annotations

import random
import re
from collections import defaultdict

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pglast import parser

from pgcache.sql.lexer import TokenKind, fold, tokenize
from pgcache.sql.normal import normalise
from tests.sql.corpus import STATEMENTS
from tests.sql.test_lexer import texts

# What reads as white space to PostgreSQL, wherever it already has some.
GAPS = [" ", "  ", "\n", "\t\r\n", " /* c */ ", "/* a /* b */ ' \" */", " -- c ' \n", "\f", "/**/"]
EDITS = [*"'\"()[]+-*/<>=,.;:$aAeE1_ \n\v\\", "''", "--", "/*", "*/", "\n'", "->", "E'", "$$", "::"]
PLACES = re.compile(r',?"(?:\w*location|\w*_len|\w*list_start|\w*list_end)":-?\d+')


def key(text: str) -> str:
    return normalise(text, tokenize(text))


def scanned(text: str) -> list[tuple[str, str]] | None:
    """Return names and spellings of PostgreSQL's tokens; words are folded."""
    try:
        found = parser.scan(text)
    except parser.ParseError:
        return None
    return [
        (t.name, spelled(t, text[t.start : t.end + 1]))
        for t in found
        if t.name not in {"SQL_COMMENT", "C_COMMENT"}
    ]


def spelled(token: parser.Token, text: str) -> str:
    is_name = token.name == "IDENT" and not text.startswith('"')
    return fold(text) if is_name or token.kind != "NO_KEYWORD" else text


def tree(text: str) -> str | None:
    """Return PostgreSQL's parse tree without the places of its parts."""
    try:
        return PLACES.sub("", parser.parse_sql_json(text)).replace("{,", "{")
    except parser.ParseError:
        return None


def respelled(text: str, rng: random.Random) -> str:
    """Change what must not matter: white space, comments, the case of unquoted words."""
    parts: list[str] = []
    position = 0
    for token in tokenize(text):
        if token.start > position:
            parts.append(rng.choice(GAPS))
            if parts[-1] == "/**/" and parts[-2:-1] == ["/"]:
                parts[-1] = " "
        written = text[token.start : token.end]
        if token.kind is TokenKind.WORD and written.isascii():
            written = rng.choice([written.upper(), written.lower(), written.title()])
        parts.append(written)
        position = token.end
    return "".join(parts)


@settings(deadline=None)
@given(texts)
@example("'a'\n'b' 'a' 'b'")
@example("a/**/b--\n-c")
@example("1.e5 1 .e5 a - -b a--b")
@example("E'a'\n'b\\' c")
@example("select U&'x' UESCAPE '!'")
def test_C02_a_key_scans_into_the_tokens_of_its_text(text: str) -> None:
    expected = scanned(text)
    if expected is None:
        return
    while expected and expected[0][1] == ";":
        del expected[0]
    while expected and expected[-1][1] == ";":
        del expected[-1]
    assert scanned(key(text)) == expected


@settings(deadline=None)
@given(texts, st.booleans())
def test_a_key_is_its_own_key(text: str, scs: bool) -> None:
    once = normalise(text, tokenize(text, standard_conforming_strings=scs))
    assert normalise(once, tokenize(once, standard_conforming_strings=scs)) == once


@pytest.mark.parametrize("text", STATEMENTS)
def test_C03_spelling_shares_a_key_and_a_tree(text: str) -> None:
    rng = random.Random(text)
    for _ in range(5):
        other = respelled(text, rng)
        assert key(other) == key(text)
        assert tree(other) == tree(text)


def test_C01_no_two_trees_share_a_key() -> None:
    """Small edits of every statement of the corpus; whatever parses must have a key of its own."""
    rng = random.Random(20)
    trees: dict[str, set[str]] = defaultdict(set)
    for text in STATEMENTS:
        for _ in range(200):
            edited = edit(text, rng)
            found = tree(edited)
            if found is not None:
                trees[key(edited)].add(found)
    assert len(trees) > 4_000
    assert [shared for shared, found in trees.items() if len(found) > 1] == []


def edit(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(0, 2)):
        place = rng.randrange(len(text) + 1)
        text = text[:place] + rng.choice(["", *EDITS]) + text[place + rng.randint(0, 1) :]
    return text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 'a' 'b'", "select 'a'\n'b'"),
        ("select 'a'\n'b'", "select 'ab'"),
        ('select "T" from t', "select T from t"),
        ('select "t" from t', "select t from t"),
        ("select 'T'", "select 't'"),
        (r"select e'a\n'", r"select 'a\n'"),
        (r"select E'a\n'", r"select e'a\\n'"),
        ("select a- -b", "select a--b\n"),
        ("select a - b", "select a -b"),  # alike, but no reason to bet on it
        ("select 1.e5", "select 1 .e5"),
        ("select 1.e5", "select 1. e5"),
        ("select json -> 'a'", "select json ->> 'a'"),
        ("select json -> 'a'", "select json - > 'a'"),
        ("select a < - b", "select a <- b"),
        ("select $1", "select $ 1"),
        ("select $$a$$", "select 'a'"),
        ("select $a$x$a$", "select $b$x$b$"),
        ("select $a$X$a$", "select $a$x$a$"),
        ("select U&'a'", "select U & 'a'"),
        ("select 'a  b'", "select 'a b'"),
        ("select 'a--b'", "select 'a'"),
        ("select '/* a */'", "select ''"),
        ("select 0x1F", "select 0 x1F"),
        ("select 1_000", "select 1 _000"),
        ("select a\vb", "select a b"),
        ("select é", "select É"),
        ("select B'1'", "select B '1'"),
        ("select N'a'", "select N 'a'"),
        ("select x'1F'", "select x '1F'"),
        ("select a:b", "select a: b"),
        ("select a from b; select 1", "select a from b"),
        ("select ab", "select a b"),
        ("select a/**/b", "select ab"),
        ("select 1", "select 2"),
    ],
)
def test_near_misses_do_not_share(one: str, other: str) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT  A\nFROM\tB", "select a from b"),
        ("-- Metabase:: userID: 5 queryHash: ce6b\nSELECT 1", "SELECT 1"),
        ("SELECT 1 -- Looker Query Context '{\"user_id\":6}'", "SELECT 1"),
        ('/* {"app": "dbt"} */ SELECT 1', "SELECT 1"),
        ("-- [SQL LAB] admin 2024-01-01\nSELECT 1", "SELECT 1"),
        ("SELECT 1;", "SELECT 1"),
        ("; ; SELECT 1 ; /* x */ ;", "SELECT 1"),
        ("SELECT/* c */1", "SELECT 1"),
        ("SELECT 1 -- c\n+ 2", "SELECT 1 + 2"),
        ("SELECT /* /* */ */ 1", "SELECT 1"),
    ],
)
def test_B01_B02_B03_B07_comments_and_spacing_do_not_part(one: str, other: str) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize("text", ["", " ", ";", "-- c", "/* c */", " ; ; "])
def test_nothing_has_the_empty_key(text: str) -> None:
    assert key(text) == ""

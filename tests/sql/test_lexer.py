"""The lexer against PostgreSQL's own scanner, which pglast carries (C-02, S-13)."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pglast import parser

from pgcache.sql.lexer import Token, TokenKind, tokenize

K = TokenKind

# Pieces that meet each other in all ways: what matters is where one token ends.
PIECES = [
    *"abeExnuUNBX_$+-*/<>=~!@#%^&|`?()[],;.:'\"0189 \n\t\r\f\v\\{}é€",
    *("--", "/*", "*/", "''", '""', "\\'", "$$", "$a$", "$1", "::", ":=", "..", "=>", "<>", "!="),
    *("e'", "E'", "u&'", 'U&"', "b'", "x'", "N'", "0x1F", "0b1", "0o7", "1_0", "1.5", "1e5", "1."),
    *("select", "FROM", "uescape '!'", "'a'", "'b'\n", "'a' -- c\n", '"T"', "-- c\n", "/* c */"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)

KINDS = {
    "SCONST": {K.STRING, K.ESCAPE, K.DOLLAR},
    "USCONST": {K.UNICODE},
    "UIDENT": {K.UNICODE_QUOTED},
    "IDENT": {K.WORD, K.QUOTED},
    "BCONST": {K.BITS},
    "XCONST": {K.BITS},
    "ICONST": {K.NUMBER},
    "FCONST": {K.NUMBER},
    "PARAM": {K.PARAM},
    "Op": {K.OP},
    "TYPECAST": {K.PUNCT},
    "DOT_DOT": {K.PUNCT},
    "COLON_EQUALS": {K.PUNCT},
    "EQUALS_GREATER": {K.OP},
    "LESS_EQUALS": {K.OP},
    "GREATER_EQUALS": {K.OP},
    "NOT_EQUALS": {K.OP},
}


def postgres_tokens(text: str) -> list[tuple[str, int, int]] | None:
    """Return names and spans of PostgreSQL's tokens; None where its scanner refuses the text."""
    try:
        found = parser.scan(text)
    except parser.ParseError:
        return None
    kept = [t for t in found if t.name not in {"SQL_COMMENT", "C_COMMENT"}]
    spans: list[tuple[str, int, int]] = []
    for token in kept:  # N'…' is a keyword and a literal to PostgreSQL
        start, end = token.start, token.end + 1
        if token.name == "SCONST" and spans and spans[-1] == ("NCHAR", start - 1, start):
            spans[-1] = ("NATIONAL", start - 1, end)
        else:
            spans.append((token.name, start, end))
    return spans


def allowed_kinds(name: str) -> set[TokenKind]:
    if name.startswith("ASCII_"):
        return {K.PUNCT, K.OP, K.OTHER}
    if name == "UNKNOWN":
        return {K.OTHER}
    if name == "NATIONAL":
        return {K.NATIONAL}
    return KINDS.get(name, {K.WORD})  # everything else is a keyword


@settings(deadline=None)
@given(texts)
@example("a- -b a--b\n a-/**/-b")
@example("'a'\n'b' 'a' 'b' 'a' -- x\n\n 'b' 'a' /* x */\n'b'")
@example("e'a'\n'b\\' c' e'a' 'b\\' c'")
@example("=- =-- c\n @-- c\n @- <-1 +-+ +-*")
@example("/* a /* b */ c */ x /*/ y */ z /**/ /***/ /* **/")
@example("$a$ $b$ $$ $a$ $a$b$a$ a$a$b")
@example("1..2 1...2 1.5.5 .5 1.e5 1e+5 1.")
def test_C02_tokens_are_those_of_postgres(text: str) -> None:
    expected = postgres_tokens(text)
    tokens = tokenize(text)
    if expected is None:
        return
    assert [(t.start, t.end) for t in tokens] == [span[1:] for span in expected]
    for token, (name, _, _) in zip(tokens, expected, strict=True):
        assert token.kind in allowed_kinds(name)


@settings(deadline=None)
@given(texts, st.booleans())
def test_tokens_and_gaps_make_the_text(text: str, scs: bool) -> None:
    tokens = tokenize(text, standard_conforming_strings=scs)
    position = 0
    for token in tokens:
        assert position <= token.start < token.end
        written = text[token.start : token.end]
        assert token.value == written or (token.kind is K.WORD and token.value == written.lower())
        position = token.end
    assert position <= len(text)


@settings(deadline=None)
@given(texts)
def test_C02_latin_1_and_utf_8_give_the_same_tokens(text: str) -> None:
    raw = text.encode()
    as_bytes = [(t.kind, t.value.encode("latin-1")) for t in tokenize(raw.decode("latin-1"))]
    assert as_bytes == [(t.kind, t.value.encode()) for t in tokenize(text)]


def kinds(text: str, *, scs: bool = True) -> list[tuple[TokenKind, str]]:
    return [(t.kind, t.value) for t in tokenize(text, standard_conforming_strings=scs)]


def test_words_fold_ascii_only() -> None:
    assert kinds('SeLeCT "T" ÀÉ') == [(K.WORD, "select"), (K.QUOTED, '"T"'), (K.WORD, "ÀÉ")]


def test_a_token_knows_its_span() -> None:
    assert tokenize("  ab ") == [Token(K.WORD, "ab", 2, 4)]


def test_S13_backslashes_escape_when_strings_do_not_conform() -> None:
    text = r"select 'a\' ', 'b'"
    assert kinds(text, scs=False) == [
        (K.WORD, "select"),
        (K.ESCAPE, r"'a\' '"),
        (K.PUNCT, ","),
        (K.ESCAPE, "'b'"),
    ]
    assert kinds(text)[1] == (K.STRING, r"'a\'")


@pytest.mark.parametrize(
    "text",
    ["'a", "'a''", '"a', "e'a\\'", "/* a", "/* /* */", "$$ a", "$a$ $b$", "'a'\n'b", "b'1", 'u&"a'],
)
def test_what_has_no_end_is_one_error(text: str) -> None:
    tokens = tokenize("select " + text)
    assert tokens[1:] == [Token(K.ERROR, text, 7, 7 + len(text))]
    assert postgres_tokens("select " + text) is None


def test_newer_numbers_are_one_token() -> None:
    """16 reads them as numbers, 14 as number and word: keys must not merge what either parts."""
    assert kinds("0x1F 1_000 0b01 0o17") == [
        (K.NUMBER, "0x1F"),
        (K.NUMBER, "1_000"),
        (K.NUMBER, "0b01"),
        (K.NUMBER, "0o17"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "+" * 200_000,
        "'a'" + "-" * 200_000 + "\nx",
        "'a''" * 50_000,
        "'a'\n" * 50_000 + "'",
        "/*" * 100_000,
        "/* /* */ */" * 20_000,
        "$a" * 100_000,
        "e'" + "\\" * 199_999,
        '"' * 200_001,
        "1" * 200_000 + "e",
        "=+" * 100_000,
        "-- \n" * 50_000,
        "'a'" + "\n--x" * 50_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_time_is_linear(text: str) -> None:
    """Each of these is quadratic or worse to an expression that backtracks (C-02)."""
    assert tokenize("x " + text)

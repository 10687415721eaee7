"""All that is known of a text that a client sends: the front door of the room (W-66).

Counterpart: ``raw_parser`` of PostgreSQL, which takes the whole text before it runs any of it.
Must not know: the session, the catalog, the wire. Nothing here raises, whatever the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from pgcache.sql.classify import classify
from pgcache.sql.encodings import decode, encode, is_exact
from pgcache.sql.hints import read_hints
from pgcache.sql.lexer import Token, TokenKind, tokenize
from pgcache.sql.long import LONG, tokenize_long
from pgcache.sql.model import Hints, Script, Statement
from pgcache.sql.normal import normalise
from pgcache.sql.outline import is_of_outline, outline
from pgcache.sql.reader import Source, TokenReader

__all__ = ["Finding", "Recall", "find_out", "read_script", "split_statements"]

_RAW_KEY = b"\0"  # no text on the wire contains it


class Recall(Protocol):
    """What is remembered of other texts, read under the same settings."""

    def script(self, key_text: bytes, hints: Hints) -> Script | None:
        """The script of a text with the same key and hints."""

    def query(self, outline: str) -> Statement | None:
        """The one statement of a text with the same outline."""


class Finding(NamedTuple):
    """What was found out about a text; ``outline``: of which it holds, "" where of no other."""

    script: Script
    outline: str = ""


def read_script(
    text: bytes, *, standard_conforming_strings: bool = True, encoding: str = "utf-8"
) -> Script:
    """Find out all about ``text``; ``encoding`` is the session's client_encoding.

    The caller remembers the answer: it depends on nothing but the arguments.
    """
    return find_out(
        text, standard_conforming_strings=standard_conforming_strings, encoding=encoding
    ).script


def find_out(
    text: bytes,
    *,
    standard_conforming_strings: bool,
    encoding: str,
    recall: Recall | None = None,
) -> Finding:
    """The same, asking ``recall`` for what is known of texts that say the same.

    Texts that differ in comments alone, as those of Metabase and Looker do (B-01, B-02), share one
    script; queries that differ in constants share their analysis. Offsets are those of the other
    text then.
    """
    decoded, codec = decode(text, encoding)
    tokens, is_whole = _tokenize(decoded, standard_conforming_strings)
    is_whole = is_whole and is_exact(decoded, codec, text)
    if is_whole:
        key_text = normalise(decoded, tokens).encode("utf-8", "surrogateescape")
    else:
        key_text = _RAW_KEY + text
    hints = read_hints(decoded, tokens)
    known = recall.script(key_text, hints) if recall is not None else None
    if known is not None:
        return Finding(known)
    drawn = outline(decoded, tokens) if recall is not None and is_whole else None
    query = recall.query(drawn) if recall is not None and drawn else None
    if query is not None:
        return Finding(Script(key_text, (query,), hints), drawn or "")
    statements = _read_statements(decoded, tokens)
    if len(decoded) != len(text):
        statements = _in_bytes(statements, decoded, codec)
    well_formed = not tokens or tokens[-1].kind is not TokenKind.ERROR
    script = Script(key_text, tuple(statements), hints, well_formed)
    return Finding(script, drawn if drawn and is_of_outline(statements) else "")


def _tokenize(text: str, standard_conforming_strings: bool) -> tuple[list[Token], bool]:
    """The tokens, and whether they are all there; directives are never overlooked (C-03)."""
    if len(text) < LONG or "pgcache" in text.lower():
        return tokenize(text, standard_conforming_strings=standard_conforming_strings), True
    return tokenize_long(text, standard_conforming_strings=standard_conforming_strings)


def _read_statements(text: str, tokens: Sequence[Token]) -> list[Statement]:
    source = Source(text, tokens)
    return [classify(TokenReader(source, start, end)) for start, end in split_statements(tokens)]


def split_statements(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Cut at semicolons; returns ranges of tokens, without empty ones.

    A semicolon does not cut inside of parentheses (CREATE RULE … DO (…; …)) nor in the body of a
    function (BEGIN ATOMIC …; END). Where parentheses are not balanced PostgreSQL takes none of the
    text; it is then cut everywhere, so that nothing in it is overlooked.
    """
    if all(token.value != ";" for token in tokens):
        return [(0, len(tokens))] if tokens else []
    ranges, balanced = _split(tokens, nested=True)
    return ranges if balanced else _split(tokens, nested=False)[0]


def _split(tokens: Sequence[Token], *, nested: bool) -> tuple[list[tuple[int, int]], bool]:
    ranges: list[tuple[int, int]] = []
    start, depth, lowest = 0, 0, 0
    in_body = False
    for index, (_, value, _, _) in enumerate(tokens):
        if value == "(":
            depth += 1
        elif value == ")":
            depth -= 1
            lowest = min(lowest, depth)
        elif value == "atomic":
            in_body = in_body or (nested and _opens_body(tokens, start, index))
        elif value == "end":
            in_body = in_body and tokens[index - 1].value not in (";", "atomic")
        elif value == ";" and not in_body and (depth == 0 or not nested):
            if index > start:
                ranges.append((start, index))
            start = index + 1
    if len(tokens) > start:
        ranges.append((start, len(tokens)))
    return ranges, depth == lowest == 0 and not in_body


def _opens_body(tokens: Sequence[Token], start: int, index: int) -> bool:
    """Tell whether BEGIN ATOMIC at ``index`` opens the body of a function.

    Every statement of the body ends with a semicolon, so the END behind one is the body's own.
    """
    words = [token.value for token in tokens[start : start + 4]]
    if words[1:3] == ["or", "replace"]:
        del words[1:3]
    is_function = words[:1] == ["create"] and words[1:2] in (["function"], ["procedure"])
    return is_function and tokens[index - 1].value == "begin"


def _in_bytes(statements: Sequence[Statement], text: str, codec: str) -> list[Statement]:
    """Count the statements' offsets in bytes instead of characters."""
    found: list[Statement] = []
    characters, octets = 0, 0
    for statement in statements:
        octets += len(encode(text[characters : statement.start], codec))
        characters = statement.start
        found.append(_statement_in_bytes(statement, text, codec, octets))
    return found


def _statement_in_bytes(statement: Statement, text: str, codec: str, start: int) -> Statement:
    inner = statement.inner
    if inner is not None:
        inner_start = start + len(encode(text[statement.start : inner.start], codec))
        inner = _statement_in_bytes(inner, text, codec, inner_start)
    end = start + len(encode(text[statement.start : statement.end], codec))
    return replace(statement, start=start, end=end, inner=inner)

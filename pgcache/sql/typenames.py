"""Type names in a row of tokens: after ``::``, in CAST, before a literal, in column definitions.

Counterpart: ``Typename`` of PostgreSQL's ``gram.y`` (section 4.2.9 of its documentation). Must not
know: which types exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pgcache.sql.lexer import Token, TokenKind
from pgcache.sql.literals import identifier
from pgcache.sql.model import Name

__all__ = [
    "BUILT_IN",
    "INTERVAL_FIELDS",
    "TypeUse",
    "grammar_type",
    "read_interval_fields",
    "read_type",
]

BUILT_IN: Final = frozenset(
    {
        *("bigint", "bit", "boolean", "char", "character", "dec", "decimal", "double", "float"),
        *("int", "integer", "interval", "national", "nchar", "numeric", "real", "smallint"),
        *("time", "timestamp", "varchar"),
    }
)
"""Types that the grammar itself names: no search path can change what they mean."""

INTERVAL_FIELDS: Final = frozenset({"year", "month", "day", "hour", "minute", "second"})

_SECOND_WORDS: Final = {"double": ("precision",), "national": ("char", "character")}
_NAMES: Final = (TokenKind.WORD, TokenKind.QUOTED, TokenKind.UNICODE_QUOTED)
_MODIFIERS: Final = (*_NAMES, TokenKind.NUMBER, TokenKind.STRING)


class TypeUse(NamedTuple):
    """One type name. ``name`` None: built into the grammar. ``end`` 0: this is no type name."""

    name: Name | None
    end: int


_NO_TYPE: Final = TypeUse(None, 0)


def read_type(tokens: Sequence[Token], start: int) -> TypeUse:
    """Read the type name that begins at ``start``, with modifiers and array bounds."""
    word = _word(tokens, start)
    if word == "setof":
        return read_type(tokens, start + 1)
    second = _SECOND_WORDS.get(word)
    if word in BUILT_IN and (second is None or _word(tokens, start + 1) in second):
        return TypeUse(None, _skip_bounds(tokens, _skip_built_in(tokens, start, word)))
    parts: list[str] = []
    position = start
    while position < len(tokens) and tokens[position].kind in _NAMES:
        parts.append(identifier(tokens[position]) or "")
        position += 1
        if not _is(tokens, position, "."):
            break
        position += 1
    if not parts or len(parts) > 3:
        return _NO_TYPE
    parts = [""] * (3 - len(parts)) + parts
    name = Name(parts[2], parts[1] or None, parts[0] or None)
    end = _skip_modifiers(tokens, position)
    return TypeUse(name, _skip_bounds(tokens, end)) if end else _NO_TYPE


def grammar_type(tokens: Sequence[Token], start: int) -> Name | None:
    """The type that the grammar's own words at ``start`` stand for; None for any other name."""
    word = _word(tokens, start)
    if word == "setof":
        return grammar_type(tokens, start + 1)
    if word not in BUILT_IN:
        return None
    if word in ("time", "timestamp"):
        after = _skip_modifiers(tokens, start + 1) or start + 1
        is_zoned = _word(tokens, after) == "with" and _word(tokens, after + 1) == "time"
        return Name(word + ("tz" if is_zoned else ""), "pg_catalog")
    return Name(word, "pg_catalog")


def read_interval_fields(tokens: Sequence[Token], start: int) -> int:
    """Skip what may follow ``interval`` or its literal: ``day to second(3)``; return the end."""
    position = start
    while _word(tokens, position) in INTERVAL_FIELDS:
        position = _skip_modifiers(tokens, position + 1) or position + 1
        if _word(tokens, position) != "to" or _word(tokens, position + 1) not in INTERVAL_FIELDS:
            break
        position += 1
    return position


def _skip_built_in(tokens: Sequence[Token], start: int, word: str) -> int:
    position = start + 1
    if word in ("double", "national"):
        position += 1
    if word in ("char", "character", "nchar", "national", "bit"):
        position += _word(tokens, position) == "varying"
    position = _skip_modifiers(tokens, position) or position
    if word == "interval":
        return read_interval_fields(tokens, position)
    is_time = word in ("time", "timestamp")
    if is_time and _word(tokens, position) in ("with", "without"):
        zoned = _word(tokens, position + 1) == "time" and _word(tokens, position + 2) == "zone"
        position += 3 if zoned else 0
    return position


def _skip_modifiers(tokens: Sequence[Token], position: int) -> int:
    """Skip ``(10, 2)``; 0 when it holds more than constants and plain names."""
    if not _is(tokens, position, "("):
        return position
    end = position
    while _is(tokens, end, "(") or _is(tokens, end, ","):
        end += 2 if _is(tokens, end + 1, "-") else 1
        if end >= len(tokens) or tokens[end].kind not in _MODIFIERS:
            return 0
        end += 1
    return end + 1 if _is(tokens, end, ")") else 0


def _skip_bounds(tokens: Sequence[Token], position: int) -> int:
    if _word(tokens, position) == "array":
        position += 1
        if not _is(tokens, position, "["):
            return position
    while _is(tokens, position, "["):
        has_size = position + 1 < len(tokens) and tokens[position + 1].kind is TokenKind.NUMBER
        if not _is(tokens, position + 1 + has_size, "]"):
            break
        position += 2 + has_size
    return position


def _word(tokens: Sequence[Token], position: int) -> str:
    if position < len(tokens) and tokens[position].kind is TokenKind.WORD:
        return tokens[position].value
    return ""


def _is(tokens: Sequence[Token], position: int, punctuation: str) -> bool:
    return position < len(tokens) and tokens[position].value == punctuation

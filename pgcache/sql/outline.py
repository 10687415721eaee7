"""A query without the constants that change nothing of what it reads and calls.

A dashboard asks one query with ever other dates and names in it. What the query means for the
cache is the same each time, so it is analysed once, by its outline; the key's text keeps every
constant. Two texts have the same outline only if they are cut into the same tokens, with gaps at
the same places, but for

- numbers, of which the analysis never asks more than that there is one;
- plain literals, of which it asks two things: whether one may be read as the current time (C-13),
  and what a call's first argument says (``FunctionRef.literal``). Such ones stay as they are, and
  so does whatever is spelled in an unusual way.

What such texts look like without any literals (``shape``) is the same as well.

Counterpart: ``analyse``, ``names.read_literal``. Must not know: who remembers what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pgcache.sql.lexer import Token, TokenKind
from pgcache.sql.long import LONG
from pgcache.sql.magic import mentions_now
from pgcache.sql.model import Kind, Statement

__all__ = ["is_of_outline", "outline"]

_STARTERS: Final = frozenset({"select", "with", "("})
_BEFORE_NAMES: Final = frozenset({".", "as", "materialized"})  # even IN is a name behind these
_NUMBER, _STRING = TokenKind.NUMBER, TokenKind.STRING
# No text on the wire contains it, so that no two rows of tokens are the same when joined.
_BETWEEN: Final = "\0"


def outline(text: str, tokens: Sequence[Token]) -> str | None:
    """The outline of a text that may be one query, None of any other, and of a long one.

    ``tokens`` are all of those of ``text``.
    """
    if not tokens or len(text) >= LONG or tokens[0].value not in _STARTERS:
        return None
    may_be_now = mentions_now(text)
    parts: list[str] = []
    add = parts.append
    position = tokens[0].start
    for index, (kind, value, start, end) in enumerate(tokens):
        if start != position:
            add(" ")
        position = end
        if kind is _NUMBER:
            add("0")
        elif kind is not _STRING or (may_be_now and mentions_now(value)):
            add(value)
        elif _says_nothing(value, tokens, index):
            add("''")
        else:
            add(value)
    return _BETWEEN.join(parts)


def _says_nothing(literal: str, tokens: Sequence[Token], index: int) -> bool:
    """Whether a plain literal is neither of several pieces nor the first argument of a call."""
    if literal.find("'", 1) != len(literal) - 1:
        return False
    if index == 0 or tokens[index - 1].value != "(":
        return True
    is_in = index > 2 and tokens[index - 2].value == "in"
    return is_in and tokens[index - 3].value not in _BEFORE_NAMES


def is_of_outline(statements: Sequence[Statement]) -> bool:
    """Whether what was found holds for every text of the same outline.

    Where reading was refused, the reason may quote a constant.
    """
    if len(statements) != 1 or statements[0].kind is not Kind.SELECT:
        return False
    read = statements[0].read
    return read is not None and read.refusal is None

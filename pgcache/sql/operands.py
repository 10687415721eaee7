"""What a cast is given: whose values may become a date or a time there (C-13).

Text that is read as a date may say 'now' or 'today', and rows hold what they like. Which columns
are text only the catalog knows; here it is told which columns, if it can be told at all. In doubt
the operand is opaque, which costs no more than the clock's shorter lifetime.

Counterpart: ``c_expr`` and ``func_application`` of PostgreSQL's ``gram.y``. Must not know: which
names exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pgcache.sql.keywords import RESERVED
from pgcache.sql.lexer import LITERALS, NAMES, Token, TokenKind
from pgcache.sql.literals import identifier
from pgcache.sql.model import TIME_CALLS, Cast, Name
from pgcache.sql.typenames import INTERVAL_FIELDS, grammar_type, read_interval_fields, read_type

__all__ = ["define", "describe", "operand_start"]

# PostgreSQL's own functions that never return text, whatever they are given.
_NEVER_TEXT: Final = TIME_CALLS | {
    *("date_trunc", "date_bin", "now", "to_timestamp", "to_date", "timezone", "age", "extract"),
    *("make_date", "make_time", "make_timestamp", "make_timestamptz", "make_interval"),
    *("date_part", "transaction_timestamp", "statement_timestamp", "clock_timestamp"),
    *("count", "sum", "avg", "round", "floor", "ceil", "ceiling", "trunc", "abs"),
    *("generate_series", "row_number", "rank", "dense_rank", "ntile"),
    *("justify_days", "justify_hours", "justify_interval"),
}
# Those that return one of their arguments.
_PASSING_ON: Final = frozenset(
    {
        *("min", "max", "coalesce", "nullif", "greatest", "least", "any_value"),
        *("first_value", "last_value", "nth_value", "lag", "lead"),
    }
)
_NO_TEXT_TYPES: Final = frozenset(
    {
        *("date", "time", "timetz", "timestamp", "timestamptz", "interval"),
        *("int", "integer", "bigint", "smallint", "int2", "int4", "int8", "numeric", "decimal"),
        *("dec", "float", "float4", "float8", "real", "double", "bool", "boolean"),
    }
)
_CONSTANTS: Final = frozenset(
    {
        *("null", "true", "false", "distinct", "array", "current_date", "current_time"),
        *("current_timestamp", "localtime", "localtimestamp"),
    }
)
_ZONED: Final = ["time", "zone"]
_BEHIND_CALLS: Final = ("over", "filter")
_MOST_TOKENS: Final = 64  # of an operand that is looked into: operands of operands are, as well
_BEFORE_ITEMS: Final = ("select", "distinct", "all", "from", "join", "lateral")
_OPERATORS: Final = frozenset("+-*/")
_CLOSING: Final = {")": "(", "]": "["}
_NO_CALLS: Final = (RESERVED | {"by", "between", "values", "escape"}) - {"cast"}


def operand_start(tokens: Sequence[Token], end: int) -> int:
    """Where the operand of a ``::`` at ``end`` begins; ``end`` where that is too far to tell."""
    position = end - 1
    floor = max(end - _MOST_TOKENS, 0)
    while position >= floor:
        value = tokens[position].value
        if tokens[position].kind is TokenKind.PUNCT and value in _CLOSING:
            position = _opening(tokens, position, floor)
            if position < 0:
                return end
            is_called = position > 0 and _may_be_called(tokens[position - 1])
            if not is_called and not (value == "]" and _ends_operand(tokens, position)):
                return position
            position -= 1
            if tokens[position].value in _BEHIND_CALLS and tokens[position - 1].value == ")":
                position -= 1
        elif position and tokens[position - 1].value == ".":
            position -= 2
        elif [token.value for token in tokens[max(position - 1, 0) : position + 1]] == _ZONED:
            position -= 3  # … WITH TIME ZONE
        else:
            return position
    return end


def describe(target: Name, tokens: Sequence[Token], start: int, end: int) -> Cast:
    """Tell what a cast to ``target`` of the expression in ``tokens[start:end]`` is given."""
    if not 0 < end - start <= _MOST_TOKENS:
        return Cast(target, opaque=True)
    walk = _Walk(tokens, start, end)
    if start and tokens[start - 1].value == "::":  # a cast of what was cast
        walk.take_type(start)
    elif start and tokens[start - 1].value == ".":
        walk.opaque = True
    else:
        while walk.position < end and not walk.opaque:
            walk.step()
    return Cast(target, tuple(walk.columns), tuple(walk.own), opaque=walk.opaque)


def define(name: str, tokens: Sequence[Token], label: int) -> Cast:
    """Tell what a label is given that stands at ``label``, behind an expression and maybe AS."""
    end = label - 1 if tokens[label - 1].value == "as" else label
    start = end
    depth = 0
    while start and end - start <= _MOST_TOKENS:
        token = tokens[start - 1]
        if token.kind is TokenKind.PUNCT:
            depth += (token.value in _CLOSING) - (token.value in _CLOSING.values())
        is_start = token.kind is TokenKind.WORD and token.value in _BEFORE_ITEMS
        if depth < 0 or (not depth and (is_start or token.value == ",")):
            break
        start -= 1
    return describe(Name(name), tokens, start, end)


class _Walk:
    """One walk over an operand."""

    __slots__ = ("columns", "end", "opaque", "own", "position", "tokens")

    def __init__(self, tokens: Sequence[Token], position: int, end: int) -> None:
        self.tokens = tokens
        self.position = position
        self.end = end
        self.columns: list[Name] = []
        self.own: list[Name] = []  # what has to be PostgreSQL's own for the rest to hold
        self.opaque = False

    def step(self) -> None:
        """Take what stands at the position."""
        token = self.tokens[self.position]
        if token.kind in NAMES:
            self._on_name(token)
        elif token.kind in (*LITERALS, TokenKind.NUMBER, TokenKind.PARAM):
            self.position += 1
        elif token.value == "::":
            self.take_type(self.position + 1)
        elif token.kind is TokenKind.PUNCT:
            self.opaque = token.value == "."
            self.position += 1
        else:
            self.opaque = token.value not in _OPERATORS
            self.position += 1

    def take_type(self, start: int) -> None:
        """Take the type name there: what was cast to it may be text or not."""
        use = read_type(self.tokens, start)
        name = use.name or grammar_type(self.tokens, start)
        if name is None or not use.end or not self._is_own(name, _NO_TEXT_TYPES):
            self.opaque = True
        self.position = max(use.end, self.position + 1)

    def _on_name(self, token: Token) -> None:
        parts, after = self._chain()
        following = self.tokens[after] if after < self.end else None
        if following is not None and following.value == "(":
            self._on_call(token, parts, after)
        elif following is not None and following.kind in LITERALS:
            self.position = after
            self._on_typed_literal(parts)
        elif token.kind is TokenKind.WORD and len(parts) == 1 and self._on_word(token.value):
            return
        else:
            self.columns.append(_name(parts))
            self.position = after

    def _chain(self) -> tuple[list[str], int]:
        parts: list[str] = []
        position = self.position
        while position < self.end and self.tokens[position].kind in NAMES:
            parts.append(identifier(self.tokens[position]) or "")
            position += 1
            if position >= self.end or self.tokens[position].value != ".":
                break
            position += 1
        else:
            self.opaque = True  # a.*
        return parts, position

    def _on_word(self, word: str) -> bool:
        """Take a key word; the answer is no where it is a column's name."""
        following = [token.value for token in self.tokens[self.position + 1 : self.end][:2]]
        if word == "at" and following == ["time", "zone"]:
            self.position += 3
        elif word == "at" and following[:1] == ["local"]:
            self.position += 2
        elif word in _CONSTANTS:
            self.position += 1
        elif word in RESERVED:
            self.opaque = True
        else:
            use = read_type(self.tokens, self.position)
            if use.name is not None or use.end >= self.end:
                return False
            if self.tokens[use.end].kind not in LITERALS:
                return False
            self.position = use.end  # timestamp with time zone '…'
            self._on_typed_literal([word])
        return True

    def _on_typed_literal(self, parts: list[str]) -> None:
        self.opaque = not self._is_own(_name(parts), _NO_TEXT_TYPES)
        self.position += 1
        if parts == ["interval"] and self.position < self.end:
            word = self.tokens[self.position].value
            if word in INTERVAL_FIELDS:
                self.position = read_interval_fields(self.tokens, self.position)

    def _on_call(self, token: Token, parts: list[str], opening: int) -> None:
        name = _name(parts)
        is_word = token.kind is TokenKind.WORD and len(parts) == 1
        if is_word and token.value == "cast":
            self._on_cast(opening)
        elif (is_word and token.value in _BEHIND_CALLS) or self._is_own(name, _NEVER_TEXT):
            self.position = self._closing(opening)
        elif self._is_own(name, _PASSING_ON):
            self.position = opening + 1
        else:
            self.opaque = True

    def _on_cast(self, opening: int) -> None:
        """CAST(… AS type): the last AS inside is its own."""
        closing = self._closing(opening) - 1
        place = closing
        while place > opening and self.tokens[place].value != "as":
            place -= 1
        self.take_type(place + 1)
        if self.position != closing:
            self.opaque = True
        self.position = closing + 1

    def _is_own(self, name: Name, known: frozenset[str]) -> bool:
        """Whether the name is a known one of PostgreSQL's, unless somebody else has one too."""
        if name.name not in known or name.schema not in (None, "pg_catalog"):
            return False
        self.own.append(name)
        return True

    def _closing(self, opening: int) -> int:
        """The position behind the parenthesis that closes the one at ``opening``."""
        depth = 0
        for position in range(opening, self.end):
            value = self.tokens[position].value
            if self.tokens[position].kind is TokenKind.PUNCT and value in ("(", ")"):
                depth += 1 if value == "(" else -1
                if not depth:
                    return position + 1
        self.opaque = True
        return self.end


def _opening(tokens: Sequence[Token], closing: int, floor: int) -> int:
    """The position of the parenthesis or bracket that ``closing`` closes; -1 before ``floor``."""
    last = tokens[closing].value
    first = _CLOSING[last]
    depth = 0
    for position in range(closing, floor - 1, -1):
        token = tokens[position]
        if token.kind is TokenKind.PUNCT and token.value in (first, last):
            depth += 1 if token.value == last else -1
            if not depth:
                return position
    return -1


def _may_be_called(token: Token) -> bool:
    if token.kind is TokenKind.WORD:
        return token.value not in _NO_CALLS
    return token.kind in NAMES


def _ends_operand(tokens: Sequence[Token], position: int) -> bool:
    """Whether a bracket at ``position`` is a subscript, not an ARRAY's own."""
    return position > 0 and (tokens[position - 1].value in _CLOSING)


def _name(parts: list[str]) -> Name:
    schema = parts[-2] if len(parts) > 1 else None
    return Name(parts[-1], schema, parts[-3] if len(parts) > 2 else None)

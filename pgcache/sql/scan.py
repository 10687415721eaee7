"""The walk over the tokens of a statement that fills its sketch (see sketch.py).

Counterpart: ``gram.y`` of PostgreSQL 14 to 18. Must not know: scopes of names, the catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pgcache.errors.reasons import Reason
from pgcache.sql.changes import CHANGES
from pgcache.sql.clauses import CLAUSES, JOIN_KINDS, Handler, separate
from pgcache.sql.expressions import EXPRESSIONS
from pgcache.sql.keywords import COLUMN_NAMES, RESERVED, TYPE_OR_FUNCTION_NAMES
from pgcache.sql.lexer import Token, TokenKind
from pgcache.sql.literals import identifier
from pgcache.sql.model import ANY_LABEL
from pgcache.sql.names import (
    read_cast_type,
    read_literal,
    read_name,
    read_type_word,
    skip_column_list,
)
from pgcache.sql.operands import operand_start
from pgcache.sql.sketch import CALL, LITERALS, NAMES, Sketch

__all__ = ["draw_sketch"]

_HANDLERS: Final[dict[str, Handler]] = {**CLAUSES, **CHANGES, **EXPRESSIONS}
_LABELLED: Final = ("from", "with")  # clauses in which AS introduces more than a label
_INFIX: Final = ("between", "grouping", "row")  # … AND, GROUPING SETS, FETCH FIRST ROW
_LISTS: Final = ("copy", "execute")  # COPY t (a, b), EXECUTE p (1, 2)


def draw_sketch(tokens: Sequence[Token]) -> Sketch:
    """Walk over the tokens of one statement. Takes any tokens; what is odd becomes a refusal."""
    s = Sketch(tokens)
    if s.word() in _LISTS and s.at(2).value == "(" and s.at(1).kind in NAMES:
        s.skip(2)
        if tokens[0].value == "copy":
            skip_column_list(s, s.position)
    while s.position < len(tokens):
        token = tokens[s.position]
        kind = token.kind
        if kind is TokenKind.WORD:
            _read_word(s, token.value)
        elif kind in NAMES:
            read_name(s)
        elif kind in LITERALS:
            read_literal(s)
        elif kind is TokenKind.PUNCT:
            _PUNCTUATION.get(token.value, _on_odd)(s, token.value)
        elif kind is TokenKind.OP:
            _on_operator(s, token.value)
        elif kind is TokenKind.NUMBER or kind is TokenKind.PARAM:
            s.position += 1
            s.write_constant()
        else:
            s.refuse(Reason.PARSE_ERROR)
            s.position += 1
    if len(s.frames) > 1:
        s.refuse(Reason.PARSE_ERROR)
    return s


def _read_word(s: Sketch, word: str) -> None:
    if s.before == "as" and s.clause not in _LABELLED:
        read_name(s)  # after AS any word is a label
        return
    if word in TYPE_OR_FUNCTION_NAMES and not s.ended and _calls(s):
        read_name(s)
        return
    if word in COLUMN_NAMES and word not in _INFIX and not _calls(s):
        read_type_word(s, word)
        return
    handler = _HANDLERS.get(word)
    if handler is not None:
        handler(s, word)
    elif word in RESERVED:
        s.is_dubious()
        s.skip(ended=False)
    else:
        read_name(s)


def _calls(s: Sketch) -> bool:
    """Tell whether the word at the position is a function, or a type before a literal."""
    if s.word() == "join" and s.before in JOIN_KINDS:
        return False
    return s.at(1).value == "(" or s.at(1).kind in LITERALS


def _on_open(s: Sketch, _text: str) -> None:
    if s.clause == "window" and s.before == "as":
        s.write("( PARTITION BY", CALL, ended=False)
        s.open("window")
    else:
        s.open("", "from" if s.clause == "from" and not s.ended else "")


def _on_close(s: Sketch, _text: str) -> None:
    opener = s.close().opener
    if opener == "distinct on":
        s.write(",", ended=False)
    elif opener == "window":
        s.write(")", ended=True)


def _on_bracket(s: Sketch, _text: str) -> None:
    if s.ended:
        s.write("-", ended=False)
    s.write(CALL, ended=False)
    s.open("[")


def _on_comma(s: Sketch, _text: str) -> None:
    frame = s.frame
    frame.commas += frame.counting
    if frame.clause == "on":
        frame.clause = "from"
    s.position += 1
    s.write(",", ended=False)


def _on_dot(s: Sketch, _text: str) -> None:
    """A field of what was read: ``(a).b``, ``a[1].b``, ``(a).*``."""
    field = s.at(1)
    if field.value != "*" and field.kind not in NAMES:
        s.is_dubious()
    elif field.kind in NAMES:
        s.dotted.add(identifier(field) or "")
    else:
        s.labels.append((ANY_LABEL, -1))
    if s.at(2).value == "(" or not s.ended:
        s.is_dubious()
    s.skip(2, ended=True)


def _on_cast(s: Sketch, _text: str) -> None:
    end = s.position
    s.position += 1
    read_cast_type(s, operand_start(s.tokens, end), end)


def _on_colon(s: Sketch, _text: str) -> None:
    separate(s)


def _on_named_argument(s: Sketch, _text: str) -> None:
    s.position += 1
    s.write_operator()


def _on_odd(s: Sketch, _text: str) -> None:
    s.is_dubious()
    s.position += 1


def _on_operator(s: Sketch, text: str) -> None:
    if text == "*" and not s.ended:
        if s.at(-1).value == "(" and s.at(1).value == ")":
            s.frame.countless = True
        s.position += 1
        s.write_constant()
    elif text == "*" and s.clause == "from":
        s.skip()  # FROM t *, the opposite of ONLY
    elif text == "=>":
        _on_named_argument(s, text)
    else:
        s.operators.add(text)
        s.position += 1
        s.write_operator()


_PUNCTUATION: Final[dict[str, Handler]] = {
    "(": _on_open,
    ")": _on_close,
    "[": _on_bracket,
    "]": _on_close,
    ",": _on_comma,
    ".": _on_dot,
    "::": _on_cast,
    ":": _on_colon,
    ":=": _on_named_argument,
}

"""What a name in a statement is: a table, a column, a function, a type, an alias.

Counterpart: ``columnref``, ``func_application``, ``alias_clause`` and ``AexprConst`` of
PostgreSQL's ``gram.y``; the sketch is that of ``sketch.py``. Must not know: which names exist.
"""

from __future__ import annotations

from typing import Final

from pgcache.errors.reasons import Reason
from pgcache.sql.keywords import KEYWORDS, RESERVED
from pgcache.sql.lexer import TokenKind
from pgcache.sql.literals import identifier, string_value
from pgcache.sql.magic import is_magic_text
from pgcache.sql.model import Cast, Name, RelationRef
from pgcache.sql.operands import describe
from pgcache.sql.sketch import LITERALS, NAMES, Sketch
from pgcache.sql.typenames import BUILT_IN, TypeUse, grammar_type, read_interval_fields, read_type

__all__ = ["read_cast_type", "read_literal", "read_name", "read_type_word", "skip_column_list"]

_WITH: Final = ("with", "recursive")
# The commonest of the casts that have nothing to do with time, as the grammar spells them.
_TIMELESS: Final = frozenset(Name(word, "pg_catalog") for word in BUILT_IN - {"time", "timestamp"})
# tableoid is not among them: only DDL moves a row from one table to another without a write.
_SYSTEM_COLUMNS: Final = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax"})


def read_literal(s: Sketch) -> None:
    """Read a string constant."""
    token = s.at()
    value = string_value(token)
    is_first = s.frame.start == s.position - 1 and s.frame.call >= 0
    if is_first and token.kind is TokenKind.STRING and s.at(1).value in (",", ")"):
        s.frame.literal = value
    if value is not None and is_magic_text(value):
        s.magic = s.clock = True
    s.position += 1
    if token.kind is TokenKind.UNICODE and s.word() == "uescape":
        s.is_dubious()  # another escape character: what it says was not read rightly
        s.magic = s.clock = True
        s.position += 2
    s.write_constant()


def read_name(s: Sketch) -> None:
    """Read a chain of names and settle what it is by what stands around it."""
    parts, end, has_star = _read_chain(s)
    after = s.tokens[end] if end < len(s.tokens) else s.at(len(s.tokens))
    if has_star:
        s.position = end
        s.write_constant()
    elif after.value == "(":
        _read_before_parenthesis(s, parts, end)
    elif after.kind in LITERALS and not s.ended:
        s.types.append(_name(parts))
        s.casts.append(Cast(_name(parts)))
        s.position = end
        read_literal(s)
    elif s.clause == "from" and not s.ended and s.before != "as":
        s.relations.append(RelationRef(_name(parts), only=s.before == "only"))
        s.position = end
        s.write_name(parts)
    else:
        _read_column(s, parts, end)


def read_type_word(s: Sketch, word: str) -> None:
    """Read a word that names a type of the grammar, before a literal, or else a column."""
    use = read_type(s.tokens, s.position)
    is_literal = 0 < use.end < len(s.tokens) and s.tokens[use.end].kind in LITERALS
    if is_literal and not s.ended:
        s.types += [] if use.name is None else [use.name]
        _note_cast(s, s.position, use)
        s.position = use.end
        read_literal(s)
        if word == "interval":
            s.position = read_interval_fields(s.tokens, s.position)
        return
    if s.at(1).value == "(" and s.clause != "from":
        s.is_dubious()
    read_name(s)


def read_cast_type(s: Sketch, start: int, end: int) -> None:
    """Read the type name at the position; the skeleton goes without casts.

    What is cast stands between ``start`` and ``end``; where these are the same, it is not known.
    """
    use = read_type(s.tokens, s.position)
    if not use.end:
        s.is_dubious()
        s.position += 1
        return
    if use.name is not None:
        s.types.append(use.name)
    _note_cast(s, s.position, use, start, end)
    s.position = use.end
    s.ended = True


def _note_cast(s: Sketch, at: int, use: TypeUse, start: int = -1, end: int = -1) -> None:
    """Note a cast to the type at ``at``, of a literal where no ``start`` is given."""
    target = use.name or grammar_type(s.tokens, at)
    if target is None or target in _TIMELESS:
        return
    if start == end:
        s.casts.append(Cast(target, opaque=start >= 0))
    else:
        s.casts.append(describe(target, s.tokens, start, end))


def _read_chain(s: Sketch) -> tuple[list[str], int, bool]:
    """Return the names, the end, and whether a star ends them; after a dot any word is a name."""
    parts: list[str] = []
    position = s.position
    tokens = s.tokens
    while True:
        token = tokens[position]
        if token.kind is TokenKind.UNICODE_QUOTED:
            s.is_dubious()  # UESCAPE may give it another meaning
        parts.append(identifier(token) or "")
        position += 1
        if position + 1 >= len(tokens) or tokens[position].value != ".":
            return parts, position, False
        if tokens[position + 1].value == "*":
            return parts, position + 2, True
        if tokens[position + 1].kind not in NAMES:
            s.is_dubious()
            return parts, position, False
        position += 1


def _name(parts: list[str]) -> Name:
    schema = parts[-2] if len(parts) > 1 else None
    return Name(parts[-1], schema, parts[-3] if len(parts) > 2 else None)


def _read_before_parenthesis(s: Sketch, parts: list[str], end: int) -> None:
    is_with = s.clause == "with" and (s.before in _WITH or s.at(-1).value == ",")
    is_alias = is_with or (s.clause == "from" and _is_alias(s))
    if is_alias and skip_column_list(s, end):
        s.labels.append((parts[-1], -1))
        s.write_name(parts)
        return
    if len(parts) > 3:
        s.is_dubious()
    s.position = end
    s.open_call(_name(parts), "call")


def _is_alias(s: Sketch) -> bool:
    """Tell whether the name at the position is an alias of FROM rather than a function.

    An unquoted key word before it might begin an expression, so it then counts as a function.
    """
    if s.before == "as":
        return True
    last = s.at(-1)
    is_keyword = last.kind is TokenKind.WORD and last.value in KEYWORDS
    is_qualified = s.at(-2).value == "."
    return s.ended and (is_qualified or not is_keyword)


def skip_column_list(s: Sketch, start: int, *, labels: bool = True) -> bool:
    """Go past ``(a, b)``, or ``(a int, b numeric(10, 2))``, which begins at ``start``.

    Anything else there (a query, arguments) is left alone, and the answer is no. ``labels``: the
    names are new ones.
    """
    tokens = s.tokens
    types: list[Name] = []
    casts: list[Cast] = []
    names: list[str] = []
    position = start
    while position + 2 < len(tokens) and tokens[position].value in ("(", ","):
        column = tokens[position + 1]
        if column.kind not in NAMES or (column.kind is TokenKind.WORD and column.value in RESERVED):
            return False
        names.append(identifier(column) or "")
        position += 2
        if tokens[position].value not in (",", ")"):
            use = read_type(tokens, position)
            if not use.end or use.end >= len(tokens):
                return False
            types += [] if use.name is None else [use.name]
            target = use.name or grammar_type(tokens, position)
            casts += [] if target is None else [Cast(target, opaque=True)]
            position = use.end
    if position >= len(tokens) or tokens[position].value != ")":
        return False
    s.types += types
    s.casts += casts
    s.labels += [(name, -1) for name in names] if labels else []
    s.position = position + 1
    s.ended = True
    return True


def _read_column(s: Sketch, parts: list[str], end: int) -> None:
    is_label = s.before == "as"
    if not is_label and parts[-1] in _SYSTEM_COLUMNS:
        s.refuse(Reason.SYSTEM_COLUMN, parts[-1])
    s.dotted.update(parts[1:])
    is_output = s.clause == "select" and len(s.frames) == 1  # which no expression can name
    if s.clause == "with":
        s.labels.append((parts[-1], -1))
    elif (is_label or s.ended) and not is_output:
        s.labels.append((parts[-1], s.position))
    s.position = end
    if s.ended and not is_label:
        s.out.append("as")
    s.write_name(parts[-1:])

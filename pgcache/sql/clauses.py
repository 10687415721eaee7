"""What the key words of a query do to its sketch: clauses, joins, WITH (see sketch.py).

Counterpart: ``select_no_parens``, ``table_ref`` and ``common_table_expr`` of PostgreSQL's
``gram.y``. Every handler takes the word at the walk's position and goes past it. Must not know:
which names exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pgcache.errors.reasons import Reason
from pgcache.sql.lexer import TokenKind
from pgcache.sql.names import read_cast_type, read_name, skip_column_list
from pgcache.sql.sketch import CALL, NAMES, Sketch

__all__ = ["CLAUSES", "JOIN_KINDS", "Handler", "separate", "starts_query"]

Handler = Callable[[Sketch, str], None]

_JOINS: Final = ("from", "on")
JOIN_KINDS: Final = ("inner", "left", "right", "full", "outer", "cross", "natural")
"""What can stand before JOIN."""

_LOCKS: Final = frozenset({"update", "share", "no", "key"})
_ROWS: Final = frozenset({"row", "rows"})


def separate(s: Sketch, _word: str = "") -> None:
    """Take a word that stands between two arguments, as FROM does in ``substring``."""
    s.frame.countless = True
    s.position += 1
    if s.ended:
        s.write(",", ended=False)


def starts_query(s: Sketch) -> bool:
    """Tell whether a query can begin at the position."""
    if s.frame.call >= 0:
        return False
    return s.clause in ("", "start", "dml") or s.at(-1).value == "("


def _on_select(s: Sketch, _word: str) -> None:
    s.frame.clause = "select"
    s.keyword("SELECT")


def _on_from(s: Sketch, _word: str) -> None:
    if s.frame.call >= 0 and not s.clause:
        separate(s)
        return
    s.frame.clause = "from"
    s.keyword("FROM")


def _on_where(s: Sketch, word: str) -> None:
    if s.frame.opener == "filter":
        s.skip(ended=False)
        return
    s.frame.clause = word
    s.keyword(word.upper())


def _on_group(s: Sketch, _word: str) -> None:
    if s.word(1) != "by":
        s.is_dubious()
    s.frame.clause = "group"
    s.skip(2)
    s.write("GROUP BY", ended=False)
    if s.word() in ("all", "distinct"):
        s.skip()


def _on_order(s: Sketch, _word: str) -> None:
    if s.word(1) != "by":
        s.is_dubious()
    in_call = s.frame.call >= 0 and not s.clause
    if in_call or s.frame.opener in ("over", "window", "within"):
        s.frame.counting = False
        s.skip(2)
        if s.ended:
            s.write(",", ended=False)
    else:
        s.frame.clause = "order"
        s.skip(2)
        s.write("ORDER BY", ended=False)


def _on_window(s: Sketch, _word: str) -> None:
    s.frame.clause = "window"
    s.keyword("WINDOW")


def _on_limit(s: Sketch, word: str) -> None:
    s.frame.clause = "limit"
    s.keyword(word.upper())
    if s.word() == "all":
        s.position += 1
        s.write_constant()


def _on_fetch(s: Sketch, _word: str) -> None:
    s.frame.clause = "limit"
    s.skip(2)  # FIRST or NEXT, which mean the same
    s.write("LIMIT", ended=False)
    if s.word() in _ROWS:
        s.write_constant()


def _on_set_operation(s: Sketch, _word: str) -> None:
    s.frame.clause = "start"
    s.keyword("UNION")
    if s.word() in ("all", "distinct"):
        s.skip()


def _on_with(s: Sketch, _word: str) -> None:
    if (s.clause, s.word(1)) in (("from", "ordinality"), ("limit", "ties")):
        s.skip(2)
    elif starts_query(s):
        s.frame.clause = "with"
        s.keyword("WITH")
    else:
        s.is_dubious()
        s.skip()


def _on_recursive(s: Sketch, word: str) -> None:
    if s.before == "with":
        s.keyword(word.upper())
    else:
        read_name(s)


def _on_materialized(s: Sketch, _word: str) -> None:
    if s.clause == "with" and s.before == "as":
        s.skip(before="as")
    else:
        read_name(s)


def _on_search(s: Sketch, word: str) -> None:
    """Skip SEARCH DEPTH FIRST BY … SET x, and CYCLE … SET x TO … DEFAULT … USING y."""
    if s.clause != "with" or not s.ended:
        read_name(s)
        return
    last = "set" if word == "search" else "using"
    while s.word() != last and s.at().value not in ("", "(", ")"):
        s.position += 1
    if s.word() != last:
        s.is_dubious()
    s.skip(2)


def _on_as(s: Sketch, _word: str) -> None:
    opener = s.frame.opener
    if opener in ("cast", "xmlserialize"):
        s.position += 1
        read_cast_type(s, s.frame.start + 1, s.position - 1)
    elif s.frame.call >= 0:
        s.skip(2)  # a label, in XMLFOREST(a AS b)
    elif s.clause == "from" and s.at(1).value == "(":
        s.write("AS", '"t"', ended=True)
        if not skip_column_list(s, s.position + 1):
            s.is_dubious()
            s.position += 1
    else:
        s.keyword("AS")


def _on_table(s: Sketch, _word: str) -> None:
    if starts_query(s) or (s.clause == "with" and s.ended):
        s.frame.clause = "from"
        s.skip()
        s.write("SELECT 1 FROM", ended=False)
    else:
        s.is_dubious()
        s.skip()


def _on_values(s: Sketch, _word: str) -> None:
    if s.at(1).value != "(":
        read_name(s)
        return
    s.frame.clause = "values"
    s.keyword("VALUES")


def _on_into(s: Sketch, _word: str) -> None:
    s.refuse(Reason.SELECT_INTO)
    s.skip(ended=False)


def _on_for(s: Sketch, _word: str) -> None:
    if s.frame.call >= 0 and not s.clause:
        separate(s)
        return
    if s.word(1) in _LOCKS:
        s.refuse(Reason.ROW_LOCK)
    else:
        s.is_dubious()
    s.skip(2)


def _on_on(s: Sketch, _word: str) -> None:
    if s.before == "distinct":
        s.skip()
        if s.at().value == "(":
            s.write(CALL, ended=False)
            s.open("distinct on")
    elif s.clause in _JOINS:
        s.frame.clause = "on"
        s.keyword("ON")
    else:
        s.is_dubious()
        s.skip(ended=False, before="on")


def _on_distinct(s: Sketch, word: str) -> None:
    s.skip(ended=False, before=word)


def _on_using(s: Sketch, _word: str) -> None:
    if s.clause in _JOINS and s.at(1).value == "(":
        s.frame.clause = "from"
        s.keyword("USING")
        s.write('( "x" )', ended=True)
        if not skip_column_list(s, s.position, labels=False):
            s.is_dubious()
        if s.word() == "as" and s.at(1).kind in NAMES:
            s.skip(2, ended=True)
    elif s.at(1).kind is TokenKind.OP:  # ORDER BY x USING <
        s.operators.add(s.at(1).value)
        s.skip(2)
    elif s.clause in ("dml", "from"):
        s.frame.clause = "from"
        s.skip()
        s.write(",", ended=False)
    else:
        s.is_dubious()
        s.skip()


def _on_join(s: Sketch, word: str) -> None:
    if s.clause not in _JOINS:
        s.is_dubious()
    s.frame.clause = "from"
    s.keyword(word.upper() if word in ("join", "cross") else "")


def _on_lateral(s: Sketch, _word: str) -> None:
    s.skip(ended=False)


def _on_only(s: Sketch, word: str) -> None:
    if s.clause != "from":
        s.skip()
        return
    s.write("ONLY", ended=False)
    is_wrapped = s.at(1).value == "("
    s.skip(2 if is_wrapped else 1, before=word)
    if is_wrapped:
        if s.at().kind in NAMES:
            read_name(s)
        if s.at().value != ")":
            s.is_dubious()
        s.position += 1


def _on_tablesample(s: Sketch, _word: str) -> None:
    s.refuse(Reason.TABLESAMPLE)
    s.skip()


def _on_rows(s: Sketch, word: str) -> None:
    if s.clause == "limit" and (word == "rows" or s.at(1).value != "("):
        s.skip(2 if s.word(1) == "only" else 1)
    elif s.clause == "from" and not s.ended and s.word(1) == "from":
        s.skip(2)
        s.write(CALL, ended=False)
        s.open("rows from", "from")
    elif word == "row" and s.at(1).value == "(":
        s.skip()
        s.write(CALL, ended=False)
        s.open("row")
    elif word == "rows":
        _on_frame_unit(s, word)
    else:
        read_name(s)


def _on_frame_unit(s: Sketch, _word: str) -> None:
    """ROWS, RANGE and GROUPS begin the frame of a window; elsewhere they are names."""
    after = s.at(1)
    is_bound = after.value not in (",", ")", ".", "") and after.kind is not TokenKind.OP
    begins = s.ended or s.at(-1).value == "("
    if s.frame.opener in ("over", "window") and begins and is_bound:
        s.frame.clause = "bounds"
        s.skip()
        if s.ended:
            s.write(",", ended=False)
    else:
        read_name(s)


CLAUSES: Final[dict[str, Handler]] = {
    "select": _on_select,
    "from": _on_from,
    "where": _on_where,
    "having": _on_where,
    "group": _on_group,
    "order": _on_order,
    "window": _on_window,
    "limit": _on_limit,
    "offset": _on_limit,
    "fetch": _on_fetch,
    "union": _on_set_operation,
    "intersect": _on_set_operation,
    "except": _on_set_operation,
    "with": _on_with,
    "recursive": _on_recursive,
    "materialized": _on_materialized,
    "search": _on_search,
    "cycle": _on_search,
    "as": _on_as,
    "table": _on_table,
    "values": _on_values,
    "into": _on_into,
    "for": _on_for,
    "on": _on_on,
    "distinct": _on_distinct,
    "using": _on_using,
    **dict.fromkeys(("join", *JOIN_KINDS), _on_join),
    "lateral": _on_lateral,
    "only": _on_only,
    "tablesample": _on_tablesample,
    "row": _on_rows,
    "rows": _on_rows,
    "range": _on_frame_unit,
    "groups": _on_frame_unit,
}

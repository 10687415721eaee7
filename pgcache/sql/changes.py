"""What the key words of INSERT, UPDATE, DELETE and MERGE do to a sketch (see sketch.py).

The sketch is drawn for what such a statement calls; what it writes is found elsewhere.
Counterpart: ``InsertStmt`` and its like in PostgreSQL's ``gram.y``. Must not know: the catalog.
"""

from __future__ import annotations

from typing import Final

from pgcache.errors.reasons import Reason
from pgcache.sql.clauses import Handler, starts_query
from pgcache.sql.names import read_name, skip_column_list
from pgcache.sql.sketch import NAMES, Sketch

__all__ = ["CHANGES"]


def _on_dml(s: Sketch, word: str) -> None:
    """INSERT, UPDATE, DELETE, MERGE where a statement can begin; elsewhere they are names."""
    if s.before in ("then", "do"):  # WHEN MATCHED THEN INSERT (a, b) …
        s.skip(2 if s.word(1) == "set" else 1, ended=False)
        if word == "insert" and s.at().value == "(":
            skip_column_list(s, s.position)
        return
    expected = {"insert": "into", "merge": "into", "delete": "from"}.get(word)
    begins = starts_query(s) or (s.clause == "with" and s.at(-1).value == ")")
    follows = s.at(1).kind in NAMES if expected is None else s.word(1) == expected
    if not begins or not follows or s.before == "as":
        read_name(s)
        return
    s.refuse(Reason.NOT_A_SELECT if len(s.frames) == 1 else Reason.WRITING_CTE, word)
    s.skip(1 if expected is None else 2, ended=False)
    _skip_target(s)


def _skip_target(s: Sketch) -> None:
    """Go past ``t AS x (a, b)``: what is written is found elsewhere."""
    s.frame.clause = "dml"
    if s.word() == "only":
        s.skip()
    is_wrapped = s.at().value == "("
    s.position += is_wrapped
    while s.at().kind in NAMES:
        s.position += 1
        if s.at().value != ".":
            break
        s.position += 1
    s.position += is_wrapped
    if s.word() == "as":
        s.position += 2
    if s.at().value == "(":
        skip_column_list(s, s.position)


def _on_set(s: Sketch, word: str) -> None:
    if s.clause == "dml":
        s.frame.clause = "set"
        s.skip(ended=False, before=word)
    else:
        read_name(s)


def _on_conflict(s: Sketch, _word: str) -> None:
    if s.before == "on" and s.at(1).value == "(":
        s.skip(ended=False)
    else:
        read_name(s)


def _on_do(s: Sketch, word: str) -> None:
    s.skip(ended=False, before=word)


CHANGES: Final[dict[str, Handler]] = {
    **dict.fromkeys(("insert", "update", "delete", "merge"), _on_dml),
    "set": _on_set,
    "conflict": _on_conflict,
    "do": _on_do,
}

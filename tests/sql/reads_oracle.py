"""What PostgreSQL's own parser, which pglast carries, says that a statement reads and calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pglast
from pglast import ast, enums

__all__ = ["Seen", "see"]

# PostgreSQL's grammar writes these calls itself, for ESCAPE and SIMILAR TO.
_MADE_UP = {("pg_catalog", "like_escape"), ("pg_catalog", "similar_to_escape")}
_CHANGES = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
_NO_NAMES: frozenset[str] = frozenset()


@dataclass(slots=True)
class Seen:
    """The tree's relations with the scopes of WITH applied, its calls, and what it does."""

    relations: set[tuple[str | None, str | None, str]] = field(default_factory=set)
    calls: set[tuple[str | None, str, int]] = field(default_factory=set)  # -1: not to be told
    types: set[tuple[str | None, str]] = field(default_factory=set)
    operators: set[str] = field(default_factory=set)
    clock: bool = False
    is_query: bool = False
    locks: bool = False
    changes: bool = False
    creates: bool = False
    samples: bool = False


def see(sql: str) -> Seen:
    """Parse one statement and walk its tree; raises pglast's ParseError."""
    (raw,) = pglast.parse_sql(sql)
    seen = Seen(is_query=isinstance(raw.stmt, ast.SelectStmt))
    _walk(raw.stmt, _NO_NAMES, seen)
    return seen


def _walk(node: Any, scope: frozenset[str], seen: Seen) -> None:
    if isinstance(node, (list, tuple)):
        for item in node:
            _walk(item, scope, seen)
        return
    if not isinstance(node, ast.Node):
        return
    _note(node, scope, seen)
    clause = getattr(node, "withClause", None)
    if clause is not None:
        scope = _walk_with(clause, scope, seen)
    for name, value in _parts(node):
        if name != "withClause":
            _walk(value, scope, seen)


def _walk_with(clause: Any, scope: frozenset[str], seen: Seen) -> frozenset[str]:
    """Walk the queries of a WITH clause; return what is in scope behind it."""
    names = frozenset(cte.ctename for cte in clause.ctes)
    visible = scope | names if clause.recursive else scope
    for cte in clause.ctes:
        _walk(cte.ctequery, visible, seen)
        visible |= {cte.ctename}
    return scope | names


def _parts(node: ast.Node) -> Iterator[tuple[str, Any]]:
    for name in node:
        yield name, getattr(node, name)


def _note(node: ast.Node, scope: frozenset[str], seen: Seen) -> None:
    if isinstance(node, ast.RangeVar):
        relation = node.relname or ""
        if node.schemaname is not None or relation not in scope:
            seen.relations.add((node.catalogname, node.schemaname, relation))
    elif isinstance(node, ast.FuncCall):
        _note_call(node, seen)
    elif isinstance(node, ast.TypeName):
        _note_type(node, seen)
    elif isinstance(node, ast.A_Expr):
        seen.operators.add(_strings(node.name)[-1])
    elif isinstance(node, ast.SQLValueFunction):
        assert node.op is not None
        seen.clock = seen.clock or node.op <= enums.SQLValueFunctionOp.SVFOP_LOCALTIMESTAMP_N
    elif isinstance(node, ast.LockingClause):
        seen.locks = True
    elif isinstance(node, ast.IntoClause):
        seen.creates = True
    elif isinstance(node, ast.RangeTableSample):
        seen.samples = True
    elif isinstance(node, _CHANGES):
        seen.changes = True


def _note_call(node: ast.FuncCall, seen: Seen) -> None:
    parts = _strings(node.funcname)
    schema = parts[-2] if len(parts) > 1 else None
    if node.funcformat == enums.CoercionForm.COERCE_SQL_SYNTAX:
        return
    if (schema, parts[-1]) in _MADE_UP:
        return
    count = len(node.args or ())
    if node.agg_star or node.agg_within_group or node.func_variadic:
        count = -1
    seen.calls.add((schema, parts[-1], count))


def _note_type(node: ast.TypeName, seen: Seen) -> None:
    parts = _strings(node.names)
    if parts:
        seen.types.add((parts[-2] if len(parts) > 1 else None, parts[-1]))


def _strings(nodes: Any) -> list[str]:
    return [node.sval for node in nodes or ()]

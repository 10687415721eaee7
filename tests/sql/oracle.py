"""What PostgreSQL's own parser, which pglast carries, says about a statement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pglast
from pglast import ast, enums
from pglast.parser import ParseError

from pgcache.sql.model import Kind, Name, RelationRef

__all__ = ["kind_of", "parse", "relation_of", "temporary_of", "walk", "writes_of"]

_TRANSACTION = enums.TransactionStmtKind
_TRANSACTIONS: dict[object, Kind] = {
    _TRANSACTION.TRANS_STMT_BEGIN: Kind.BEGIN,
    _TRANSACTION.TRANS_STMT_START: Kind.BEGIN,
    _TRANSACTION.TRANS_STMT_COMMIT: Kind.COMMIT,
    _TRANSACTION.TRANS_STMT_ROLLBACK: Kind.ROLLBACK,
    _TRANSACTION.TRANS_STMT_SAVEPOINT: Kind.SAVEPOINT,
    _TRANSACTION.TRANS_STMT_RELEASE: Kind.RELEASE,
    _TRANSACTION.TRANS_STMT_ROLLBACK_TO: Kind.ROLLBACK_TO,
    _TRANSACTION.TRANS_STMT_PREPARE: Kind.PREPARE_TRANSACTION,
    _TRANSACTION.TRANS_STMT_COMMIT_PREPARED: Kind.COMMIT_PREPARED,
    _TRANSACTION.TRANS_STMT_ROLLBACK_PREPARED: Kind.ROLLBACK_PREPARED,
}
_SETTING = enums.VariableSetKind
_SETTINGS: dict[object, Kind] = {
    _SETTING.VAR_SET_CURRENT: Kind.UNKNOWN,
    _SETTING.VAR_RESET: Kind.RESET,
    _SETTING.VAR_RESET_ALL: Kind.RESET,
}
_WRITES = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
_KINDS: dict[type[ast.Node], Kind] = {
    **dict.fromkeys(_WRITES, Kind.WRITE),
    ast.TruncateStmt: Kind.WRITE,
    ast.ConstraintsSetStmt: Kind.SET,
    ast.VariableShowStmt: Kind.SHOW,
    ast.DiscardStmt: Kind.DISCARD,
    ast.PrepareStmt: Kind.PREPARE,
    ast.ExecuteStmt: Kind.EXECUTE,
    ast.DeallocateStmt: Kind.DEALLOCATE,
    ast.DeclareCursorStmt: Kind.DECLARE,
    ast.FetchStmt: Kind.FETCH,
    ast.ClosePortalStmt: Kind.CLOSE,
    ast.ListenStmt: Kind.LISTEN,
    ast.UnlistenStmt: Kind.UNLISTEN,
    ast.NotifyStmt: Kind.NOTIFY,
    ast.LockStmt: Kind.LOCK,
    ast.ExplainStmt: Kind.EXPLAIN,
    ast.CallStmt: Kind.CALL,
    ast.DoStmt: Kind.DO,
    ast.RefreshMatViewStmt: Kind.REFRESH,
    ast.VacuumStmt: Kind.MAINTENANCE,
    ast.ClusterStmt: Kind.MAINTENANCE,
    ast.ReindexStmt: Kind.MAINTENANCE,
    ast.CheckPointStmt: Kind.MAINTENANCE,
    ast.LoadStmt: Kind.MAINTENANCE,
}


def parse(text: str) -> list[Any] | None:
    """Return the parse trees of a text; None where PostgreSQL refuses it."""
    try:
        return [raw.stmt for raw in pglast.parse_sql(text)]
    except (ParseError, RecursionError, UnicodeError):
        return None


def walk(node: object) -> Iterator[Any]:
    """Yield a node and all below it."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif isinstance(node, ast.Node):
        yield node
        for slot in node:
            yield from walk(getattr(node, slot))


def _into(node: Any) -> Any:
    """Return the INTO clause, which stands in the leftmost SELECT."""
    while node.larg is not None:
        node = node.larg
    return node.intoClause


def kind_of(node: Any) -> Kind:
    """Say which kind a statement is."""
    if isinstance(node, ast.SelectStmt):
        if _into(node) is not None:
            return Kind.DDL
        writes = any(isinstance(found, _WRITES) for found in walk(node))
        return Kind.WRITE if writes else Kind.SELECT
    if isinstance(node, ast.TransactionStmt):
        return _TRANSACTIONS[node.kind]
    if isinstance(node, ast.VariableSetStmt):
        return _SETTINGS.get(node.kind, Kind.SET)
    if isinstance(node, ast.CopyStmt):
        return Kind.WRITE if node.is_from else Kind.COPY_OUT
    return _KINDS.get(type(node), Kind.DDL)


def relation_of(node: Any) -> RelationRef:
    """Make a reference of a RangeVar."""
    return RelationRef(Name(node.relname, node.schemaname, node.catalogname), not node.inh)


def writes_of(node: Any) -> set[RelationRef]:
    """Say which relations the statement, or one inside it, changes, locks or creates by INTO.

    The bodies of functions and rules run some other time.
    """
    found: set[RelationRef] = set()
    if isinstance(node, (ast.CreateFunctionStmt, ast.RuleStmt)):
        return found
    for part in walk(node):
        if isinstance(part, _WRITES):
            found.add(relation_of(part.relation))
        elif isinstance(part, (ast.TruncateStmt, ast.LockStmt)):
            found.update(relation_of(relation) for relation in part.relations or ())
        elif (isinstance(part, ast.CopyStmt) and part.is_from) or isinstance(
            part, ast.RefreshMatViewStmt
        ):
            found.add(relation_of(part.relation))
        elif isinstance(part, ast.IntoClause):
            found.add(relation_of(part.rel))
    return found


def temporary_of(node: Any) -> bool:
    """Say whether the statement names a temporary object that it creates."""
    created: list[Any] = []
    if isinstance(node, (ast.CreateStmt, ast.CreateTableAsStmt, ast.SelectStmt)):
        created = [part.rel for part in walk(node) if isinstance(part, ast.IntoClause)]
    if isinstance(node, ast.CreateStmt):
        created.append(node.relation)
    if isinstance(node, ast.ViewStmt):
        created.append(node.view)
    if isinstance(node, ast.CreateSeqStmt):
        created.append(node.sequence)
    return any(
        relation.relpersistence == "t" or relation.schemaname == "pg_temp" for relation in created
    )

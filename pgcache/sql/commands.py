"""Statements about a session's own things and about maintenance.

Prepared statements, cursors, notifications, locks, VACUUM and the like. Counterpart: their
productions in PostgreSQL's ``gram.y``. Must not know: which names exist.
"""

from __future__ import annotations

from pgcache.sql.model import Kind, Statement
from pgcache.sql.reader import UNKNOWN, TokenReader

__all__ = [
    "read_call",
    "read_checkpoint",
    "read_close",
    "read_cluster",
    "read_deallocate",
    "read_do",
    "read_execute",
    "read_fetch",
    "read_listen",
    "read_load",
    "read_lock",
    "read_notify",
    "read_refresh",
    "read_reindex",
    "read_unlisten",
    "read_vacuum",
]


def _named(reader: TokenReader, kind: Kind, verb: str) -> Statement:
    name = reader.identifier()
    return Statement(kind, verb, name=name) if name is not None and reader.is_done() else UNKNOWN


def _named_or_all(reader: TokenReader, kind: Kind, verb: str) -> Statement:
    """A name, or ALL: then ``name`` is empty and the verb says so."""
    if reader.is_last() and reader.take("all"):
        return Statement(kind, f"{verb} ALL")
    return _named(reader, kind, verb)


def read_execute(reader: TokenReader) -> Statement:
    """EXECUTE name [(values)]."""
    reader.take("execute")
    name = reader.identifier()
    reader.skip_parentheses()
    if name is None or not reader.is_done():
        return UNKNOWN
    return Statement(Kind.EXECUTE, "EXECUTE", name=name)


def read_deallocate(reader: TokenReader) -> Statement:
    """DEALLOCATE [PREPARE] name | ALL."""
    reader.take("deallocate")
    if not reader.is_last():
        reader.take("prepare")
    return _named_or_all(reader, Kind.DEALLOCATE, "DEALLOCATE")


def read_close(reader: TokenReader) -> Statement:
    """CLOSE name | ALL."""
    reader.take("close")
    return _named_or_all(reader, Kind.CLOSE, "CLOSE")


def read_fetch(reader: TokenReader) -> Statement:
    """FETCH and MOVE [direction] [FROM | IN] cursor; the cursor's name is always the last token."""
    verb = reader.take_one_of("fetch", "move").upper()
    reader.index = max(reader.index, reader.end - 1)
    return _named(reader, Kind.FETCH, verb)


def read_listen(reader: TokenReader) -> Statement:
    """LISTEN channel."""
    reader.take("listen")
    return _named(reader, Kind.LISTEN, "LISTEN")


def read_unlisten(reader: TokenReader) -> Statement:
    """UNLISTEN channel | *."""
    reader.take("unlisten")
    if reader.is_last() and reader.take_mark("*"):
        return Statement(Kind.UNLISTEN, "UNLISTEN ALL")
    return _named(reader, Kind.UNLISTEN, "UNLISTEN")


def read_notify(reader: TokenReader) -> Statement:
    """NOTIFY channel [, 'payload']."""
    reader.take("notify")
    name = reader.identifier()
    if name is None:
        return UNKNOWN
    return Statement(Kind.NOTIFY, "NOTIFY", name=name)


def read_lock(reader: TokenReader) -> Statement:
    """LOCK [TABLE] tables [IN mode MODE] [NOWAIT]."""
    reader.take("lock")
    reader.take("table")
    targets = reader.relations()
    return Statement(Kind.LOCK, "LOCK", targets=targets) if targets else UNKNOWN


def read_call(reader: TokenReader) -> Statement:
    """CALL procedure(values); ``name`` is the procedure's, without its schema."""
    reader.take("call")
    name = reader.name()
    if name is None or reader.mark() != "(":
        return UNKNOWN
    return Statement(Kind.CALL, "CALL", name=name.name)


def read_do(reader: TokenReader) -> Statement:
    """DO [LANGUAGE name] 'code'."""
    return Statement(Kind.DO, "DO")


def read_refresh(reader: TokenReader) -> Statement:
    """REFRESH MATERIALIZED VIEW [CONCURRENTLY] name [WITH [NO] DATA]."""
    if not reader.take("refresh", "materialized", "view"):
        return UNKNOWN
    reader.take("concurrently")
    relation = reader.relation()
    if relation is None:
        return UNKNOWN
    return Statement(Kind.REFRESH, "REFRESH MATERIALIZED VIEW", targets=(relation,))


def read_vacuum(reader: TokenReader) -> Statement:
    """VACUUM and ANALYZE [options] [tables]; no targets: all tables."""
    verb = reader.take_one_of("vacuum", "analyze", "analyse").upper()
    reader.skip_parentheses()
    while reader.take_one_of("full", "freeze", "verbose", "analyze", "analyse"):
        pass
    targets = []
    while (relation := reader.relation()) is not None:
        targets.append(relation)
        reader.skip_parentheses()
        if not reader.take_mark(","):
            break
    return Statement(Kind.MAINTENANCE, verb, targets=tuple(targets))


def read_cluster(reader: TokenReader) -> Statement:
    """CLUSTER [options] [table [USING index]]; the old form names the index first."""
    reader.take("cluster")
    reader.skip_parentheses()
    reader.take("verbose")
    relation = reader.relation()
    if relation is not None and reader.take("on"):
        relation = reader.relation()
    return Statement(Kind.MAINTENANCE, "CLUSTER", targets=(relation,) if relation else ())


def read_reindex(reader: TokenReader) -> Statement:
    """REINDEX [options] {INDEX | TABLE | SCHEMA | SYSTEM | DATABASE} name."""
    reader.take("reindex")
    reader.skip_parentheses()
    is_table = reader.take("table")
    reader.take("concurrently")
    relation = reader.relation() if is_table else None
    return Statement(Kind.MAINTENANCE, "REINDEX", targets=(relation,) if relation else ())


def read_checkpoint(reader: TokenReader) -> Statement:
    """CHECKPOINT [options]."""
    return Statement(Kind.MAINTENANCE, "CHECKPOINT")


def read_load(reader: TokenReader) -> Statement:
    """LOAD 'library'."""
    return Statement(Kind.MAINTENANCE, "LOAD")

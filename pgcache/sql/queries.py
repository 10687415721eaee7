"""Statements that begin like a query: what they are, before anyone looks what they read.

Counterpart: ``SelectStmt`` of PostgreSQL's ``gram.y``. Must not know: relations and functions of
the query, which ``analyse`` finds.
"""

from __future__ import annotations

from pgcache.sql.model import Kind, Statement
from pgcache.sql.reader import UNKNOWN, TokenReader
from pgcache.sql.writes import (
    SUSPICIOUS_WORDS,
    WRITING_VERBS,
    find_main_verb,
    find_writes,
    read_into,
    read_targets,
    read_write,
)

__all__ = ["read_query"]

_QUERY_VERBS = frozenset({"select", "values", "table"})


def read_query(reader: TokenReader) -> Statement:
    """SELECT, VALUES, TABLE, WITH, also in parentheses: a query, a write or a new table."""
    verb = _first_word(reader)
    if verb != "with" and verb not in _QUERY_VERBS:
        return UNKNOWN
    query = Statement(Kind.SELECT, "SELECT" if verb == "with" else verb.upper())
    words = {token.value for token in reader.tokens[reader.index : reader.end]}
    if SUSPICIOUS_WORDS.isdisjoint(words):
        return query
    main = reader.index
    if reader.word() == "with":
        found = find_main_verb(reader.part(reader.index, reader.end))
        if found is None:
            return UNKNOWN
        main = found
        if reader.tokens[main].value in WRITING_VERBS:
            return read_write(reader, main)
    return _read_suspicious(reader, main) or query


def _first_word(reader: TokenReader) -> str:
    """Return the first word behind any opening parentheses."""
    ahead = 0
    while reader.mark(ahead) == "(":
        ahead += 1
    return reader.word(ahead)


def _read_suspicious(reader: TokenReader, main: int) -> Statement | None:
    """Tell a query that writes or creates a table from one that only uses such words as names."""
    writes = list(find_writes(reader))
    into = read_into(reader, frozenset(writes))
    if into is None:
        return read_write(reader, main) if writes else None
    table, temporary = into
    targets = read_targets(reader, writes)
    if targets is None or table is None:
        return UNKNOWN
    return Statement(
        Kind.DDL,
        "SELECT INTO",
        targets=(table, *targets),
        temporary=temporary,
        name=table.name.name if temporary else "",
    )

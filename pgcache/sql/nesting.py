"""Statements that hold another statement: EXPLAIN, PREPARE, DECLARE, COPY.

Counterpart: ``ExplainStmt``, ``PrepareStmt``, ``DeclareCursorStmt``, ``CopyStmt`` of PostgreSQL's
``gram.y``. Must not know: how the statement inside is classified; it is handed a function for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pgcache.sql.model import Kind, Read, RelationRef, Statement
from pgcache.sql.reader import UNKNOWN, TokenReader

__all__ = ["Classify", "read_copy", "read_declare", "read_explain", "read_prepare"]

Classify = Callable[[TokenReader], Statement]

_QUERY_STARTS = frozenset({"select", "table", "values", "with"})
_OFF = frozenset({"false", "off", "0", "'false'", "'off'", "'0'"})


def read_explain(reader: TokenReader, classify: Classify) -> Statement:
    """EXPLAIN [ANALYZE] [VERBOSE] statement, EXPLAIN (options) statement."""
    reader.take("explain")
    if reader.mark() == "(" and not _is_query_in_parentheses(reader):
        options = reader.part(reader.index + 1, reader.partners[reader.index])
        runs = _has_analyze(options)
        reader.skip_parentheses()
    else:
        runs = bool(reader.take_one_of("analyze", "analyse"))
        reader.take("verbose")
    inner = classify(reader)
    verb = "EXPLAIN ANALYZE" if runs else "EXPLAIN"
    return Statement(Kind.EXPLAIN, verb, inner=inner, executes_inner=runs)


def _is_query_in_parentheses(reader: TokenReader) -> bool:
    """Tell ``EXPLAIN (SELECT …)`` from options; of the words only VALUES could be an option."""
    word = reader.word(1)
    if word == "values":
        return reader.mark(2) == "("
    return word in _QUERY_STARTS or reader.mark(1) == "("


def _has_analyze(options: TokenReader) -> bool:
    """Tell whether the options run the statement; the last one of a name counts.

    A value that is not plainly a no counts as a yes.
    """
    runs = False
    while not options.is_done():
        if options.take_one_of("analyze", "analyse") or _take_quoted_analyze(options):
            value = options.peek()
            runs = value is None or value.value.lower() not in _OFF
        while not options.is_done() and not options.take_mark(","):
            options.index += 1
    return runs


def _take_quoted_analyze(options: TokenReader) -> bool:
    """Consume the option's name in double quotes, which PostgreSQL takes as well."""
    token = options.peek()
    if token is None or token.value.lower() not in ('"analyze"', '"analyse"'):
        return False
    options.index += 1
    return True


def read_prepare(reader: TokenReader, classify: Classify) -> Statement:
    """PREPARE name [(types)] AS statement."""
    reader.take("prepare")
    name = reader.identifier()
    reader.skip_parentheses()
    if name is None or not reader.take("as"):
        return UNKNOWN
    return Statement(Kind.PREPARE, "PREPARE", name=name, inner=classify(reader))


def read_declare(reader: TokenReader, classify: Classify) -> Statement:
    """DECLARE name [options] CURSOR [{WITH | WITHOUT} HOLD] FOR query.

    The query runs by and by, as rows are fetched: what it may do counts from here on.
    """
    reader.take("declare")
    name = reader.identifier()
    while reader.take_one_of("no", "scroll", "binary", "asensitive", "insensitive"):
        pass
    if name is None or not reader.take("cursor"):
        return UNKNOWN
    if reader.take_one_of("with", "without"):
        reader.take("hold")
    if not reader.take("for"):
        return UNKNOWN
    inner = classify(reader)
    return Statement(
        Kind.DECLARE, "DECLARE", name=name, inner=inner, read=inner.read, executes_inner=True
    )


def read_copy(reader: TokenReader, classify: Classify) -> Statement:
    """COPY table {FROM | TO} …, COPY (query) TO …."""
    reader.take("copy")
    if reader.mark() == "(":
        return _read_copy_query(reader, classify)
    reader.take("binary")
    name = reader.name()
    reader.skip_parentheses()
    if name is None:
        return UNKNOWN
    table = RelationRef(name)
    if reader.take("from"):
        return Statement(Kind.WRITE, "COPY FROM", targets=(table,))
    if reader.take("to"):  # the rows of the table itself, not of its children
        read = Read(relations=(replace(table, only=True),))
        return Statement(Kind.COPY_OUT, "COPY TO", read=read)
    return UNKNOWN


def _read_copy_query(reader: TokenReader, classify: Classify) -> Statement:
    """COPY (query) TO …, where the query may be INSERT, UPDATE, DELETE or MERGE … RETURNING."""
    start = reader.index + 1
    reader.skip_parentheses()
    if not reader.take("to"):
        return UNKNOWN
    inner = classify(reader.part(start, reader.partners[start - 1]))
    return Statement(
        Kind.COPY_OUT,
        "COPY TO",
        targets=inner.targets,
        read=inner.read,
        inner=inner,
        executes_inner=True,
    )

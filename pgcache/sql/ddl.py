"""Statements that change the schema, roles or privileges (C-40).

Counterpart: everything in PostgreSQL's ``gram.y`` that begins with CREATE, ALTER, DROP, GRANT and
their kin. Must not know: what the change means; any of them moves the whole schema. Names are
read where that is simple, for the log and to know temporary objects (S-09).
"""

from __future__ import annotations

from pgcache.sql.lexer import TokenKind
from pgcache.sql.model import Kind, RelationRef, Statement
from pgcache.sql.nesting import Classify
from pgcache.sql.reader import UNKNOWN, TokenReader
from pgcache.sql.writes import is_temporary, take_temporary

__all__ = ["read_create", "read_import", "read_other_ddl", "read_reassign", "read_security_label"]

# What relations are called in CREATE, ALTER and DROP.
_RELATIONS = (
    ("materialized", "view"),
    ("foreign", "table"),
    ("table",),
    ("view",),
    ("sequence",),
    ("index",),
)
_CODE = frozenset(
    {"default", "check", "generated", "like", "inherits", "of", "partition", "exclude", "exists"}
)
_QUERY_STARTS = frozenset({"select", "table", "values", "with", "execute"})


def read_create(reader: TokenReader, classify: Classify) -> Statement:
    """CREATE anything. With a query (AS SELECT …) that is the statement inside, which runs."""
    whole = reader.part(reader.index, reader.end)
    reader.take("create")
    reader.take("or", "replace")
    temporary = take_temporary(reader)
    reader.take_one_of("unlogged", "recursive", "unique", "trusted", "constraint")
    what, is_relation = _take_object(reader)
    if not what:
        return UNKNOWN
    is_stored = what in ("TABLE", "MATERIALIZED VIEW")
    is_plain = temporary and what == "TABLE" and not _runs_code(whole)
    targets = _created_relation(reader, what) if is_relation else ()
    inner = _query_of_table(reader, classify) if is_stored else None
    return Statement(
        Kind.DDL,
        f"CREATE TEMPORARY {what}" if temporary else f"CREATE {what}",
        targets=targets,
        name=targets[0].name.name if is_plain and targets else "",
        temporary=temporary or any(map(is_temporary, targets)) or _names_temporary_schema(whole),
        read=inner.read if inner else None,
        inner=inner,
        executes_inner=inner is not None,
    )


def _runs_code(reader: TokenReader) -> bool:
    """Whether writing to the new table could do more than that, by the words in its definition."""
    tokens = reader.tokens[reader.index : reader.end]
    return any(token.kind is TokenKind.WORD and token.value in _CODE for token in tokens)


def _take_object(reader: TokenReader) -> tuple[str, bool]:
    """Consume the kind of object; returns it in capitals, and whether it is a relation."""
    for words in _RELATIONS:
        if reader.take(*words):
            return " ".join(words).upper(), True
    word = reader.word()
    if word:
        reader.index += 1
    return word.upper(), False


def _created_relation(reader: TokenReader, what: str) -> tuple[RelationRef, ...]:
    """Read the name behind CREATE TABLE and so on; for an index the table's."""
    reader.take("concurrently")
    reader.take("if", "not", "exists")
    if what == "INDEX":
        if not reader.at("on"):
            reader.name()
        if not reader.take("on"):
            return ()
    relation = reader.relation()
    return () if relation is None else (relation,)


def _query_of_table(reader: TokenReader, classify: Classify) -> Statement | None:
    """Find the query of CREATE TABLE … AS and CREATE MATERIALIZED VIEW … AS."""
    while not reader.is_done():
        if reader.skip_parentheses():
            continue
        if reader.take("as") and (reader.word() in _QUERY_STARTS or reader.mark() == "("):
            return classify(reader.part(reader.index, _before_with_data(reader)))
        if not reader.is_done():
            reader.index += 1
    return None


def _before_with_data(reader: TokenReader) -> int:
    """Return the end of the query, before WITH [NO] DATA."""
    last = reader.part(max(reader.index, reader.end - 3), reader.end)
    while not last.is_done():
        if last.at("with", "data") or last.at("with", "no", "data"):
            return last.index
        last.index += 1
    return reader.end


def _names_temporary_schema(reader: TokenReader) -> bool:
    """Tell whether pg_temp is named anywhere in the statement."""
    return any(
        token.value.startswith(("pg_temp", '"pg_temp'))
        for token in reader.tokens[reader.index : reader.end]
        if token.kind in (TokenKind.WORD, TokenKind.QUOTED)
    )


def read_other_ddl(reader: TokenReader) -> Statement:
    """ALTER, DROP, GRANT, REVOKE, COMMENT, with the relations that ALTER and DROP name."""
    verb = reader.take_one_of("alter", "drop", "grant", "revoke", "comment").upper()
    if verb not in ("ALTER", "DROP"):
        return Statement(Kind.DDL, verb)
    what, is_relation = _take_object(reader)
    if not what:
        return UNKNOWN
    reader.take("concurrently")
    reader.take("if", "exists")
    targets = reader.relations() if is_relation else ()
    return Statement(Kind.DDL, f"{verb} {what}", targets=targets)


def read_security_label(reader: TokenReader) -> Statement:
    """SECURITY LABEL …."""
    return Statement(Kind.DDL, "SECURITY LABEL") if reader.take("security", "label") else UNKNOWN


def read_import(reader: TokenReader) -> Statement:
    """IMPORT FOREIGN SCHEMA …."""
    if not reader.take("import", "foreign", "schema"):
        return UNKNOWN
    return Statement(Kind.DDL, "IMPORT FOREIGN SCHEMA")


def read_reassign(reader: TokenReader) -> Statement:
    """REASSIGN OWNED …."""
    return Statement(Kind.DDL, "REASSIGN OWNED") if reader.take("reassign", "owned") else UNKNOWN

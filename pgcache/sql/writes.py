"""Statements that change rows, and where they hide inside of others.

Counterpart: ``InsertStmt``, ``UpdateStmt``, ``DeleteStmt``, ``MergeStmt``, ``TruncateStmt`` and
``with_clause`` of PostgreSQL's ``gram.y``. Must not know: the schema; which further tables a write
reaches (cascades, triggers, rules) is the catalog's to say (C-32).

A write is found by its place in the grammar: at the start of a statement, behind its WITH clause,
or at the start of a parenthesis. Where that leaves a doubt it counts as a write (Z-00).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pgcache.sql.lexer import Token
from pgcache.sql.model import Kind, RelationRef, Statement
from pgcache.sql.reader import UNKNOWN, TokenReader

__all__ = [
    "SUSPICIOUS_WORDS",
    "WRITING_VERBS",
    "find_main_verb",
    "find_writes",
    "is_temporary",
    "read_into",
    "read_plain_write",
    "read_targets",
    "read_truncate",
    "read_write",
    "take_temporary",
]

WRITING_VERBS = frozenset({"insert", "update", "delete", "merge"})
SUSPICIOUS_WORDS = WRITING_VERBS | {"into"}
"""A query without any of these words as a token neither writes rows nor creates a table."""

_LONGEST_CYCLE = 64  # tokens from SET to USING; two constants and a few words
_LEADS = frozenset({"as", "materialized"})  # what stands before the query of a WITH clause


def find_main_verb(reader: TokenReader) -> int | None:
    """Find the word behind the WITH clause at which the reader stands; None when it is not clear.

    Names in the clause may be any unreserved word, UPDATE and DELETE among them, so the clause is
    walked and not searched. ``(`` counts as the verb of a query in parentheses.
    """
    reader.take("with")
    if reader.word() == "recursive" and not _is_query_name(reader):
        reader.take("recursive")
    while True:
        if not _skip_with_query(reader):
            return None
        if not reader.take_mark(","):
            return None if reader.is_done() else reader.index


def _is_query_name(reader: TokenReader) -> bool:
    """Tell whether RECURSIVE is itself the name of the query: ``WITH recursive AS (…)``."""
    return reader.word(1) == "as" or reader.mark(1) == "("


def _skip_with_query(reader: TokenReader) -> bool:
    """Skip ``name [(columns)] AS [[NOT] MATERIALIZED] (query) [SEARCH …] [CYCLE …]``."""
    if reader.identifier() is None:
        return False
    reader.skip_parentheses()
    if not reader.take("as"):
        return False
    reader.take("not")
    reader.take("materialized")
    return reader.skip_parentheses() and _skip_search(reader) and _skip_cycle(reader)


def _skip_search(reader: TokenReader) -> bool:
    """Skip ``SEARCH {DEPTH | BREADTH} FIRST BY columns SET column``."""
    if not reader.take("search"):
        return True
    if not reader.take_one_of("depth", "breadth") or not reader.take("first", "by"):
        return False
    return _skip_columns(reader) and reader.take("set") and reader.identifier() is not None


def _skip_cycle(reader: TokenReader) -> bool:
    """Skip ``CYCLE columns SET column [TO constant DEFAULT constant] USING column``."""
    if not reader.take("cycle"):
        return True
    if not _skip_columns(reader) or not reader.take("set") or reader.identifier() is None:
        return False
    for _ in range(_LONGEST_CYCLE):
        if reader.word() == "using":  # reserved: no constant contains it
            break
        reader.index += 1
    return reader.take("using") and reader.identifier() is not None


def _skip_columns(reader: TokenReader) -> bool:
    while True:
        if reader.identifier() is None:
            return False
        if not reader.take_mark(","):
            return True


def find_writes(reader: TokenReader) -> Iterator[int]:
    """Find the verbs of all writes in the statement at which the reader stands, at any depth.

    A WITH clause that cannot be walked is reported by the place of its WITH.
    """
    start = reader.index
    yield from _write_at(reader, start, in_with=True)
    tokens: Sequence[Token] = reader.tokens
    for index in range(start, reader.end - 1):
        if tokens[index].value == "(" and reader.partners[index] >= 0:
            in_with = index > start and tokens[index - 1].value in _LEADS
            yield from _write_at(reader, index + 1, in_with=in_with)


def _write_at(reader: TokenReader, index: int, *, in_with: bool) -> Iterator[int]:
    """Yield the verb of the write that begins there, behind its own WITH clause if it has one."""
    inner = reader.part(index, reader.end)
    if inner.word() == "with":
        verb = find_main_verb(inner)
        if verb is None:
            yield index
            return
        inner = reader.part(verb, reader.end)
        in_with = True
    if _is_write(inner, in_with=in_with):
        yield inner.index


def _is_write(reader: TokenReader, *, in_with: bool) -> bool:
    verb = reader.word()
    if verb in ("insert", "merge"):
        return reader.word(1) == "into"
    if verb == "delete":  # trim(delete from x) is a column's name, and no WITH stands before it
        return in_with and reader.word(1) == "from"
    if verb == "update":
        return _is_update(reader.part(reader.index + 1, reader.end))
    return False


def _is_update(reader: TokenReader) -> bool:
    """Tell ``UPDATE table [FOR PORTION …] [AS alias] SET`` from a column called update."""
    if reader.relation() is None:
        return False
    if reader.word() in ("set", "for"):
        return True
    reader.take("as")
    reader.identifier()
    return reader.word() == "set"


def read_targets(reader: TokenReader, verbs: Sequence[int]) -> tuple[RelationRef, ...] | None:
    """Read what the writes at these places change; None when one of them cannot be read."""
    found: dict[RelationRef, None] = {}
    for verb in verbs:
        inner = reader.part(verb, reader.end)
        if not inner.take_one_of(*WRITING_VERBS):
            return None
        inner.take_one_of("into", "from")
        relation = inner.relation()
        if relation is None:
            return None
        found[relation] = None
    return tuple(found)


def read_write(reader: TokenReader, main: int) -> Statement:
    """INSERT, UPDATE, DELETE, MERGE, and queries with one of them in WITH.

    ``main`` is the place of the main verb. UNKNOWN when a target cannot be read.
    """
    return _build_write(reader, main, list(find_writes(reader)))


def _build_write(reader: TokenReader, main: int, verbs: Sequence[int]) -> Statement:
    verb = reader.tokens[main].value
    targets = read_targets(reader, verbs)
    if not targets or (verb in WRITING_VERBS and main not in verbs):
        return UNKNOWN
    return Statement(Kind.WRITE, verb.upper() if verb.isalpha() else "SELECT", targets=targets)


def read_plain_write(reader: TokenReader) -> Statement:
    """INSERT, UPDATE, DELETE, MERGE without WITH in front."""
    start = reader.index
    verbs = [start] if _has_one_verb(reader) else list(find_writes(reader))
    return _build_write(reader, start, verbs)


def _has_one_verb(reader: TokenReader) -> bool:
    tokens = reader.tokens[reader.index : reader.end]
    return sum(token.value in WRITING_VERBS for token in tokens) == 1


def read_into(
    reader: TokenReader, writes: Collection[int]
) -> tuple[RelationRef | None, bool] | None:
    """Find SELECT … INTO: its table (None when unclear) and whether it is temporary.

    INTO is reserved, so the word stands for itself except as a label or behind a dot.
    """
    tokens = reader.tokens
    for index in range(reader.index + 1, reader.end):
        if tokens[index].value != "into" or index - 1 in writes or _is_label(tokens, index):
            continue
        return _read_into_target(reader.part(index + 1, reader.end))
    return None


def _read_into_target(reader: TokenReader) -> tuple[RelationRef | None, bool]:
    """Read ``[TEMP | UNLOGGED] [TABLE] name``, where TEMP and UNLOGGED may be the name itself."""
    start = reader.index
    temporary = take_temporary(reader)
    reader.take("unlogged")
    reader.take("table")
    relation = reader.relation()
    if relation is None:
        reader.index = start
        temporary = False
        relation = reader.relation()
    return relation, temporary or (relation is not None and is_temporary(relation))


def _is_label(tokens: Sequence[Token], index: int) -> bool:
    """Tell whether a reserved word is a label here: behind a dot, or an AS that is none itself."""
    before = tokens[index - 1].value
    return before == "." or (before == "as" and tokens[index - 2].value not in (".", "as"))


def take_temporary(reader: TokenReader) -> bool:
    """Consume [LOCAL | GLOBAL] TEMP | TEMPORARY."""
    if reader.word(1) in ("temp", "temporary"):
        reader.take_one_of("local", "global")
    return bool(reader.take_one_of("temp", "temporary"))


def is_temporary(relation: RelationRef) -> bool:
    """Tell whether the name says so: pg_temp, or a session's own pg_temp_3."""
    schema = relation.name.schema
    return schema is not None and (schema == "pg_temp" or schema.startswith("pg_temp_"))


def read_truncate(reader: TokenReader) -> Statement:
    """TRUNCATE [TABLE] tables [RESTART | CONTINUE IDENTITY] [CASCADE | RESTRICT]."""
    reader.take("truncate")
    reader.take("table")
    targets = reader.relations()
    if reader.take_one_of("restart", "continue"):
        reader.take("identity")
    cascade = reader.take("cascade")
    reader.take("restrict")
    if not targets or not reader.is_done():
        return UNKNOWN
    return Statement(Kind.WRITE, "TRUNCATE", targets=targets, cascade=cascade)

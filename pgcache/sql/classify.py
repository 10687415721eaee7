"""From the tokens of one statement to what it is: the table of PostgreSQL's statements.

Counterpart: ``stmt`` and ``toplevel_stmt`` of PostgreSQL's ``gram.y``. The first word tells which
production it must be; the reader of that production does the rest, and answers UNKNOWN where the
text is none it knows (Z-00). Must not know: bytes, encodings, other statements of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from pgcache.errors.reasons import Reason, Refusal
from pgcache.sql import commands, ddl, nesting, queries, settings, transactions, writes
from pgcache.sql.analyse import analyse_read
from pgcache.sql.lexer import Token, TokenKind
from pgcache.sql.literals import is_certain_name
from pgcache.sql.model import Kind, Read, Statement
from pgcache.sql.reader import UNKNOWN, TokenReader

__all__ = ["classify"]

_DEEPEST = 4  # EXPLAIN DECLARE … FOR query is three; deeper nesting is no statement

_MANY = 2_000  # tokens, from which on it pays to look for rows of constants
_ROW_LEADS = frozenset({"values", ","})
_INERT = frozenset({",", "-", "+", "null", "default", "true", "false"})
_CONSTANTS = frozenset(
    {TokenKind.STRING, TokenKind.NUMBER, TokenKind.PARAM, TokenKind.ESCAPE, TokenKind.DOLLAR}
)

_PLAIN: dict[str, Callable[[TokenReader], Statement]] = {
    "abort": transactions.read_abort,
    "alter": ddl.read_other_ddl,
    "analyse": commands.read_vacuum,
    "analyze": commands.read_vacuum,
    "begin": transactions.read_begin,
    "call": commands.read_call,
    "checkpoint": commands.read_checkpoint,
    "close": commands.read_close,
    "cluster": commands.read_cluster,
    "comment": ddl.read_other_ddl,
    "commit": transactions.read_commit,
    "deallocate": commands.read_deallocate,
    "delete": writes.read_plain_write,
    "discard": settings.read_discard,
    "do": commands.read_do,
    "drop": ddl.read_other_ddl,
    "end": transactions.read_commit,
    "execute": commands.read_execute,
    "fetch": commands.read_fetch,
    "grant": ddl.read_other_ddl,
    "import": ddl.read_import,
    "insert": writes.read_plain_write,
    "listen": commands.read_listen,
    "load": commands.read_load,
    "lock": commands.read_lock,
    "merge": writes.read_plain_write,
    "move": commands.read_fetch,
    "notify": commands.read_notify,
    "reassign": ddl.read_reassign,
    "refresh": commands.read_refresh,
    "reindex": commands.read_reindex,
    "release": transactions.read_release,
    "reset": settings.read_reset,
    "revoke": ddl.read_other_ddl,
    "rollback": transactions.read_rollback,
    "savepoint": transactions.read_savepoint,
    "security": ddl.read_security_label,
    "select": queries.read_query,
    "set": settings.read_set,
    "show": settings.read_show,
    "start": transactions.read_start,
    "table": queries.read_query,
    "truncate": writes.read_truncate,
    "unlisten": commands.read_unlisten,
    "update": writes.read_plain_write,
    "vacuum": commands.read_vacuum,
    "values": queries.read_query,
    "with": queries.read_query,
}
_NESTING: dict[str, Callable[[TokenReader, nesting.Classify], Statement]] = {
    "copy": nesting.read_copy,
    "create": ddl.read_create,
    "declare": nesting.read_declare,
    "explain": nesting.read_explain,
    "prepare": nesting.read_prepare,
}

# Kinds whose names live in the session: no catalog can tell how the origin reads them.
_NAMED = frozenset(
    {
        *(Kind.PREPARE, Kind.EXECUTE, Kind.DEALLOCATE, Kind.DECLARE, Kind.FETCH, Kind.CLOSE),
        *(Kind.SAVEPOINT, Kind.RELEASE, Kind.ROLLBACK_TO),
    }
)


def classify(reader: TokenReader, depth: int = 0) -> Statement:
    """Classify the statement at which the reader stands, up to the reader's end.

    Offsets of the result count characters of the reader's text.
    """
    first, end = reader.index, reader.end
    if first >= end:
        return replace(UNKNOWN, start=(edge := _edge(reader)), end=edge)
    word = reader.word()
    if depth > _DEEPEST:
        found = UNKNOWN
    elif word == "prepare" and _is_two_phase(reader):
        found = transactions.read_prepare_transaction(reader)
    elif word in _NESTING:
        found = _NESTING[word](reader, partial(classify, depth=depth + 1))
    else:
        found = _PLAIN.get(word, queries.read_query)(reader)
    if found.kind in _NAMED and not is_certain_name(found.name):
        found = UNKNOWN  # to the origin it may be another's name, or the same as another
    whole = reader.part(first, end)
    tokens = reader.tokens
    return replace(
        found,
        verb=found.verb or word.upper(),
        start=tokens[first].start,
        end=tokens[end - 1].end,
        read=found.read or _read_of(whole, found),
    )


def _edge(reader: TokenReader) -> int:
    """Return where the text stands that should have held a statement."""
    return reader.tokens[reader.end - 1].end if reader.end > 0 else 0


def _is_two_phase(reader: TokenReader) -> bool:
    """Tell PREPARE TRANSACTION 'gid' from a statement whose name is "transaction"."""
    following = reader.peek(2)
    return reader.at("prepare", "transaction") and (
        following is not None and following.kind is not TokenKind.WORD and following.value != "("
    )


def _read_of(reader: TokenReader, statement: Statement) -> Read | None:
    """Find what the statement reads and calls, for those that can."""
    kind, verb = statement.kind, statement.verb
    if kind is Kind.SELECT or verb == "SELECT INTO":
        return _analyse(reader)
    if kind is Kind.WRITE:
        if verb == "TRUNCATE":
            return None
        return _analyse_condition(reader) if verb == "COPY FROM" else _analyse(reader)
    if kind is Kind.EXECUTE and reader.mark(2) == "(":
        return _analyse_values(reader.part(reader.index + 2, reader.end))
    return None


def _analyse(reader: TokenReader) -> Read:
    tokens = list(reader.tokens[reader.index : reader.end])
    if tokens[-1].kind is TokenKind.ERROR:
        return Read(refusal=Refusal(Reason.PARSE_ERROR))
    if len(tokens) > _MANY and tokens[0].value == "insert":
        tokens = _without_literal_rows(tokens)
    start = tokens[0].start
    if start:
        tokens = [Token(t.kind, t.value, t.start - start, t.end - start) for t in tokens]
    return _analyse_text(reader.source.text[start : start + tokens[-1].end], tokens)


def _without_literal_rows(tokens: list[Token]) -> list[Token]:
    """Leave out the rows of a long VALUES list that hold nothing but constants.

    They read nothing and call nothing, and a loader's INSERT consists of them.
    """
    kept: list[Token] = []
    index, count = 0, len(tokens)
    while index < count:
        token = tokens[index]
        if token.value == "(" and tokens[index - 1].value in _ROW_LEADS:
            end = index + 1
            while end < count and (tokens[end].kind in _CONSTANTS or tokens[end].value in _INERT):
                end += 1
            if end + 1 < count and tokens[end].value == ")" and tokens[end + 1].value == ",":
                index = end + 2
                continue
        kept.append(token)
        index += 1
    return kept


def _analyse_values(reader: TokenReader) -> Read:
    """Analyse the values of EXECUTE name (…) as if they were selected."""
    inside = reader.tokens[reader.index + 1 : reader.end - 1]
    return _analyse_expression(reader.source.text, inside)


def _analyse_condition(reader: TokenReader) -> Read | None:
    """Analyse the WHERE of COPY … FROM as if it were selected."""
    while not reader.is_done():
        if reader.take("where"):
            return _analyse_expression(reader.source.text, reader.tokens[reader.index : reader.end])
        if not reader.skip_parentheses():
            reader.index += 1
    return None


def _analyse_expression(text: str, tokens: Sequence[Token]) -> Read:
    if not tokens or tokens[-1].kind is TokenKind.ERROR:
        return Read(refusal=Refusal(Reason.PARSE_ERROR))
    lead = "SELECT "
    shift = len(lead) - tokens[0].start
    moved = [Token(t.kind, t.value, t.start + shift, t.end + shift) for t in tokens]
    moved.insert(0, Token(TokenKind.WORD, "select", 0, len(lead) - 1))
    return _analyse_text(lead + text[tokens[0].start : tokens[-1].end], moved)


def _analyse_text(sql: str, tokens: Sequence[Token]) -> Read:
    """Ask the analyser; whatever goes wrong inside it, the statement is only not understood."""
    try:
        return analyse_read(sql, tokens)
    except Exception:
        return Read(refusal=Refusal(Reason.PARSE_ERROR))

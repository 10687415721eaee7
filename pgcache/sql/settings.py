"""SET, RESET, SHOW and DISCARD in all their spellings (S-05).

Counterpart: ``VariableSetStmt``, ``VariableResetStmt``, ``VariableShowStmt`` and ``DiscardStmt`` of
PostgreSQL's ``gram.y``. Must not know: what a setting does, or what its value means: the server
makes ``utf-8`` into ``UTF8``, here it stays as written.
"""

from __future__ import annotations

import re

from pgcache.sql.lexer import TokenKind
from pgcache.sql.model import Kind, SetScope, SettingChange, Statement
from pgcache.sql.reader import UNKNOWN, TokenReader
from pgcache.sql.transactions import read_modes

__all__ = ["read_discard", "read_reset", "read_set", "read_show"]

# Set outside of SET TRANSACTION they still last no longer than the transaction.
_OF_THE_TRANSACTION = frozenset(
    {"transaction_isolation", "transaction_read_only", "transaction_deferrable"}
)


# Other bases and underscores since PostgreSQL 16; before, such a SET fails.
_INTEGER = re.compile(r"(0[xXoObB])?([0-9a-fA-F_]+)", re.ASCII)
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_MAX_INTEGER = 2**31 - 1


def read_set(reader: TokenReader) -> Statement:
    """SET, whatever is set. UNKNOWN where the value is not in the text (FROM CURRENT).

    SET CONSTRAINTS changes no setting; a trigger that it fires belongs to an earlier write.
    """
    reader.take("set")
    if reader.at("constraints") and not _is_name_of_setting(reader):
        return Statement(Kind.SET, "SET CONSTRAINTS")
    scope = SetScope.SESSION
    if not _is_name_of_setting(reader):
        if reader.take("local"):
            scope = SetScope.LOCAL
        elif reader.word(1) not in ("authorization", "characteristics"):
            reader.take("session")
    changes = _read_special(reader, scope)
    if changes is None:
        changes = _read_generic(reader, scope)
    if changes is None or not reader.is_done():
        return UNKNOWN
    return Statement(Kind.SET, "SET", settings=changes)


def _is_name_of_setting(reader: TokenReader) -> bool:
    """Tell whether the next word is the name of a setting, not a keyword of SET's own."""
    return reader.mark(1) in ("=", ".") or reader.word(1) == "to"


def _change(name: str, value: tuple[str, ...] | None, scope: SetScope) -> tuple[SettingChange]:
    if name in _OF_THE_TRANSACTION:
        scope = SetScope.TRANSACTION
    return (SettingChange(name, value, scope),)


def _read_special(reader: TokenReader, scope: SetScope) -> tuple[SettingChange, ...] | None:
    """Read what has a spelling of its own; None (and nothing consumed) when this has none."""
    if _is_name_of_setting(reader):
        return None
    if reader.take("transaction", "snapshot"):
        return _one_string(reader, "transaction_snapshot", SetScope.TRANSACTION)
    if reader.take("transaction"):
        return read_modes(reader, "transaction_", SetScope.TRANSACTION) or None
    if reader.take("session", "characteristics", "as", "transaction"):
        return read_modes(reader, "default_transaction_", scope) or None
    if reader.take("session", "authorization"):
        return _read_authorization(reader, scope)
    if reader.take("time", "zone"):
        return _read_time_zone(reader, scope)
    if reader.take("role"):
        return _word_or_string(reader, "role", scope)
    if reader.take("schema"):
        return _one_string(reader, "search_path", scope)
    if reader.take("names"):
        if reader.is_done() or reader.take("default"):
            return _change("client_encoding", None, scope)
        return _one_string(reader, "client_encoding", scope)
    if reader.take("xml", "option"):
        found = reader.take_one_of("document", "content")
        return _change("xmloption", (found,), scope) if found else None
    return None


def _one_string(
    reader: TokenReader, name: str, scope: SetScope
) -> tuple[SettingChange, ...] | None:
    value = reader.string()
    return None if value is None else _change(name, (value,), scope)


def _word_or_string(
    reader: TokenReader, name: str, scope: SetScope
) -> tuple[SettingChange, ...] | None:
    value = reader.identifier()
    if value is None:
        value = reader.string()
    return None if value is None else _change(name, (value,), scope)


def _read_authorization(reader: TokenReader, scope: SetScope) -> tuple[SettingChange, ...] | None:
    if reader.take("default"):
        return _change("session_authorization", None, scope)
    return _word_or_string(reader, "session_authorization", scope)


def _read_time_zone(reader: TokenReader, scope: SetScope) -> tuple[SettingChange, ...] | None:
    """SET TIME ZONE: a literal, a name, a number, an interval, LOCAL or DEFAULT."""
    if reader.take_one_of("local", "default"):
        return _change("timezone", None, scope)
    if reader.word() == "interval" and not reader.is_last():
        interval = " ".join(reader.rest_as_written())
        return _change("timezone", (interval,), scope)
    value = _read_value(reader)
    return None if value is None else _change("timezone", (value,), scope)


def _read_generic(reader: TokenReader, scope: SetScope) -> tuple[SettingChange, ...] | None:
    """Read ``name TO | = value, …`` and ``name TO | = DEFAULT``."""
    name = _read_setting_name(reader)
    if name is None or not (reader.take("to") or reader.take_mark("=")):
        return None
    if reader.is_last() and reader.take("default"):
        return _change(name, None, scope)
    values: list[str] = []
    while True:
        value = _read_value(reader)
        if value is None:
            return None
        values.append(value)
        if not reader.take_mark(","):
            return _change(name, tuple(values), scope)


def _read_setting_name(reader: TokenReader) -> str | None:
    """Read a name of any number of parts; names of settings ignore case."""
    parts: list[str] = []
    while True:
        part = reader.identifier()
        if part is None:
            return None
        parts.append(part)
        if not reader.take_mark("."):
            return ".".join(parts).lower()


def _read_value(reader: TokenReader) -> str | None:
    """Read one value: a word, a quoted name, a literal, or a number with its sign."""
    value = reader.string()
    if value is None:
        value = reader.identifier()
    if value is not None:
        return value
    sign = "-" if reader.mark() == "-" else ""
    ahead = 1 if reader.mark() in ("+", "-") else 0
    number = reader.peek(ahead)
    if number is None or number.kind is not TokenKind.NUMBER:
        return None
    reader.index += ahead + 1
    return _as_stored(sign, number.value)


def _as_stored(sign: str, number: str) -> str:
    """A number as the server keeps it: what fits an integer in plain decimals (007 is 7)."""
    found = _INTEGER.fullmatch(number)
    if found is None:
        return sign + number
    digits, base = (found[2], _BASES[found[1].lower()]) if found[1] else (number, 10)
    try:
        value = int(digits.strip("_"), base)
    except ValueError:
        return sign + number
    return str(-value if sign else value) if value <= _MAX_INTEGER else sign + number


def read_reset(reader: TokenReader) -> Statement:
    """RESET name | ALL | TIME ZONE | SESSION AUTHORIZATION | TRANSACTION ISOLATION LEVEL."""
    reader.take("reset")
    name = _read_reset_name(reader)
    if name is None or not reader.is_done():
        return UNKNOWN
    return Statement(Kind.RESET, "RESET", settings=_change(name, None, SetScope.SESSION))


def _read_reset_name(reader: TokenReader) -> str | None:
    if reader.is_last() and reader.take("all"):
        return "*"
    return _read_spelled_name(reader) or _read_setting_name(reader)


def _read_spelled_name(reader: TokenReader) -> str | None:
    for words, name in (
        (("time", "zone"), "timezone"),
        (("session", "authorization"), "session_authorization"),
        (("transaction", "isolation", "level"), "transaction_isolation"),
    ):
        if reader.take(*words):
            return name
    return None


def read_show(reader: TokenReader) -> Statement:
    """SHOW name | ALL | TIME ZONE | SESSION AUTHORIZATION | TRANSACTION ISOLATION LEVEL."""
    reader.take("show")
    name = _read_spelled_name(reader) or _read_setting_name(reader)
    if name is None or not reader.is_done():
        return UNKNOWN
    return Statement(Kind.SHOW, "SHOW", name=name)


def read_discard(reader: TokenReader) -> Statement:
    """DISCARD ALL | PLANS | SEQUENCES | TEMP | TEMPORARY; ``name`` says which."""
    reader.take("discard")
    found = reader.take_one_of("all", "plans", "sequences", "temp", "temporary")
    if not found or not reader.is_done():
        return UNKNOWN
    what = "temp" if found == "temporary" else found
    return Statement(Kind.DISCARD, f"DISCARD {what.upper()}", name=what)

"""Statements that begin, end and divide transactions.

Counterpart: ``TransactionStmt`` of PostgreSQL's ``gram.y``. Must not know: what state a session is
in; whether a COMMIT commits is told by ReadyForQuery alone (T-07).
"""

from __future__ import annotations

from pgcache.sql.model import Kind, SetScope, SettingChange, Statement
from pgcache.sql.reader import UNKNOWN, TokenReader

__all__ = [
    "read_abort",
    "read_begin",
    "read_commit",
    "read_modes",
    "read_prepare_transaction",
    "read_release",
    "read_rollback",
    "read_savepoint",
    "read_start",
]


def read_begin(reader: TokenReader) -> Statement:
    """BEGIN [WORK | TRANSACTION] [modes]."""
    reader.take("begin")
    reader.take_one_of("work", "transaction")
    return _begin(reader, "BEGIN")


def read_start(reader: TokenReader) -> Statement:
    """START TRANSACTION [modes]."""
    if not reader.take("start", "transaction"):
        return UNKNOWN
    return _begin(reader, "START TRANSACTION")


def _begin(reader: TokenReader, verb: str) -> Statement:
    modes = read_modes(reader, "transaction_", SetScope.TRANSACTION)
    return UNKNOWN if modes is None else Statement(Kind.BEGIN, verb, settings=modes)


def read_modes(
    reader: TokenReader, prefix: str, scope: SetScope
) -> tuple[SettingChange, ...] | None:
    """Read transaction modes up to the end, as changes of the settings they stand for.

    Commas between modes may be left out. None: something else stands there.
    """
    modes: list[SettingChange] = []
    while not reader.is_done():
        mode = _read_mode(reader)
        if mode is None:
            return None
        modes.append(SettingChange(prefix + mode[0], (mode[1],), scope))
        if reader.take_mark(",") and reader.is_done():
            return None
    return tuple(modes)


def _read_mode(reader: TokenReader) -> tuple[str, str] | None:
    if reader.take("isolation", "level"):
        for level in (
            ("read", "uncommitted"),
            ("read", "committed"),
            ("repeatable", "read"),
            ("serializable",),
        ):
            if reader.take(*level):
                return "isolation", " ".join(level)
        return None
    if reader.take("read", "only"):
        return "read_only", "on"
    if reader.take("read", "write"):
        return "read_only", "off"
    if reader.take("deferrable"):
        return "deferrable", "on"
    if reader.take("not", "deferrable"):
        return "deferrable", "off"
    return None


def read_commit(reader: TokenReader) -> Statement:
    """COMMIT or END [WORK | TRANSACTION] [AND [NO] CHAIN], COMMIT PREPARED 'gid'."""
    verb = reader.take_one_of("commit", "end").upper()
    if verb == "COMMIT" and reader.take("prepared"):
        return _prepared(reader, Kind.COMMIT_PREPARED, "COMMIT PREPARED")
    reader.take_one_of("work", "transaction")
    return _ending(reader, Kind.COMMIT, verb)


def read_rollback(reader: TokenReader) -> Statement:
    """ROLLBACK [WORK | TRANSACTION] [AND [NO] CHAIN | TO [SAVEPOINT] name], ROLLBACK PREPARED."""
    reader.take("rollback")
    if reader.take("prepared"):
        return _prepared(reader, Kind.ROLLBACK_PREPARED, "ROLLBACK PREPARED")
    reader.take_one_of("work", "transaction")
    if reader.take("to"):
        return _point(reader, Kind.ROLLBACK_TO, "ROLLBACK TO SAVEPOINT")
    return _ending(reader, Kind.ROLLBACK, "ROLLBACK")


def read_abort(reader: TokenReader) -> Statement:
    """ABORT [WORK | TRANSACTION] [AND [NO] CHAIN]."""
    reader.take("abort")
    reader.take_one_of("work", "transaction")
    return _ending(reader, Kind.ROLLBACK, "ABORT")


def read_savepoint(reader: TokenReader) -> Statement:
    """SAVEPOINT name."""
    reader.take("savepoint")
    return _named(reader, Kind.SAVEPOINT, "SAVEPOINT")


def read_release(reader: TokenReader) -> Statement:
    """RELEASE [SAVEPOINT] name."""
    reader.take("release")
    return _point(reader, Kind.RELEASE, "RELEASE SAVEPOINT")


def read_prepare_transaction(reader: TokenReader) -> Statement:
    """PREPARE TRANSACTION 'gid'."""
    reader.take("prepare", "transaction")
    return _prepared(reader, Kind.PREPARE_TRANSACTION, "PREPARE TRANSACTION")


def _ending(reader: TokenReader, kind: Kind, verb: str) -> Statement:
    chain = False
    if reader.take("and"):
        chain = not reader.take("no")
        if not reader.take("chain"):
            return UNKNOWN
    return Statement(kind, verb, chain=chain) if reader.is_done() else UNKNOWN


def _prepared(reader: TokenReader, kind: Kind, verb: str) -> Statement:
    gid = reader.string()
    return Statement(kind, verb, name=gid) if gid is not None and reader.is_done() else UNKNOWN


def _point(reader: TokenReader, kind: Kind, verb: str) -> Statement:
    """[SAVEPOINT] name, where the name itself may be "savepoint"."""
    if reader.peek(1) is not None:
        reader.take("savepoint")
    return _named(reader, kind, verb)


def _named(reader: TokenReader, kind: Kind, verb: str) -> Statement:
    name = reader.identifier()
    return Statement(kind, verb, name=name) if name is not None and reader.is_done() else UNKNOWN

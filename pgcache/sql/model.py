"""What a text means: the values that ``sql/`` hands to ``policy/``.

No bytes of the wire, no catalog: names are as written (folded, cut to 63 bytes), not resolved.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pgcache.errors.reasons import Refusal


class Kind(Enum):
    """Class of one statement, by its leading keywords (and, for WITH, its main verb)."""

    # Members are single: identity will do, where Enum's own hash is a call into Python.
    __hash__ = object.__hash__

    EMPTY = auto()
    SELECT = auto()  # SELECT, VALUES, TABLE, WITH … SELECT, in any parentheses; no INTO, no DML
    WRITE = auto()  # INSERT UPDATE DELETE MERGE, with or without WITH; TRUNCATE; COPY … FROM
    COPY_OUT = auto()  # COPY table TO, COPY (query) TO
    BEGIN = auto()  # BEGIN, START TRANSACTION
    COMMIT = auto()  # COMMIT, END
    ROLLBACK = auto()  # ROLLBACK, ABORT (whole transaction)
    SAVEPOINT = auto()
    RELEASE = auto()
    ROLLBACK_TO = auto()
    PREPARE_TRANSACTION = auto()
    COMMIT_PREPARED = auto()
    ROLLBACK_PREPARED = auto()
    SET = auto()  # every spelling of SET, SET ROLE, SET SESSION AUTHORIZATION, SET TRANSACTION
    RESET = auto()
    SHOW = auto()
    DISCARD = auto()
    PREPARE = auto()
    EXECUTE = auto()
    DEALLOCATE = auto()
    DECLARE = auto()
    FETCH = auto()  # FETCH and MOVE
    CLOSE = auto()
    LISTEN = auto()
    UNLISTEN = auto()
    NOTIFY = auto()
    LOCK = auto()
    EXPLAIN = auto()
    CALL = auto()
    DO = auto()
    REFRESH = auto()  # REFRESH MATERIALIZED VIEW
    MAINTENANCE = auto()  # VACUUM ANALYZE CLUSTER REINDEX CHECKPOINT LOAD
    # CREATE ALTER DROP GRANT REVOKE COMMENT SECURITY LABEL IMPORT REASSIGN, SELECT INTO
    DDL = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Name:
    """A possibly qualified name, folded as PostgreSQL folds it and cut to 63 bytes."""

    name: str
    schema: str | None = None
    database: str | None = None


@dataclass(frozen=True, slots=True)
class RelationRef:
    """A relation as written; ``only`` when the text says ONLY."""

    name: Name
    only: bool = False


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function call as written.

    ``nargs`` counts top-level arguments; -1 where the text does not tell (``*``, VARIADIC).
    ``literal`` is the first argument where it is one plain string literal.
    """

    name: Name
    nargs: int = -1
    literal: str | None = None


TIME_CALLS: Final = frozenset(
    {
        *("date", "time", "timetz", "timestamp", "timestamptz", "daterange", "tsrange"),
        *("tstzrange", "datemultirange", "tsmultirange", "tstzmultirange"),
    }
)
"""Functions that are casts by another spelling where they are given one argument."""

ANY_LABEL: Final = "*"
"""Among the labels of a query: some of its columns have names that the text does not say."""


@dataclass(frozen=True, slots=True)
class Cast:
    """A cast as written, or a label, and what it is given, as far as the text tells.

    ``columns`` are those whose values may reach it (``name`` with what qualifies it). That holds
    only if each of ``own`` is PostgreSQL's own function or type. ``opaque``: it may be given
    something else.
    """

    type: Name
    columns: tuple[Name, ...] = ()
    own: tuple[Name, ...] = ()
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What a SELECT-like statement reads and calls, before any name is resolved.

    ``refusal`` is set where the structure alone forbids caching (row locks, INTO, a writing CTE,
    TABLESAMPLE, no table, unknown nodes, a parse failure). The other fields are then still as
    complete as could be found, because they decide whether the statement may write.
    """

    relations: tuple[RelationRef, ...] = ()
    functions: tuple[FunctionRef, ...] = ()
    operators: frozenset[str] = frozenset()
    types: tuple[Name, ...] = ()  # names of types in casts and typed literals
    casts: tuple[Cast, ...] = ()  # those whose type is not known to have nothing to do with time
    labels: tuple[Cast, ...] = ()  # names that columns need not have from tables, and what they are
    zoned: bool = False  # AT TIME ZONE, timezone()
    dotted: frozenset[str] = frozenset()  # identifiers after a dot: columns, or calls (C-14)
    clock: bool = False  # CURRENT_DATE and kin, magic date/time literals
    magic_literals: bool = False  # 'now' 'today' 'tomorrow' 'yesterday' in some literal (C-13)
    identity: bool = False  # CURRENT_USER and kin without parentheses
    refusal: Refusal | None = None


class SetScope(Enum):
    """How long a SET lasts."""

    SESSION = auto()
    LOCAL = auto()  # until the end of the transaction
    TRANSACTION = auto()  # SET TRANSACTION: this transaction's own modes


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One change of one setting.

    ``name`` is lower case ('role', 'session_authorization' and 'timezone' for their special
    spellings; 'transaction_isolation', 'transaction_read_only', 'transaction_deferrable' and
    their 'default_…' forms for SET TRANSACTION and SET SESSION CHARACTERISTICS).
    ``value`` is the list of values as strings, unquoted; None means DEFAULT (also RESET).
    ``name`` '*' is RESET ALL.
    """

    name: str
    value: tuple[str, ...] | None
    scope: SetScope = SetScope.SESSION


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script."""

    kind: Kind
    verb: str = ""  # first keyword(s), upper case, for logs: 'INSERT', 'CREATE TABLE'
    start: int = 0  # offsets into the text, in bytes
    end: int = 0
    targets: tuple[RelationRef, ...] = ()  # relations written, locked, refreshed, truncated …
    cascade: bool = False  # TRUNCATE … CASCADE
    read: Read | None = None  # SELECT, and what a write, COPY or DECLARE reads and calls
    settings: tuple[SettingChange, ...] = ()  # SET, RESET, and the modes of BEGIN
    name: str = ""  # savepoint, prepared statement, cursor, prepared transaction, DISCARD's object,
    # a new temporary table that has no expressions, parents or parts of its own
    chain: bool = False  # COMMIT/ROLLBACK AND CHAIN
    inner: Statement | None = None  # PREPARE … AS, EXPLAIN ANALYZE, DECLARE … FOR, COPY (…)
    executes_inner: bool = False  # EXPLAIN ANALYZE runs what it explains
    temporary: bool = False  # creates a temporary object (CREATE TEMP, SELECT INTO TEMP, pg_temp)


@dataclass(frozen=True, slots=True)
class Hints:
    """Directives in comments: ``/* pgcache: ttl=60 tags=a,b */``, ``off``, ``refresh``."""

    off: bool = False
    refresh: bool = False
    ttl: float | None = None  # seconds
    stale_if_error: float | None = None  # seconds past that, while the origin is lost
    tags: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # what was written wrongly, in words


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """All that is known of one text, found once and remembered.

    ``key_text`` is the normalised text: two texts share it only if PostgreSQL's scanner would
    give the same tokens (C-02). ``statements`` leaves out empty ones; a script of none is EMPTY.
    """

    key_text: bytes
    statements: tuple[Statement, ...]
    hints: Hints
    well_formed: bool = True  # False: unterminated literal or comment; the origin will say so

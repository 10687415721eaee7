"""Reason codes: why a query was not served from the cache.

One vocabulary for notices, psql, the console, the web page, the metrics and the log (promise P8).
The value is the code users see; the docstring-like text in ``EXPLANATIONS`` is the sentence they
read. Codes are public: add freely, never rename.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why a statement passes to the origin instead of being looked up (semantics, sections 2-4)."""

    # Members are single: identity will do, where Enum's own hash is a call into Python.
    __hash__ = object.__hash__

    # the statement itself
    NOT_A_SELECT = "not-a-select"
    EMPTY = "empty-query"
    MULTI_STATEMENT = "multi-statement"
    NO_TABLE = "no-table"
    SELECT_INTO = "select-into"
    ROW_LOCK = "row-lock"
    WRITING_CTE = "writing-cte"
    PARSE_ERROR = "parse-error"
    UNKNOWN_SYNTAX = "unknown-syntax"
    TABLESAMPLE = "tablesample"
    SYSTEM_COLUMN = "system-column"
    # what it calls
    VOLATILE_FUNCTION = "volatile-function"
    SESSION_FUNCTION = "session-function"
    CATALOG_FUNCTION = "catalog-function"
    USER_FUNCTION = "user-function"
    UNKNOWN_FUNCTION = "unknown-function"
    USER_OPERATOR = "user-operator"
    USER_TYPE = "user-type"
    CLOCK_DISABLED = "clock-disabled"
    MAGIC_LITERAL = "magic-literal"
    # what it reads
    SYSTEM_CATALOG = "system-catalog"
    UNKNOWN_RELATION = "unknown-relation"
    FOREIGN_TABLE = "foreign-table"
    TEMPORARY_TABLE = "temporary-table"
    SEQUENCE = "sequence"
    VIEW_DEFINITION = "view-definition"
    ROW_SECURITY_POLICY = "row-security-policy"
    # the session
    REPLICATION = "replication"
    TAINTED_SESSION = "tainted-session"
    UNSAFE_SETTING = "unsafe-setting"
    UNSAFE_ENCODING = "unsafe-encoding"
    PARSE_CONTEXT = "parse-context"
    STALE_STATEMENT = "stale-statement"
    UNKNOWN_STATEMENT = "unknown-statement"
    HOT_STANDBY = "hot-standby"
    # the transaction
    WRITING_TRANSACTION = "writing-transaction"
    FAILED_TRANSACTION = "failed-transaction"
    ISOLATION_LEVEL = "isolation-level"
    LOCKING_TRANSACTION = "locking-transaction"
    PIPELINE = "pipeline"
    # the operator's will
    DISABLED = "disabled"
    HINT = "hint"
    RULE = "rule"
    TTL_ZERO = "ttl-zero"
    PAUSED = "paused"
    QUARANTINE = "quarantine"
    SHADOW = "shadow"
    # the state of pgcache
    NO_CATALOG = "no-catalog"
    CATALOG_LOADING = "catalog-loading"
    STORE_UNAVAILABLE = "store-unavailable"
    LOCKED = "locked"
    TOO_LARGE = "too-large"
    PARTIAL_RESULT = "partial-result"
    UNCACHEABLE_REPLY = "uncacheable-reply"
    INVALIDATED = "invalidated"
    SOURCE_LOST = "change-source-lost"
    ORIGIN_UNREACHABLE = "origin-unreachable"


EXPLANATIONS: dict[Reason, str] = {
    Reason.NOT_A_SELECT: "Only SELECT, VALUES over tables and TABLE are cached.",
    Reason.EMPTY: "An empty query is answered by PostgreSQL, so that health probes stay honest.",
    Reason.MULTI_STATEMENT: "A string of several statements is one transaction and is forwarded.",
    Reason.NO_TABLE: "A SELECT without a table is forwarded, so that health probes stay honest.",
    Reason.SELECT_INTO: "SELECT INTO creates a table.",
    Reason.ROW_LOCK: "FOR UPDATE and FOR SHARE take row locks, which only PostgreSQL can do.",
    Reason.WRITING_CTE: "A WITH clause of this query changes data.",
    Reason.PARSE_ERROR: "pgcache could not parse this query, so PostgreSQL answers it.",
    Reason.UNKNOWN_SYNTAX: "The query uses syntax that pgcache does not know to be safe.",
    Reason.TABLESAMPLE: "TABLESAMPLE may return other rows each time.",
    Reason.SYSTEM_COLUMN: "System columns (ctid, xmin, ...) change without the data changing.",
    Reason.VOLATILE_FUNCTION: "The query calls a volatile function.",
    Reason.SESSION_FUNCTION: "The query calls a function whose result belongs to one session.",
    Reason.CATALOG_FUNCTION: "The query calls a function that reads the system catalogs.",
    Reason.USER_FUNCTION: "The query calls a function that is neither IMMUTABLE nor declared.",
    Reason.UNKNOWN_FUNCTION: "The query calls a function that the catalog snapshot does not know.",
    Reason.USER_OPERATOR: "The query may use an operator whose function is not IMMUTABLE.",
    Reason.USER_TYPE: "The query may use a type or cast whose functions are not IMMUTABLE.",
    Reason.CLOCK_DISABLED: "The query reads the clock, and the configuration gives that no time.",
    Reason.MAGIC_LITERAL: "'now', 'today' and the like are frozen when a statement is prepared.",
    Reason.SYSTEM_CATALOG: "System catalogs and information_schema are never cached.",
    Reason.UNKNOWN_RELATION: "A relation of the query is not in the catalog snapshot.",
    Reason.FOREIGN_TABLE: "A foreign table changes where pgcache cannot see it.",
    Reason.TEMPORARY_TABLE: "The session has temporary relations, which may shadow tables.",
    Reason.SEQUENCE: "A sequence changes outside transactions.",
    Reason.VIEW_DEFINITION: "The definition of a view is not known to be safe.",
    Reason.ROW_SECURITY_POLICY: "A row security policy uses something not known to be safe.",
    Reason.REPLICATION: "Replication connections are relayed.",
    Reason.TAINTED_SESSION: "The session's settings are not known at the moment.",
    Reason.UNSAFE_SETTING: "A setting of the session makes results unpredictable.",
    Reason.UNSAFE_ENCODING: "The client encoding can hide ASCII bytes inside characters.",
    Reason.PARSE_CONTEXT: "Settings changed between Parse and Bind of this statement.",
    Reason.STALE_STATEMENT: "The schema changed since this statement was prepared.",
    Reason.UNKNOWN_STATEMENT: "The prepared statement was not seen by pgcache.",
    Reason.HOT_STANDBY: "The origin is a standby, which may lag behind what was invalidated.",
    Reason.WRITING_TRANSACTION: "The transaction has written and must see its own changes.",
    Reason.FAILED_TRANSACTION: "The transaction has failed; PostgreSQL says so itself.",
    Reason.ISOLATION_LEVEL: "REPEATABLE READ and SERIALIZABLE read one snapshot.",
    Reason.LOCKING_TRANSACTION: "The transaction holds locks and expects the newest data.",
    Reason.PIPELINE: "The query shares a pipeline with others and goes with them.",
    Reason.DISABLED: "Caching is off for this session (pgcache.mode).",
    Reason.HINT: "A hint in the query says off.",
    Reason.RULE: "A rule of the configuration says off.",
    Reason.TTL_ZERO: "A table of the query has a lifetime of zero.",
    Reason.PAUSED: "Caching is paused on the console.",
    Reason.QUARANTINE: "A cached result of this query differed from PostgreSQL's without a reason.",
    Reason.SHADOW: "pgcache only measures what it would have served (pgcache.mode).",
    Reason.NO_CATALOG: "pgcache cannot read this database's catalogs; see pgcache check.",
    Reason.CATALOG_LOADING: "The catalog snapshot of this database is still loading.",
    Reason.STORE_UNAVAILABLE: (
        "The shared store cannot be reached, or a proxy that shares it is cut off from it."
    ),
    Reason.LOCKED: "A write to a table of this query is being committed.",
    Reason.TOO_LARGE: "The result is larger than store.max_entry_bytes.",
    Reason.PARTIAL_RESULT: "The client did not fetch the whole result.",
    Reason.INVALIDATED: "The query was invalidated by its text or key while it was running.",
    Reason.SOURCE_LOST: "Changes are not heard of at the moment; SHOW SOURCES says why.",
    Reason.ORIGIN_UNREACHABLE: (
        "PostgreSQL cannot be reached; this is past its lifetime, as stale_if_error allows."
    ),
    Reason.UNCACHEABLE_REPLY: "The reply held an error, a notice or something else never stored.",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason with what it is about (``detail``: a function's or relation's name, or '')."""

    reason: Reason
    detail: str = ""

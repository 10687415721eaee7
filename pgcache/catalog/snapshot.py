"""The schema of one database as it stood at one moment: immutable, pure, asked by ``policy/``.

Counterpart: ``loader.py`` fills ``Rows``. The parts: ``resolve`` (names), ``functions`` and
``datatypes`` (verdicts), ``reads`` and ``writes`` (closures). No I/O, no cache, no wire.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from pgcache.catalog.builtins import CLOCK
from pgcache.catalog.datatypes import DataTypes
from pgcache.catalog.definitions import Definitions, expand
from pgcache.catalog.functions import Functions, merge, unknown_function, unsafe
from pgcache.catalog.hidden_clock import HiddenClock
from pgcache.catalog.model import (
    EVERYTHING,
    FunctionVerdict,
    ReadClosure,
    Relation,
    Server,
    Tags,
)
from pgcache.catalog.reads import Reads
from pgcache.catalog.resolve import Families, Resolver
from pgcache.catalog.rows import FIRST_USER_OID, Rows
from pgcache.catalog.spelling import Spelling
from pgcache.catalog.writes import Writes
from pgcache.errors.reasons import Reason, Refusal
from pgcache.sql.model import TIME_CALLS, Name, Read

__all__ = ["EVERYTHING", "Snapshot", "build_snapshot"]

_DIGEST_BYTES: Final = 16
_LOGIN: Final = "login"

Declared = Mapping[str, tuple[str, ...]]


class Snapshot:
    """What PostgreSQL's catalogs say, as far as caching is concerned.

    Safe to share and to keep: nothing in it changes but remembered answers.
    """

    __slots__ = (
        "_functions",
        "_functions_digest",
        "_hidden_clock",
        "_reads",
        "_resolver",
        "_spelling",
        "_types",
        "_writes",
        "digest",
        "function_rows",
        "has_dblink",
        "has_event_triggers",
        "has_writing_types",
        "login_writes",
        "mark",
        "operator_settings",
        "roles",
        "schemas",
        "server",
        "setting_names",
        "undeclared",
        "unsafe_operators",
        "writing_operators",
    )

    def __init__(
        self, rows: Rows, declared: Declared | None = None, before: Snapshot | None = None
    ) -> None:
        self.server: Server = rows.server
        self.mark = rows.mark
        self.function_rows = rows.functions
        self._functions_digest: str = (
            before._functions_digest
            if before is not None and before.function_rows is rows.functions
            else _hash(rows.functions)
        )
        self.digest = _digest(rows, self._functions_digest, declared or {})
        self._resolver = resolver = Resolver(rows.server.database, rows.relations)
        self._spelling = Spelling(rows.server.encoding)
        families = Families((row.child, row.parent) for row in rows.inherits)
        definitions = Definitions(rows)
        self.has_event_triggers = any(row.event != _LOGIN for row in rows.event_triggers)
        self.roles: Mapping[str, int] = {role.name: role.oid for role in rows.roles}
        named = (rows.relations, rows.functions, rows.types)
        self.schemas = tuple(sorted({row.schema for part in named for row in part}))
        tables, self.undeclared = _resolve_declared(declared or {}, resolver)
        read = {
            name: None if oids is None else expand(oids, resolver.by_oid, families, definitions)
            for name, oids in tables.items()
        }
        same = None if before is None else before.judged_functions(rows, read)
        self._functions: Functions = same or Functions(rows.functions, rows.operators, read)
        functions = self._functions
        self.setting_names = definitions.settings | functions.settings
        self._types = types = DataTypes(rows, functions)
        self.has_writing_types = types.any_writing
        self._hidden_clock = HiddenClock(rows.relations, functions, types)
        self._reads = Reads(rows, resolver, families, definitions, functions, types)
        self._writes = Writes(
            rows, resolver, families, definitions, functions, types, tables, reads=self._reads
        )
        self.login_writes = self._find_login_writes(rows, tables)
        self.has_dblink = any(row.extension == "dblink" for row in rows.functions)
        self._judge_operators(rows)

    def _judge_operators(self, rows: Rows) -> None:
        judged = [(row.name, self._functions.by_oid(row.function)) for row in rows.operators]
        self.unsafe_operators = frozenset(
            name for name, verdict in judged if unsafe(replace(verdict, settings=frozenset()))
        )
        self.operator_settings: Mapping[str, frozenset[str]] = {
            name: merge(other for its, other in judged if its == name).settings
            for name, verdict in judged
            if verdict.settings
        }
        self.writing_operators = frozenset(name for name, verdict in judged if verdict.may_write)

    def __repr__(self) -> str:
        return f"<Snapshot {self.database} {self.digest}>"

    @property
    def database(self) -> str:
        """The database's name."""
        return self.server.database

    @property
    def database_oid(self) -> int:
        """The database's OID."""
        return self.server.database_oid

    @property
    def server_version(self) -> int:
        """server_version_num of the origin."""
        return self.server.version

    @property
    def system_identifier(self) -> str:
        """The cluster's identifier, '' where the role may not read it."""
        return self.server.system_identifier

    @property
    def relations(self) -> Mapping[int, Relation]:
        """All relations by OID, for display and for change capture."""
        return self._resolver.by_oid

    def find(self, name: Name, path: tuple[str, ...]) -> tuple[Relation, ...]:
        """All relations that ``name`` may mean under ``path``, pg_catalog's included.

        ``path`` is the effective search path without implicit schemas. Empty: no such relation,
        or which one is meant cannot be said.
        """
        return self._resolver.find(name, path) if self.is_certain(name, path) else ()

    def is_certain(self, name: Name, path: tuple[str, ...]) -> bool:
        """Whether ``name`` under ``path`` is what the origin reads as well (see ``spelling``)."""
        return self._spelling.are_certain((name.name, name.schema, *path))

    def relation(self, oid: int) -> Relation | None:
        """The relation of that OID."""
        return self._resolver.by_oid.get(oid)

    def read_closure(self, relations: Iterable[tuple[Relation, bool]]) -> ReadClosure:
        """Everything that reading the relations depends on; the flag is ONLY."""
        return self._reads.closure(relations)

    def write_closure(self, relations: Iterable[Relation], *, cascade: bool = False) -> Tags:
        """All that a write to the relations may change; ``cascade`` is TRUNCATE … CASCADE."""
        return self._writes.closure(relations, cascade=cascade)

    def hides_clock(self, read: Read, relations: Sequence[Relation], path: tuple[str, ...]) -> bool:
        """Whether a query over these relations may depend on the time where nothing says so."""
        return self._hidden_clock.is_in(read, relations, path)

    def function(
        self, name: Name, path: tuple[str, ...], nargs: int, literal: str | None
    ) -> FunctionVerdict:
        """The verdict on a call as written; every overload that could be meant counts."""
        if not self.is_certain(name, path):
            return unknown_function(name.name)
        verdict = self._functions.by_name(name, path, nargs, literal)
        if nargs in (-1, 1) and self._types.is_known(name, path):
            # type(x) may be a cast, even where some function has that name.
            cast = FunctionVerdict()
            if self._types.any_dated(
                oid
                for oid in self._types.may_be(name, path)
                if oid >= FIRST_USER_OID or name.name not in TIME_CALLS
            ):
                cast = CLOCK
            if self._types.is_unsafe(name, path):
                cast = FunctionVerdict(
                    refusal=Refusal(Reason.USER_TYPE, name.name),
                    may_write=self._types.may_write(name, path),
                )
            return cast if verdict is None else merge([verdict, cast])
        return unknown_function(name.name) if verdict is None else verdict

    def judged_functions(
        self, rows: Rows, declared: Mapping[str, frozenset[int] | None]
    ) -> Functions | None:
        """The verdicts concluded from the very same rows, None where they are others."""
        is_same = self._functions.is_of(rows.functions, rows.operators, declared)
        return self._functions if is_same else None

    def _find_login_writes(self, rows: Rows, declared: Mapping[str, frozenset[int] | None]) -> Tags:
        """What a new session may change before its first statement (event triggers, from 17 on)."""
        written: list[Relation] = []
        for trigger in rows.event_triggers:
            if trigger.event != _LOGIN or not self._functions.by_oid(trigger.function).may_write:
                continue
            row = self._functions.row(trigger.function)
            oids = declared.get(f"{row.schema}.{row.name}") if row else None
            if oids is None:
                return EVERYTHING
            written += [self.relations[oid] for oid in oids]
        return self.write_closure(written)

    def any_unsafe_types(self, oids: Iterable[int]) -> bool:
        """Whether a parameter of one of these types, declared by Parse, may be unsafe."""
        oids = tuple(oids)
        return self._types.any_unsafe(oids) or self._types.any_zoned(oids)

    def unsafe_type(self, name: Name, path: tuple[str, ...]) -> bool:
        """Whether a cast to the type as written may be unsafe; unknown names are."""
        return not self.is_certain(name, path) or self._types.is_unsafe(name, path)

    def writing_type(self, name: Name, path: tuple[str, ...]) -> bool:
        """Whether a cast to the type as written may change data."""
        if not self.is_certain(name, path):
            return self.has_writing_types
        return self._types.may_write(name, path)

    def attribute_function(self, ident: str) -> FunctionVerdict:
        """The verdict on ``x.ident`` as a call of ident(x), which it is if x has no such column."""
        idents = [ident] if self._spelling.is_certain(ident) else self._functions.beyond_ascii
        return merge(map(self._functions.callable_as_column, idents))

    def attribute_function_unsafe(self, ident: str) -> bool:
        """Whether that call must not be cached."""
        return unsafe(self.attribute_function(ident))


def build_snapshot(
    rows: Rows, declared: Declared | None = None, before: Snapshot | None = None
) -> Snapshot:
    """Conclude everything that can be concluded from the catalogs' rows.

    ``declared`` maps 'schema.function' to the 'schema.table' names that it reads, or writes when
    it is a trigger's. ``before`` is the last snapshot: what was concluded for it from the very
    same rows is not concluded again.
    """
    return Snapshot(rows, declared, before)


def _digest(rows: Rows, functions: str, declared: Declared) -> str:
    """A hash of the content: equal digests are equal schemas, whatever the server restarted."""
    names = sorted(set(rows.__dataclass_fields__) - {"server", "mark", "functions"})
    content = [(name, getattr(rows, name)) for name in names]
    return _hash((content, functions, rows.server.database, sorted(declared.items())))


def _hash(content: object) -> str:
    return hashlib.blake2b(repr(content).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _resolve_declared(
    declared: Declared, resolver: Resolver
) -> tuple[dict[str, frozenset[int] | None], tuple[str, ...]]:
    """OIDs for the declared tables; None, and the names, where some do not exist."""
    resolved: dict[str, frozenset[int] | None] = {}
    missing: list[str] = []
    for function, tables in declared.items():
        found = {table: resolver.find_display(table) for table in tables}
        absent = [table for table, relations in found.items() if not relations]
        missing += absent
        oids = frozenset(r.oid for relations in found.values() for r in relations)
        resolved[function] = None if absent else oids
    return resolved, tuple(missing)

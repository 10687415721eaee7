"""Verdicts on functions and operators, by OID for stored expressions, by name for SQL texts.

Both share one table. By name, every overload that could be meant has to be safe (C-15): argument
types are not known, and a user's function anywhere in the path may shadow a built-in one.
Counterpart: ``builtins.py`` judges pg_catalog. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from pgcache.catalog import builtins
from pgcache.catalog.extensions import judge_extension
from pgcache.catalog.model import FunctionVerdict
from pgcache.catalog.nodetree import TreeFacts, parse_tree
from pgcache.catalog.rows import FIRST_USER_OID, FunctionRow, OperatorRow
from pgcache.errors.reasons import Reason, Refusal
from pgcache.sql.model import Name

# anyelement, anyarray ..., "any", record: arguments that a row of a table can be given to (C-14).
_ROW_ARGUMENTS: Final = frozenset({2249, 2276, 2283, 2776, 5077})
CATALOG: Final = "pg_catalog"


def merge(verdicts: Iterable[FunctionVerdict]) -> FunctionVerdict:
    """What calling any of them may mean; the first refusal speaks."""
    merged = builtins.SAFE
    for verdict in verdicts:
        if verdict is builtins.SAFE:
            continue
        merged = FunctionVerdict(
            refusal=merged.refusal or verdict.refusal,
            clock=merged.clock or verdict.clock,
            tags=merged.tags | verdict.tags,
            may_write=merged.may_write or verdict.may_write,
            may_set=merged.may_set or verdict.may_set,
            locks=merged.locks or verdict.locks,
            settings=merged.settings | verdict.settings,
        )
    return merged


def unknown_function(name: str) -> FunctionVerdict:
    """A function that the snapshot does not hold: it may do anything."""
    return FunctionVerdict(
        refusal=Refusal(Reason.UNKNOWN_FUNCTION, name), may_write=True, may_set=True
    )


class Functions:
    """All functions and operators of a database, judged.

    ``declared`` maps 'schema.function' to the OIDs it reads, or to None where a declared table
    does not exist.
    """

    __slots__ = (
        "_by_name",
        "_declared",
        "_filled",
        "_internal",
        "_made_from",
        "_operators",
        "_rows",
        "_verdicts",
    )

    def __init__(
        self,
        rows: tuple[FunctionRow, ...],
        operators: tuple[OperatorRow, ...],
        declared: Mapping[str, frozenset[int] | None],
    ) -> None:
        self._made_from = rows, operators
        self._declared = declared
        self._rows = {row.oid: row for row in rows}
        self._by_name: dict[str, list[FunctionRow]] = defaultdict(list)
        self._internal: dict[str, FunctionVerdict] = {}
        self._verdicts: dict[int, FunctionVerdict] = {}
        self._filled: dict[int, FunctionVerdict] = {}  # the same with default arguments left out
        for row in self._rows.values():
            if not _is_left_out(row):
                self._by_name[row.name].append(row)
            if row.schema == CATALOG and row.oid < FIRST_USER_OID:
                verdict = builtins.judge_builtin(row.name, row.volatility, row.args)
                self._verdicts[row.oid] = verdict
                self._internal.setdefault(row.source, verdict)
        for row in self._rows.values():
            if row.oid not in self._verdicts:
                self._verdicts[row.oid] = self._judge_user(row)
        for row in self._rows.values():
            if row.parts:
                self._verdicts[row.oid] = merge(map(self.by_oid, filter(None, row.parts)))
        self._operators = {row.oid: row.function for row in operators}
        self._filled = self._judge_defaults()

    def is_of(
        self,
        rows: tuple[FunctionRow, ...],
        operators: tuple[OperatorRow, ...],
        declared: Mapping[str, frozenset[int] | None],
    ) -> bool:
        """Whether just these rows were judged, in the light of just that."""
        known_rows, known_operators = self._made_from
        return known_rows is rows and known_operators == operators and self._declared == declared

    def by_oid(self, oid: int) -> FunctionVerdict:
        """The verdict on one function, its arguments' default values included."""
        found = self._filled.get(oid) or self._verdicts.get(oid)
        return found or unknown_function(str(oid))

    def _judge_defaults(self) -> dict[int, FunctionVerdict]:
        """Verdicts on calls that leave arguments out: the caller evaluates the defaults.

        Stored expressions do not show them: they are put in as a query is planned.
        """
        trees = {row.oid: parse_tree(row.defaults) for row in self._rows.values() if row.defaults}
        # What the trees call is judged by itself first: nothing is in ``_filled`` yet.
        own = {oid: merge([self.by_oid(oid), self.judge_tree(trees[oid])]) for oid in trees}
        filled: dict[int, FunctionVerdict] = {}
        for start in trees:
            reached, queue = {start}, [start]
            while queue:
                called = trees[queue.pop()].functions & trees.keys()
                queue += called - reached
                reached |= called
            filled[start] = merge(own[oid] for oid in sorted(reached))
        return filled

    def row(self, oid: int) -> FunctionRow | None:
        """The catalog's row of one function."""
        return self._rows.get(oid)

    def operator(self, oid: int) -> FunctionVerdict:
        """The verdict on one operator; built-in ones are safe (none of them is volatile)."""
        if oid < FIRST_USER_OID:
            return builtins.SAFE
        function = self._operators.get(oid)
        return unknown_function(f"operator {oid}") if function is None else self.by_oid(function)

    def judge_tree(self, facts: TreeFacts) -> FunctionVerdict:
        """What evaluating a stored expression means, its relations and types left aside."""
        verdict = merge(
            [
                *map(self.by_oid, sorted(facts.functions)),
                *map(self.operator, sorted(facts.operators)),
            ]
        )
        own = FunctionVerdict(
            refusal=Refusal(Reason.UNKNOWN_SYNTAX, facts.problem) if facts.problem else None,
            clock=facts.clock,
            settings=facts.settings,
        )
        return merge([own, verdict])

    @property
    def settings(self) -> frozenset[str]:
        """All settings that some function reads whose source is not in the catalogs."""
        return frozenset().union(*(verdict.settings for verdict in self._verdicts.values()))

    def writing(self, facts: TreeFacts) -> frozenset[int]:
        """The functions that a stored expression calls and that may write, by OID."""
        operators = (self._operators.get(oid, 0) for oid in facts.operators)
        called = facts.functions | frozenset(operators) - {0}
        return frozenset(oid for oid in called if self.by_oid(oid).may_write)

    def has_writing_operator(self) -> bool:
        """Whether some operator of the database may write."""
        return any(self.by_oid(function).may_write for function in self._operators.values())

    def has_only_harmless(self, name: str) -> bool:
        """Whether every function of that name, in any schema, is built in and writes nothing."""
        rows = self._by_name.get(name, ())
        verdicts = [self._verdicts[row.oid] for row in rows if row.oid < FIRST_USER_OID]
        return (
            bool(verdicts)
            and len(verdicts) == len(rows)
            and not any(verdict.may_write or verdict.may_set for verdict in verdicts)
        )

    def is_own(self, name: Name, path: tuple[str, ...]) -> bool:
        """Whether nobody but PostgreSQL has a function that may be meant by ``name``."""
        return all(row.oid < FIRST_USER_OID for row in self.candidates(name, path, -1))

    def takes_row(self, ident: str) -> bool:
        """Whether ``x.ident`` may be a call of a user's function, whatever columns x has (C-14)."""
        rows = self._by_name.get(ident, ())
        return any(row.oid >= FIRST_USER_OID and _takes_row(row) for row in rows)

    def candidates(self, name: Name, path: tuple[str, ...], nargs: int) -> list[FunctionRow]:
        """Every overload that a call may mean; nargs -1 is any number of arguments."""
        rows = self._by_name.get(name.name, ())
        schemas = {name.schema} if name.schema is not None else {CATALOG, *path}
        return [row for row in rows if row.schema in schemas and _accepts(row, nargs)]

    def by_name(
        self, name: Name, path: tuple[str, ...], nargs: int, literal: str | None
    ) -> FunctionVerdict | None:
        """The verdict on a call as written; None where there is no such function."""
        rows = self.candidates(name, path, nargs)
        verdicts = [
            self._verdicts[row.oid] if nargs >= row.nargs else self.by_oid(row.oid) for row in rows
        ]
        if name.schema in (None, CATALOG):
            if name.name in builtins.GRAMMAR:
                verdicts.append(builtins.SAFE)
            elif name.name in builtins.GRAMMAR_CLOCKS:
                verdicts.append(builtins.CLOCK)
        if any(row.oid in builtins.CURRENT_SETTING_OIDS for row in rows):
            verdicts.append(_judge_setting(literal))
        return merge(verdicts) if verdicts else None

    @property
    def beyond_ascii(self) -> list[str]:
        """The functions' names that are not all ASCII."""
        return [name for name in self._by_name if not name.isascii()]

    def callable_as_column(self, ident: str) -> FunctionVerdict:
        """What ``t.ident`` may mean if it is ident(t) and not a column (C-14)."""
        return merge(
            self.by_oid(row.oid)
            for row in self._by_name.get(ident, ())
            if _accepts(row, 1) and _takes_row(row)
        )

    def _judge_user(self, row: FunctionRow) -> FunctionVerdict:
        display = f"{row.schema}.{row.name}"
        known = judge_extension(row.extension, row.name, display) if row.extension else None
        if known is not None:
            return known
        if row.volatility == "v":
            refusal = Refusal(Reason.VOLATILE_FUNCTION, display)
            return FunctionVerdict(refusal=refusal, may_write=True, may_set=True)
        if display in self._declared:
            tags = self._declared[display]
            if tags is None:
                return FunctionVerdict(refusal=Refusal(Reason.UNKNOWN_RELATION, display))
            return FunctionVerdict(tags=tags) if tags else builtins.SAFE
        if row.volatility == "i":
            # A time given to it is made a timetz, which takes today's date.
            return builtins.CLOCK if builtins.TIMETZ_OID in row.args else builtins.SAFE
        same = self._internal.get(row.source) if row.source else None
        if same is not None and same.refusal is None:
            return same  # CREATE FUNCTION … LANGUAGE internal, as citext does
        return FunctionVerdict(refusal=Refusal(Reason.USER_FUNCTION, display))


def unsafe(verdict: FunctionVerdict) -> bool:
    """Whether an implicit call (operator, cast, input function) must not be cached."""
    return bool(verdict.refusal or verdict.clock or verdict.tags or verdict.settings)


def _judge_setting(literal: str | None) -> FunctionVerdict:
    if literal is None:
        refusal = Refusal(Reason.SESSION_FUNCTION, builtins.CURRENT_SETTING)
        return FunctionVerdict(refusal=refusal)
    return FunctionVerdict(settings=frozenset({literal.lower()}))


def _is_left_out(row: FunctionRow) -> bool:
    """Whether no call by name means this overload; ``builtins`` says what looks for it instead."""
    if row.oid >= FIRST_USER_OID:
        return False
    if row.name == "timezone":
        return builtins.TIMETZ_OID in row.args
    return row.name == "age" and row.args == (builtins.XID_OID,)


def _accepts(row: FunctionRow, nargs: int) -> bool:
    # The arguments of an aggregate may stand in WITHIN GROUP (ORDER BY …), outside the count.
    if nargs < 0 or row.kind == "a":
        return True
    least = row.nargs - row.ndefaults - (1 if row.variadic else 0)
    return least <= nargs and (row.variadic or nargs <= row.nargs)


def _takes_row(row: FunctionRow) -> bool:
    if not row.args:
        return False
    first = row.args[0]
    return first in _ROW_ARGUMENTS or first >= FIRST_USER_OID

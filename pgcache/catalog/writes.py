"""What a write to relations may change: cascades, triggers, rules, inheritance, views (C-32).

The verb is not known, so that every action that some verb could set off counts. Counterpart:
``reads.py``. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from pgcache.catalog.datatypes import DataTypes
from pgcache.catalog.definitions import Definitions
from pgcache.catalog.extensions import is_harmless_trigger
from pgcache.catalog.functions import CATALOG, Functions
from pgcache.catalog.model import EVERYTHING, Relation, Tags
from pgcache.catalog.nodetree import parse_tree
from pgcache.catalog.reads import Reads
from pgcache.catalog.resolve import SYSTEM_SCHEMAS, Families, Resolver
from pgcache.catalog.rows import FIRST_USER_OID, FunctionRow, Rows
from pgcache.catalog.triggers import changes_only_its_row

_CASCADING: Final = frozenset({"c", "n", "d"})  # CASCADE, SET NULL, SET DEFAULT
_FOREIGN_KEY_TRIGGERS: Final = "RI_FKey_"
_VIEW: Final = "v"
_FOREIGN_TABLE: Final = "f"


class Writes:
    """Answers ``closure()``; remembers each relation's own part.

    ``declared`` maps 'schema.function' to the OIDs that it writes, None where one is missing.
    """

    __slots__ = (
        "_boundless",
        "_cascades",
        "_declared",
        "_definitions",
        "_families",
        "_functions",
        "_memo",
        "_references",
        "_resolver",
        "_runs",
    )

    def __init__(
        self,
        rows: Rows,
        resolver: Resolver,
        families: Families,
        definitions: Definitions,
        functions: Functions,
        types: DataTypes,
        declared: Mapping[str, frozenset[int] | None],
        *,
        reads: Reads,
    ) -> None:
        self._resolver = resolver
        self._families = families
        self._definitions = definitions
        self._functions = functions
        self._declared = declared
        self._references: dict[int, set[int]] = defaultdict(set)
        self._cascades: dict[int, set[int]] = defaultdict(set)
        for key in rows.foreign_keys:
            self._references[key.referenced].add(key.relation)
            if key.on_update in _CASCADING or key.on_delete in _CASCADING:
                self._cascades[key.referenced].add(key.relation)
        self._boundless = frozenset(rule.relation for rule in rows.rules) | frozenset(
            row.oid for row in rows.relations if self._reads_writer(row.oid, reads)
        )
        self._runs = self._find_runs(rows, types)
        self._memo: dict[tuple[int, bool], Tags] = {}

    def closure(self, relations: Iterable[Relation], *, cascade: bool = False) -> Tags:
        """All that a write to the relations may change; ``cascade`` is TRUNCATE … CASCADE."""
        tags: frozenset[int] = frozenset()
        for relation in relations:
            part = self._one(relation, cascade)
            if part is EVERYTHING:
                return EVERYTHING
            tags |= part
        return tags

    def _find_runs(self, rows: Rows, types: DataTypes) -> Mapping[int, set[int]]:
        """For each relation, the functions that writing to it runs and that may write."""
        runs: dict[int, set[int]] = defaultdict(set)
        for trigger in rows.triggers:
            row = self._functions.row(trigger.function)
            if row is None or not self._is_harmless(row):
                runs[trigger.relation].add(trigger.function)
            condition = parse_tree(trigger.condition)
            runs[trigger.relation] |= self._functions.writing(condition)
        for called in rows.called:
            if self._functions.by_oid(called.function).may_write:
                runs[called.relation].add(called.function)
        for relation in rows.relations:
            for facts in self._definitions.written_by(relation.oid):
                runs[relation.oid] |= self._functions.writing(facts)
            runs[relation.oid] |= types.writing(relation.types)
        return {oid: functions for oid, functions in runs.items() if functions}

    def _reads_writer(self, oid: int, reads: Reads) -> bool:
        """Whether writing to (or refreshing) the relation reads others whose views may write."""
        inner = (
            (relation, False)
            for facts in self._definitions.written_by(oid)
            for relation in map(self._resolver.by_oid.get, facts.relations)
            if relation is not None and relation.oid != oid
        )
        return any(reads.closure([pair]).may_write for pair in inner)

    def _is_harmless(self, row: FunctionRow) -> bool:
        """Whether a trigger function changes nothing but the row at hand."""
        if row.schema == CATALOG and row.oid < FIRST_USER_OID:
            return is_harmless_trigger("", row.name) or row.name.startswith(_FOREIGN_KEY_TRIGGERS)
        if row.extension:
            return is_harmless_trigger(row.extension, row.name)
        return not self._functions.has_writing_operator() and changes_only_its_row(
            row.source, self._functions.has_only_harmless
        )

    def _one(self, relation: Relation, cascade: bool) -> Tags:
        key = (relation.oid, cascade)
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = self._walk(relation, cascade)
        return known

    def _walk(self, start: Relation, cascade: bool) -> Tags:
        references = self._references if cascade else self._cascades
        tags: set[int] = set()
        reached: set[int] = set()
        queue = [start.oid]
        while queue:
            oid = queue.pop()
            if oid in reached:
                continue
            reached.add(oid)
            relation = self._resolver.by_oid.get(oid)
            if relation is None or relation.schema in SYSTEM_SCHEMAS or oid in self._boundless:
                return EVERYTHING
            if relation.kind == _FOREIGN_TABLE:
                return EVERYTHING  # it may lead back here, to any table
            effects = self._effects(oid)
            if effects is None:
                return EVERYTHING
            tags |= self._families.ancestors(oid)
            queue += effects
            queue += self._families.descendants(oid)
            queue += references.get(oid, ())
            if relation.kind == _VIEW:
                queue += self._definitions.query(oid).relations
        return frozenset(tags)

    def _effects(self, oid: int) -> frozenset[int] | None:
        """The relations that functions run by writing to one relation write; None: any."""
        effects: frozenset[int] = frozenset()
        for function in self._runs.get(oid, ()):
            row = self._functions.row(function)
            declared = self._declared.get(f"{row.schema}.{row.name}") if row else None
            if declared is None:
                return None
            effects |= declared
        return effects

"""What reading relations depends on: views to their leaves, partitions, row security, types.

The tags are a superset of what PostgreSQL reads for anybody (C-17 to C-20): the key holds the
user, so that only the tags must cover every case. Counterpart: ``writes.py``, whose tags meet
these whenever a write can change what is read here. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pgcache.catalog.builtins import CLOCK
from pgcache.catalog.datatypes import DataTypes
from pgcache.catalog.definitions import Definitions
from pgcache.catalog.functions import Functions, merge
from pgcache.catalog.model import FunctionVerdict, ReadClosure, Relation
from pgcache.catalog.nodetree import TreeFacts
from pgcache.catalog.resolve import SYSTEM_SCHEMAS, Families, Resolver
from pgcache.catalog.rows import Rows
from pgcache.errors.reasons import Reason, Refusal

_REFUSED_KINDS: Final = {"f": Reason.FOREIGN_TABLE, "S": Reason.SEQUENCE}


class Reads:
    """Answers ``closure()`` for any set of relations; remembers each relation's own part."""

    __slots__ = (
        "_families",
        "_functions",
        "_memo",
        "_resolver",
        "_row_types",
        "_types",
        "definitions",
    )

    def __init__(
        self,
        rows: Rows,
        resolver: Resolver,
        families: Families,
        definitions: Definitions,
        functions: Functions,
        types: DataTypes,
    ) -> None:
        self._resolver = resolver
        self._families = families
        self.definitions = definitions
        self._functions = functions
        self._types = types
        self._row_types = {row.oid: row.types for row in rows.relations if row.types}
        self._memo: dict[tuple[int, bool], ReadClosure] = {}

    def closure(self, relations: Iterable[tuple[Relation, bool]]) -> ReadClosure:
        """Everything that reading the relations depends on; the flag is ONLY."""
        parts = [self._one(relation, only) for relation, only in relations]
        return parts[0] if len(parts) == 1 else _join(parts)

    def _one(self, relation: Relation, only: bool) -> ReadClosure:
        key = (relation.oid, only)
        known = self._memo.get(key)
        if known is None:
            walk = _Walk(self)
            walk.visit(relation, only)
            known = self._memo[key] = walk.result()
        return known

    # What one relation adds by itself, for _Walk.

    def members(self, oid: int, only: bool) -> Iterable[int]:
        """The relation and, unless ONLY, everything that inherits from it."""
        return (oid,) if only else sorted(self._families.descendants(oid))

    def relation(self, oid: int) -> Relation | None:
        """The relation of that OID."""
        return self._resolver.by_oid.get(oid)

    def refuse(self, relation: Relation) -> Refusal | None:
        """Why this relation itself may not be read from the cache (C-16)."""
        if relation.schema in SYSTEM_SCHEMAS:
            return Refusal(Reason.SYSTEM_CATALOG, relation.display)
        if relation.persistence == "t":
            return Refusal(Reason.TEMPORARY_TABLE, relation.display)
        if relation.kind in _REFUSED_KINDS:
            return Refusal(_REFUSED_KINDS[relation.kind], relation.display)
        if self._types.any_unsafe(self._row_types.get(relation.oid, ())):
            return Refusal(Reason.USER_TYPE, relation.display)
        return None

    def acts(self, relation: Relation) -> bool:
        """Whether reading the relation's columns may change data (see ``DataTypes``)."""
        return self._types.any_acting(self._row_types.get(relation.oid, ()))

    def clock(self, relation: Relation) -> bool:
        """Whether a time of day may be compared with one of its columns by today's offset."""
        return self._types.any_zoned(self._row_types.get(relation.oid, ()))

    def judge(self, relation: Relation, reason: Reason, facts: TreeFacts) -> FunctionVerdict:
        """The verdict on an expression, its refusal told in terms of the relation."""
        verdict = self._functions.judge_tree(facts)
        if self._types.any_dated(facts.made):
            verdict = merge([verdict, CLOCK])
        refusal = verdict.refusal
        if refusal is not None:
            words = refusal.detail if facts.problem else f"calls {refusal.detail}"
        elif self._types.any_unsafe(facts.types):
            words = "uses a type whose functions are not IMMUTABLE"
        else:
            return verdict
        own = FunctionVerdict(refusal=Refusal(reason, f"{relation.display} {words}"))
        return merge([own, verdict])


class _Walk:
    """One walk from a relation to everything that it depends on."""

    __slots__ = ("_reads", "_refusal", "_tags", "_verdicts")

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._tags: set[int] = set()
        self._refusal: Refusal | None = None
        self._verdicts: list[FunctionVerdict] = []

    def visit(self, start: Relation, only: bool) -> None:
        queue = list(self._reads.members(start.oid, only))
        while queue:
            oid = queue.pop()
            if oid in self._tags:
                continue
            self._tags.add(oid)
            relation = self._reads.relation(oid)
            if relation is None:
                self._refuse(Refusal(Reason.UNKNOWN_RELATION, str(oid)))
                continue
            self._refuse(self._reads.refuse(relation))
            if self._reads.acts(relation):
                self._verdicts.append(FunctionVerdict(may_write=True, may_set=True))
            if self._reads.clock(relation):
                self._verdicts.append(CLOCK)
            for reason, facts in self._reads.definitions.read_by(relation):
                self._verdicts.append(self._reads.judge(relation, reason, facts))
                for inner in sorted(facts.relations):
                    queue += self._reads.members(inner, False)

    def _refuse(self, refusal: Refusal | None) -> None:
        self._refusal = self._refusal or refusal

    def result(self) -> ReadClosure:
        verdict = merge(self._verdicts)
        return ReadClosure(
            tags=frozenset(self._tags) | verdict.tags,
            clock=verdict.clock,
            refusal=self._refusal or verdict.refusal,
            settings=verdict.settings,
            may_write=verdict.may_write,
            may_set=verdict.may_set,
            locks=verdict.locks,
        )


def _join(parts: list[ReadClosure]) -> ReadClosure:
    return ReadClosure(
        tags=frozenset().union(*(part.tags for part in parts)),
        clock=any(part.clock for part in parts),
        refusal=next((part.refusal for part in parts if part.refusal), None),
        settings=frozenset().union(*(part.settings for part in parts)),
        may_write=any(part.may_write for part in parts),
        may_set=any(part.may_set for part in parts),
        locks=any(part.locks for part in parts),
    )

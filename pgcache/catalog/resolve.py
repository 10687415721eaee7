"""Names to relations under a search path (S-10, S-11).

Which schemas of a path a role may use is not known here, so that an unqualified name means every
relation of that name in any of them: tags are then a superset. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from pgcache.catalog.model import Relation
from pgcache.catalog.rows import RelationRow
from pgcache.sql.model import Name

_COMPOSITE: Final = "c"
SYSTEM_SCHEMAS: Final = frozenset({"pg_catalog", "information_schema", "pg_toast"})


class Resolver:
    """The relations of a database, by OID and by name."""

    __slots__ = ("_by_name", "_database", "by_oid")

    def __init__(self, database: str, rows: Iterable[RelationRow]) -> None:
        self._database = database
        by_oid: dict[int, Relation] = {}
        by_name: dict[str, list[Relation]] = defaultdict(list)
        for row in rows:
            if row.kind == _COMPOSITE:
                continue
            relation = Relation(
                oid=row.oid,
                schema=row.schema,
                name=row.name,
                kind=row.kind,
                persistence=row.persistence,
                row_security=row.row_security,
            )
            by_oid[row.oid] = relation
            by_name[row.name].append(relation)
        self.by_oid: Mapping[int, Relation] = by_oid
        self._by_name = {name: tuple(found) for name, found in by_name.items()}

    def find(self, name: Name, path: tuple[str, ...]) -> tuple[Relation, ...]:
        """All relations that ``name`` may mean, those of pg_catalog included."""
        if name.database is not None and name.database != self._database:
            return ()
        found = self._by_name.get(name.name, ())
        if name.schema is not None:
            return tuple(relation for relation in found if relation.schema == name.schema)
        schemas = {"pg_catalog", *path}
        return tuple(relation for relation in found if relation.schema in schemas)

    def find_display(self, display: str) -> tuple[Relation, ...]:
        """The relation that a configuration calls 'schema.name', or none."""
        schema, _, name = display.partition(".")
        return self.find(Name(name=name, schema=schema), ())


class Families:
    """Inheritance and partition trees (C-20)."""

    __slots__ = ("_children", "_parents")

    def __init__(self, pairs: Iterable[tuple[int, int]]) -> None:
        self._children: dict[int, list[int]] = defaultdict(list)
        self._parents: dict[int, list[int]] = defaultdict(list)
        for child, parent in pairs:
            self._children[parent].append(child)
            self._parents[child].append(parent)

    def descendants(self, oid: int) -> frozenset[int]:
        """``oid`` and all below it."""
        return _reach(oid, self._children)

    def ancestors(self, oid: int) -> frozenset[int]:
        """``oid`` and all above it."""
        return _reach(oid, self._parents)


def _reach(start: int, edges: Mapping[int, list[int]]) -> frozenset[int]:
    found = {start}
    queue = [start]
    while queue:
        for oid in edges.get(queue.pop(), ()):
            if oid not in found:
                found.add(oid)
                queue.append(oid)
    return frozenset(found)

"""Whether a result depends on the time although no function in it says so (C-13).

Text that is cast to a date may be 'now', and a column holds what it likes. A time of day that is
moved to another zone is moved by today's offset, and a zone's name in a time of day stands for it.
Counterpart: ``sql/operands.py`` tells what a cast is given. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pgcache.catalog.builtins import names
from pgcache.catalog.datatypes import DataTypes
from pgcache.catalog.functions import Functions
from pgcache.catalog.model import Relation
from pgcache.catalog.rows import FIRST_USER_OID, RelationRow
from pgcache.sql.model import ANY_LABEL, Cast, Name, Read

__all__ = ["HiddenClock"]

# Columns that are no text, nor made of text: boolean, the numbers, the dates and times, arrays and
# ranges of these.
_NO_TEXT: Final = frozenset(
    {
        *(16, 20, 21, 23, 26, 700, 701, 1700, 1082, 1083, 1114, 1184, 1186, 1266),
        *(1000, 1005, 1007, 1016, 1021, 1022, 1231, 1115, 1182, 1183, 1185, 1187, 1270),
        *(3904, 3906, 3908, 3910, 3912, 3926, 4451, 4532, 4533, 4534, 4535, 4536),
    }
)
# A column of a subquery that nobody named is called after its outermost cast or key word; columns
# of PostgreSQL's own functions in FROM have these names.
_UNNAMED: Final = names("text varchar bpchar char name case array row exists bool")
_OF_FUNCTIONS: Final = names("key value lexeme token alias description dictionary lexemes")
_TIME_CALLS: Final = names("time make_time timetz")


class HiddenClock:
    """Answers for any query whether the time is hidden in it."""

    __slots__ = ("_columns", "_functions", "_rows", "_types")

    def __init__(self, rows: Iterable[RelationRow], functions: Functions, types: DataTypes) -> None:
        self._rows = {row.oid: row for row in rows if row.columns}
        self._functions = functions
        self._types = types
        self._columns: dict[int, Mapping[str, int]] = {}

    def is_in(self, read: Read, relations: Sequence[Relation], path: tuple[str, ...]) -> bool:
        """Whether the result of a query over these relations may depend on the time unseen."""
        if not read.casts and not read.zoned:
            return False
        targets = [(cast, self._types.may_be(cast.type, path)) for cast in read.casts]
        if any(self._types.any_zoned(oids) for _, oids in targets):
            return True
        if read.zoned and self._has_times_of_day(read, relations, (oids for _, oids in targets)):
            return True
        scope = _Scope(self, read, relations, path)
        return any(self._types.any_dated(oids) and scope.is_text(cast) for cast, oids in targets)

    def _has_times_of_day(
        self, read: Read, relations: Iterable[Relation], targets: Iterable[list[int]]
    ) -> bool:
        return (
            any(map(self._types.any_of_day, targets))
            or any(call.name.name in _TIME_CALLS for call in read.functions)
            or any(
                self._types.any_of_day(self.columns_of(relation).values()) for relation in relations
            )
        )

    def is_own(self, name: Name, path: tuple[str, ...]) -> bool:
        """Whether only PostgreSQL's own functions and types may be meant by the name."""
        types = self._types.may_be(name, path)
        return self._functions.is_own(name, path) and all(oid < FIRST_USER_OID for oid in types)

    def takes_row(self, ident: str) -> bool:
        """Whether ``x.ident`` may be a call."""
        return self._functions.takes_row(ident)

    def columns_of(self, relation: Relation) -> Mapping[str, int]:
        """The relation's columns with their types."""
        known = self._columns.get(relation.oid)
        if known is None:
            row = self._rows.get(relation.oid)
            known = {} if row is None else dict(zip(row.columns, row.types, strict=True))
            self._columns[relation.oid] = known
        return known


class _Scope:
    """What the names of one query stand for, as far as text is concerned."""

    __slots__ = ("_catalog", "_labels", "_made", "_path", "_relations", "_seen")

    def __init__(
        self, catalog: HiddenClock, read: Read, relations: Sequence[Relation], path: tuple[str, ...]
    ) -> None:
        self._catalog = catalog
        self._path = path
        self._relations = relations
        self._labels: dict[str, list[Cast]] = defaultdict(list)
        for label in read.labels:
            self._labels[label.type.name].append(label)
        self._seen: set[str] = set()  # labels of labels: what names itself adds nothing
        calls = {call.name for call in read.functions}
        # Columns that are no table's and have no label; None where they may have any name.
        self._made: frozenset[str] | None = None
        if ANY_LABEL not in self._labels and all(catalog.is_own(name, path) for name in calls):
            named = {name.name for name in (*calls, *read.types)}
            self._made = _UNNAMED | _OF_FUNCTIONS | named

    def is_text(self, cast: Cast) -> bool:
        """Whether text may be among what the cast, or the label, is given."""
        return (
            cast.opaque
            or not all(self._catalog.is_own(name, self._path) for name in cast.own)
            or any(map(self._is_text_column, cast.columns))
        )

    def _is_text_column(self, column: Name) -> bool:
        ident = column.name
        if self._catalog.takes_row(ident):
            return True
        found = [
            relation
            for relation in self._relations
            if relation.name == column.schema and column.database in (None, relation.schema)
        ]
        if found and column.schema not in self._labels:
            return self._of_tables(ident, found) is not False
        if self._made is None or ident in self._made:
            return True
        of_tables = self._of_tables(ident, self._relations)
        labels = self._labels.get(ident, [])
        if ident in self._seen:
            labels = []
        elif not labels:
            return of_tables is not False
        self._seen.add(ident)
        return of_tables is True or any(map(self.is_text, labels))

    def _of_tables(self, ident: str, relations: Iterable[Relation]) -> bool | None:
        """Whether it is text in one of the tables; None where none has such a column."""
        types = {self._catalog.columns_of(relation).get(ident) for relation in relations} - {None}
        return not types <= _NO_TEXT if types else None

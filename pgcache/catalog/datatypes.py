"""Which types may make a result depend on more than tables and known settings (C-11, C-15).

A type is unsafe when its input, output, cast, ordering or constraint functions are not known to
be safe, or when something it is made of is. Counterpart: ``functions.py``. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from pgcache.catalog.builtins import TIME_OID, TIMETZ_OID, names
from pgcache.catalog.functions import CATALOG, Functions, unsafe
from pgcache.catalog.nodetree import TreeFacts, parse_tree
from pgcache.catalog.rows import FIRST_USER_OID, RelationRow, Rows, TypeRow
from pgcache.sql.model import Name

# Their text depends on the catalogs and on visibility, or (xid) on the transaction counter.
_UNSAFE_BUILTINS: Final = names(
    """
    regproc regprocedure regoper regoperator regclass regcollation regtype regrole regnamespace
    regconfig regdictionary regdatabase aclitem xid cid pg_node_tree pg_ddl_command
    """
)
# date, time, timestamp, timestamptz, timetz: their input functions know 'now', 'today' and what a
# zone's name means today.
_DATED: Final = frozenset({1082, 1083, 1114, 1184, 1266})
# Names that only the grammar knows.
_GRAMMAR_TYPES: Final = names(
    """
    int integer smallint bigint real float double decimal dec numeric boolean bit character char
    varchar nchar national timestamp time interval json setof
    """
) | {
    "double precision",
    "character varying",
    "bit varying",
    "national character",
    "national character varying",
    "national char",
    "national char varying",
    "timestamp with time zone",
    "timestamp without time zone",
    "time with time zone",
    "time without time zone",
}


class DataTypes:
    """The types of a database, judged."""

    __slots__ = ("_acting", "_by_name", "_dated", "_of_day", "_unsafe", "_writing", "_zoned")

    def __init__(self, rows: Rows, functions: Functions) -> None:
        self._by_name: dict[str, list[TypeRow]] = defaultdict(list)
        for row in rows.types:
            self._by_name[row.name].append(row)
        users = _users(rows)
        domains = [(row.type, row.is_default, parse_tree(row.tree)) for row in rows.domains]
        checks = [(oid, facts) for oid, is_default, facts in domains if not is_default]
        # Types whose input may read the clock; those made of times of day; of timetz.
        self._dated = _spread(set(_DATED), users)
        self._of_day = _spread({TIME_OID, TIMETZ_OID}, users)
        self._zoned = _spread({TIMETZ_OID}, users)
        self._unsafe = _spread(_find_unsafe(rows, functions, checks), users)
        # For each type made of a domain whose constraint or default calls functions that may
        # write, or that such a function casts to: them.
        constrained = [(oid, f) for oid, _, facts in domains for f in functions.writing(facts)]
        casts = [
            cast
            for cast in rows.casts
            if cast.function and functions.by_oid(cast.function).may_write
        ]
        self._writing = _by_user(
            [*constrained, *((cast.target, cast.function) for cast in casts)], users
        )
        # The same for types of which reading values is enough: sorted and compared, or cast where
        # the text does not say so.
        self._acting = _by_user(
            [
                *((cast.source, cast.function) for cast in casts if cast.is_implicit),
                *(
                    (support.type, support.function)
                    for support in rows.supports
                    if functions.by_oid(support.function).may_write
                ),
            ],
            users,
        )

    @property
    def any_writing(self) -> bool:
        """Whether checking, making up, sorting or casting values of some type may change data."""
        return bool(self._writing or self._acting)

    def any_acting(self, oids: Iterable[int]) -> bool:
        """Whether reading values of one of the types may change data, whatever the text says."""
        return bool(self._acting) and not self._acting.keys().isdisjoint(oids)

    def any_unsafe(self, oids: Iterable[int]) -> bool:
        """Whether one of the types is unsafe."""
        return not self._unsafe.isdisjoint(oids)

    def any_dated(self, oids: Iterable[int]) -> bool:
        """Whether reading a text as one of the types may depend on the time."""
        return not self._dated.isdisjoint(oids)

    def any_of_day(self, oids: Iterable[int]) -> bool:
        """Whether one of the types holds times of day, which AT TIME ZONE moves by today's date."""
        return not self._of_day.isdisjoint(oids)

    def any_zoned(self, oids: Iterable[int]) -> bool:
        """Whether one of the types holds timetz, which times of day are made by today's date."""
        return not self._zoned.isdisjoint(oids)

    def may_be(self, name: Name, path: tuple[str, ...]) -> list[int]:
        """The types that a name as written may mean."""
        return [row.oid for row in self._candidates(name, path)]

    def writing(self, oids: Iterable[int]) -> set[int]:
        """The functions that may write and that making or comparing values of the types calls."""
        if not self.any_writing:
            return set()
        return {
            function
            for oid in oids
            for function in (*self._writing.get(oid, ()), *self._acting.get(oid, ()))
        }

    def is_known(self, name: Name, path: tuple[str, ...]) -> bool:
        """Whether some type may be meant by ``name``."""
        return bool(self._candidates(name, path))

    def is_unsafe(self, name: Name, path: tuple[str, ...]) -> bool:
        """Whether a cast to ``name`` as written may be unsafe; unknown names are."""
        candidates = self._candidates(name, path)
        if candidates:
            return any(row.oid in self._unsafe for row in candidates)
        return name.schema not in (None, CATALOG) or _element(name.name) not in _GRAMMAR_TYPES

    def may_write(self, name: Name, path: tuple[str, ...]) -> bool:
        """Whether a cast to ``name`` may run a function that writes."""
        return self.any_writing and bool(
            self.writing(row.oid for row in self._candidates(name, path))
        )

    def _candidates(self, name: Name, path: tuple[str, ...]) -> list[TypeRow]:
        schemas = {name.schema} if name.schema is not None else {CATALOG, *path}
        rows = self._by_name.get(_element(name.name), ())
        return [row for row in rows if row.schema in schemas]


def _element(name: str) -> str:
    """The name of an array's element type, as written."""
    while name.endswith("[]"):
        name = name[:-2].rstrip()
    return name


def _find_unsafe(
    rows: Rows, functions: Functions, domains: Iterable[tuple[int, TreeFacts]]
) -> set[int]:
    found = {row.oid for row in rows.types if _is_unsafe_itself(row, functions)}
    for cast in rows.casts:
        if cast.function and unsafe(functions.by_oid(cast.function)):
            found |= {cast.source, cast.target}
    for support in rows.supports:
        if unsafe(functions.by_oid(support.function)):
            found.add(support.type)
    for oid, facts in domains:
        if unsafe(functions.judge_tree(facts)) or facts.relations or facts.made & _DATED:
            found.add(oid)
    return found


def _is_unsafe_itself(row: TypeRow, functions: Functions) -> bool:
    if row.schema == CATALOG and row.oid < FIRST_USER_OID:
        return row.name in _UNSAFE_BUILTINS
    return any(oid >= FIRST_USER_OID and unsafe(functions.by_oid(oid)) for oid in row.functions)


def _users(rows: Rows) -> Mapping[int, list[int]]:
    """For each type, the types made of it."""
    columns: dict[int, RelationRow] = {row.oid: row for row in rows.relations}
    users: dict[int, list[int]] = defaultdict(list)
    for row in rows.types:
        relation = columns.get(row.relation)
        parts = [row.element, row.base, *(relation.types if relation else ())]
        for part in parts:
            users[part].append(row.oid)
    return users


def _by_user(
    pairs: Iterable[tuple[int, int]], users: Mapping[int, list[int]]
) -> Mapping[int, set[int]]:
    """The functions of ``pairs`` by their types and all that are made of these."""
    found: dict[int, set[int]] = defaultdict(set)
    for oid, function in pairs:
        for user in _spread({oid}, users):
            found[user].add(function)
    return found


def _spread(start: set[int], users: Mapping[int, list[int]]) -> frozenset[int]:
    """The types and all that are made of them."""
    found = set(start)
    queue = list(found)
    while queue:
        for user in users.get(queue.pop(), ()):
            if user not in found:
                found.add(user)
                queue.append(user)
    return frozenset(found)

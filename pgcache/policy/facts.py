"""What is known of one query when it is judged: names resolved against the catalog snapshot.

Counterpart: ``rules.py`` judges these facts, ``plan.py`` and ``effects.py`` conclude from them.
Must not know: settings of the session beyond what names resolve under, the cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from pgcache.catalog.builtins import SAFE
from pgcache.catalog.functions import merge
from pgcache.catalog.model import FunctionVerdict, ReadClosure, Relation
from pgcache.catalog.snapshot import Snapshot
from pgcache.sql.model import FunctionRef, Name, Read, RelationRef

__all__ = ["ReadFacts", "View", "build_facts", "display_name"]


@dataclass(frozen=True, slots=True)
class View:
    """What the resolution of names depends on: the effective search path, the current role.

    ``own_tables``: temporary tables of the session that only hold rows.
    """

    path: tuple[str, ...]
    user: str
    own_tables: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReadFacts:
    """A query's names, resolved. ``unknown``: relations that the snapshot does not hold.

    ``functions`` is what each of its calls may mean, ``attributes`` are the identifiers behind a
    dot that may be calls (C-14): whose column the dot means, a subquery's for instance, is not
    known; ``by_attribute`` is what they might do. ``operator_settings`` are those that its
    operators depend on. ``hidden_clock``: a cast or a time zone in it may read the clock.
    """

    read: Read
    relations: tuple[Relation, ...]
    unknown: tuple[str, ...]
    closure: ReadClosure
    functions: tuple[FunctionVerdict, ...]
    attributes: tuple[str, ...]
    unsafe_operators: tuple[str, ...]
    writing_operators: tuple[str, ...]
    unsafe_types: tuple[str, ...]
    writing_types: tuple[str, ...] = ()
    operator_settings: frozenset[str] = frozenset()
    by_attribute: FunctionVerdict = SAFE
    hidden_clock: bool = False

    @property
    def clock(self) -> bool:
        """Whether the result depends on the time."""
        calls = any(verdict.clock for verdict in self.functions)
        return self.read.clock or self.hidden_clock or self.closure.clock or calls

    @property
    def tags(self) -> frozenset[int]:
        """OIDs of all relations whose change makes the result stale."""
        return reduce(lambda tags, call: tags | call.tags, self.functions, self.closure.tags)

    @property
    def settings(self) -> frozenset[str]:
        """Names of the settings that the query and what stands behind it ask for."""
        asked = self.closure.settings | self.operator_settings
        return reduce(lambda names, call: names | call.settings, self.functions, asked)


def build_facts(read: Read, view: View, snapshot: Snapshot) -> ReadFacts:
    """Resolve everything that ``read`` names."""
    relations, pairs, unknown = _resolve(read.relations, view, snapshot)
    path = view.path
    return ReadFacts(
        read=read,
        relations=relations,
        unknown=unknown,
        closure=snapshot.read_closure(pairs),
        functions=tuple(_judge(read.functions, path, snapshot)),
        attributes=tuple(sorted(filter(snapshot.attribute_function_unsafe, read.dotted))),
        unsafe_operators=tuple(sorted(read.operators & snapshot.unsafe_operators)),
        writing_operators=tuple(sorted(read.operators & snapshot.writing_operators)),
        unsafe_types=tuple(
            display_name(name) for name in read.types if snapshot.unsafe_type(name, path)
        ),
        writing_types=tuple(
            display_name(name) for name in read.types if snapshot.writing_type(name, path)
        ),
        hidden_clock=snapshot.hides_clock(read, relations, path),
        by_attribute=merge(map(snapshot.attribute_function, read.dotted)),
        operator_settings=frozenset().union(
            *(
                names
                for ident, names in snapshot.operator_settings.items()
                if ident in read.operators
            )
        ),
    )


def display_name(name: Name) -> str:
    """The name as written, with what qualifies it."""
    return ".".join(part for part in (name.database, name.schema, name.name) if part)


def _resolve(
    refs: Iterable[RelationRef], view: View, snapshot: Snapshot
) -> tuple[tuple[Relation, ...], list[tuple[Relation, bool]], tuple[str, ...]]:
    found: dict[Relation, bool] = {}
    unknown: list[str] = []
    for ref in refs:
        candidates = snapshot.find(ref.name, view.path)
        if not candidates:
            unknown.append(display_name(ref.name))
        for relation in candidates:
            found[relation] = found.get(relation, True) and ref.only
    return tuple(found), list(found.items()), tuple(unknown)


def _judge(
    calls: Iterable[FunctionRef], path: tuple[str, ...], snapshot: Snapshot
) -> Iterable[FunctionVerdict]:
    for call in calls:
        yield snapshot.function(call.name, path, call.nargs, call.literal)

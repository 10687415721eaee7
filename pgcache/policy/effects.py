"""What running a statement may change: tables, definitions, the session (C-30 to C-40, T-20).

Conservative throughout: what is not known to be harmless changes everything (Z-00). Counterpart:
``plan.py`` plans the reads. Must not know: the cache, the wire, how a write is accounted for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pgcache.catalog.model import EVERYTHING, FunctionVerdict, Relation, Tags
from pgcache.catalog.snapshot import Snapshot
from pgcache.errors.reasons import Reason
from pgcache.policy.facts import View, build_facts
from pgcache.sql.model import Kind, Read, RelationRef, Statement

__all__ = [
    "NO_EFFECTS",
    "TEMPORARY_SCHEMA",
    "UNKNOWN_EFFECTS",
    "Effects",
    "plan_effects",
    "plan_read_effects",
]

TEMPORARY_SCHEMA: Final = "pg_temp"  # in a path, it makes CREATE TABLE temporary (S-09)
_NOTHING: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Effects:
    """What a statement may do.

    ``writes``: OIDs of the relations it may change, closures included. ``schema``: it may change
    definitions, roles or privileges. ``commits_inside``: it may commit before it ends (T-22).
    ``pins``: the rest of its transaction expects fresh data (T-20). ``taints``: it may change
    settings or the role unseen (S-07). ``temporary``: it may create temporary objects (S-09).
    """

    writes: Tags = _NOTHING
    schema: bool = False
    commits_inside: bool = False
    pins: bool = False
    taints: bool = False
    temporary: bool = False

    def __or__(self, other: Effects) -> Effects:
        """What both may do."""
        return Effects(
            _union(self.writes, other.writes),
            self.schema or other.schema,
            self.commits_inside or other.commits_inside,
            self.pins or other.pins,
            self.taints or other.taints,
            self.temporary or other.temporary,
        )


NO_EFFECTS: Final = Effects()
UNKNOWN_EFFECTS: Final = Effects(
    EVERYTHING, schema=True, commits_inside=True, pins=True, taints=True, temporary=True
)
_USER_CODE: Final = Effects(EVERYTHING, schema=True, pins=True, taints=True, temporary=True)
"""What a function in a query may do: all but commit."""

_UNSEEN_CODE: Final = replace(_USER_CODE, schema=False)
"""The same where there are no catalogs to keep true, and none to tell what a function is."""

_TRIGGERED: Final = replace(_USER_CODE, pins=False)
"""What a trigger may do whose function is not declared: create a partition, for instance."""

_DEFINITIONS: Final = Effects(EVERYTHING, schema=True)
_PINS: Final = Effects(pins=True)
_OF_TABLES: Final = frozenset({"CREATE INDEX", "DROP TABLE"})

# Statements that change at most the session's own state, which ``context.py`` follows, or end a
# transaction, whose writes were accounted for as they came.
_HARMLESS: Final = frozenset(
    {
        *(Kind.EMPTY, Kind.BEGIN, Kind.COMMIT, Kind.ROLLBACK),
        *(Kind.SAVEPOINT, Kind.RELEASE, Kind.ROLLBACK_TO),
        *(Kind.PREPARE_TRANSACTION, Kind.ROLLBACK_PREPARED),
        *(Kind.SET, Kind.RESET, Kind.SHOW, Kind.DISCARD),
        *(Kind.PREPARE, Kind.DEALLOCATE, Kind.FETCH, Kind.CLOSE),
        *(Kind.LISTEN, Kind.UNLISTEN, Kind.NOTIFY),
    }
)


def plan_effects(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    """What ``statement`` may change. ``snapshot`` None: every write changes everything.

    EXECUTE of a statement that the caller does not know may do anything; where it does know it,
    it asks for that one instead, and ``plan_read_effects`` for EXECUTE's own values. What a cursor
    does as it is fetched from counts at DECLARE.
    """
    if statement.kind in _HARMLESS:
        return NO_EFFECTS
    handler = _HANDLERS.get(statement.kind)
    found = UNKNOWN_EFFECTS if handler is None else handler(statement, view, snapshot)
    if found.taints and found.writes is EVERYTHING and snapshot is not None and snapshot.has_dblink:
        # Such code may reach this database by a connection of its own, which commits by itself.
        return replace(found, commits_inside=True)
    return found


def plan_read_effects(read: Read | None, view: View, snapshot: Snapshot | None) -> Effects:
    """What evaluating a query may change: through its functions, operators, views, row locks."""
    if read is None:
        return NO_EFFECTS
    locks = read.refusal is not None and read.refusal.reason is Reason.ROW_LOCK
    found = _PINS if locks else NO_EFFECTS
    if snapshot is None:
        return found | _UNSEEN_CODE if read.functions else found
    facts = build_facts(read, view, snapshot)
    closure = facts.closure
    behind = FunctionVerdict(
        may_write=closure.may_write, may_set=closure.may_set, locks=closure.locks
    )
    for verdict in (behind, facts.by_attribute, *facts.functions):
        found |= _of_verdict(verdict)
    if facts.writing_operators or facts.writing_types:
        found |= _USER_CODE
    if closure.refusal is not None and closure.refusal.reason is Reason.VIEW_DEFINITION:
        found |= _PINS  # a view may take row locks
    return found


def _of_verdict(verdict: FunctionVerdict) -> Effects:
    if verdict.may_write and verdict.may_set:
        return _USER_CODE
    if not (verdict.may_write or verdict.may_set or verdict.locks):
        return NO_EFFECTS
    writes: Tags = EVERYTHING if verdict.may_write else _NOTHING
    return Effects(writes, pins=verdict.locks, taints=verdict.may_set or verdict.may_write)


def _union(left: Tags, right: Tags) -> Tags:
    if left is EVERYTHING or right is EVERYTHING:
        return EVERYTHING
    return left | right


def _on_select(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    if statement.read is None:
        return UNKNOWN_EFFECTS
    return plan_read_effects(statement.read, view, snapshot)


def _on_write(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    if not statement.targets:
        return UNKNOWN_EFFECTS
    written = _written(statement, view, snapshot)
    return written | plan_read_effects(statement.read, view, snapshot)


def _written(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    """What writing to the statement's targets may change, triggers and cascades included."""
    relations = _find_targets(statement.targets, view, snapshot)
    if relations is None:
        return Effects(EVERYTHING)
    if snapshot is None or not relations:
        return NO_EFFECTS
    writes = snapshot.write_closure(relations, cascade=statement.cascade)
    return _TRIGGERED if writes is EVERYTHING else Effects(writes)


def _find_targets(
    targets: tuple[RelationRef, ...], view: View, snapshot: Snapshot | None
) -> list[Relation] | None:
    """All relations that may be meant; None where a name is not known and may be anything."""
    relations: list[Relation] = []
    for target in targets:
        if _is_own(target, view, snapshot):
            continue  # rows of temporary tables are never cached (C-34)
        found = snapshot.find(target.name, view.path) if snapshot is not None else ()
        if not found:
            return None
        relations += found
    return relations


def _is_own(target: RelationRef, view: View, snapshot: Snapshot | None) -> bool:
    """Whether the name can only mean a temporary table without code of its own."""
    name = target.name
    if snapshot is None or snapshot.has_writing_types or name.name not in view.own_tables:
        return False
    if not snapshot.is_certain(name, view.path):
        return False
    if name.schema is not None:
        return name.schema == TEMPORARY_SCHEMA or name.schema.startswith("pg_temp_")
    return not snapshot.find(name, view.path)


def _on_copy_out(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    if statement.inner is not None:
        return plan_effects(statement.inner, view, snapshot)
    return plan_read_effects(statement.read, view, snapshot)


def _on_inner(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    if statement.inner is None:
        return UNKNOWN_EFFECTS
    return plan_effects(statement.inner, view, snapshot)


def _on_explain(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    if statement.inner is not None and not statement.executes_inner:
        return NO_EFFECTS
    return _on_inner(statement, view, snapshot)


def _on_code(_statement: Statement, _view: View, _snapshot: Snapshot | None) -> Effects:
    return UNKNOWN_EFFECTS


def _on_lock(_statement: Statement, _view: View, _snapshot: Snapshot | None) -> Effects:
    return _PINS


def _on_commit_prepared(_statement: Statement, _view: View, _snapshot: Snapshot | None) -> Effects:
    """Whoever remembers what the transaction wrote knows better (T-16)."""
    return _DEFINITIONS


def _on_refresh(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    """Its query runs as its owner, and may call what the owner likes (C-18)."""
    return _written(statement, view, snapshot) | _of_event_triggers(snapshot)


def _on_maintenance(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    """VACUUM, ANALYZE and their kin rewrite tables or evaluate index expressions (C-35)."""
    if statement.verb == "LOAD":
        return UNKNOWN_EFFECTS
    if snapshot is not None and snapshot.has_writing_types and statement.verb != "CHECKPOINT":
        return replace(_USER_CODE, commits_inside=True)  # they compare values, as sorting does
    if statement.verb in ("CHECKPOINT", "ANALYZE", "ANALYSE"):
        return NO_EFFECTS
    relations = _find_targets(statement.targets, view, snapshot) if statement.targets else None
    if relations is None:
        return Effects(EVERYTHING, commits_inside=True)
    return Effects(frozenset(relation.oid for relation in relations), commits_inside=True)


def _on_definition(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    """All DDL changes the schema but comments, and what is certainly temporary."""
    return _of_definition(statement, view, snapshot) | _of_event_triggers(snapshot)


def _of_event_triggers(snapshot: Snapshot | None) -> Effects:
    """What runs at DDL of any kind, such as that which makes something temporary."""
    if snapshot is None:
        return Effects(EVERYTHING)
    return _USER_CODE if snapshot.has_event_triggers else NO_EFFECTS


def _of_definition(statement: Statement, view: View, snapshot: Snapshot | None) -> Effects:
    if statement.verb == "COMMENT":
        return NO_EFFECTS
    inner = NO_EFFECTS
    if statement.inner is not None:
        inner = plan_effects(statement.inner, view, snapshot)
    else:
        inner = plan_read_effects(statement.read, view, snapshot)
    own = statement.verb in _OF_TABLES and bool(statement.targets)
    if own and all(_is_own(target, view, snapshot) for target in statement.targets):
        return inner
    if _is_only_temporary(statement):
        return replace(inner, temporary=True)
    by_path = any(name.startswith(TEMPORARY_SCHEMA) for name in view.path)
    temporary = statement.temporary or inner.temporary or by_path
    return replace(inner | _DEFINITIONS, temporary=temporary)


def _is_only_temporary(statement: Statement) -> bool:
    """A permanent table may mention a temporary one; these words leave no such doubt."""
    if statement.verb == "SELECT INTO":
        return statement.temporary and len(statement.targets) == 1
    return statement.verb.startswith("CREATE TEMPORARY ")


_Handler = Callable[[Statement, View, "Snapshot | None"], Effects]
_HANDLERS: Final[dict[Kind, _Handler]] = {
    Kind.SELECT: _on_select,
    Kind.WRITE: _on_write,
    Kind.COPY_OUT: _on_copy_out,
    Kind.DECLARE: _on_inner,
    Kind.EXPLAIN: _on_explain,
    Kind.CALL: _on_code,
    Kind.DO: _on_code,
    Kind.LOCK: _on_lock,
    Kind.COMMIT_PREPARED: _on_commit_prepared,
    Kind.REFRESH: _on_refresh,
    Kind.MAINTENANCE: _on_maintenance,
    Kind.DDL: _on_definition,
}

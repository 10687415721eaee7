"""What a statement that ran to its end changes in the session's state.

Called once a statement, in the order of execution (T-18). Lasting effects of a transaction that
fails later are undone by the settings' own transaction map (S-04).
"""

from __future__ import annotations

from collections.abc import Callable

from pgcache.policy.effects import Effects
from pgcache.proxy import naming
from pgcache.proxy.prepared import Prepared
from pgcache.proxy.state import State
from pgcache.proxy.turns import Turn
from pgcache.sql.model import Kind, Statement


def apply_statement(
    state: State, statement: Statement, effects: Effects, turn: Turn, *, rolled_back: bool
) -> None:
    """Apply what ``statement`` did. ``rolled_back``: its command tag was ROLLBACK."""
    handler = _HANDLERS.get(statement.kind)
    if handler is not None:
        handler(state, statement, turn, rolled_back)
    apply_effects(state, statement, effects)


def apply_effects(state: State, statement: Statement, effects: Effects) -> None:
    """Apply what ``statement`` may have done on its way, also where it has not ended (W-51)."""
    if effects.schema:
        state.redefined = True
    if effects.taints:
        _fetch(state)  # a function can fetch from a portal as well
        if state.settings is not None:
            state.settings.taint(statement.verb)
    if effects.temporary and state.settings is not None:
        state.settings.note_temporary(statement.name if statement.kind is Kind.DDL else "")


def _open(state: State) -> None:
    """Also an implicit transaction can be undone: by an error later in the same group."""
    if state.settings is not None and not state.settings.in_transaction:
        state.settings.begin()


def _begin(state: State, statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    _open(state)
    _set(state, statement, _turn, _rolled_back)


def _commit(state: State, statement: Statement, turn: Turn, rolled_back: bool) -> None:
    settings = state.settings
    if settings is not None:
        if rolled_back:
            settings.rollback(chain=statement.chain)
        else:
            settings.commit(chain=statement.chain)
    _close_portals(state)
    state.savepoints.clear()
    state.has_read = state.redefined = False


def _rollback(state: State, statement: Statement, turn: Turn, _rolled_back: bool) -> None:
    _commit(state, statement, turn, True)


def _prepare_transaction(state: State, statement: Statement, turn: Turn, rolled_back: bool) -> None:
    if not rolled_back:
        turn.gid = statement.name
    _commit(state, statement, turn, rolled_back)


def _savepoint(state: State, statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    state.savepoints.append(statement.name)
    _open(state)
    if state.settings is not None:
        state.settings.savepoint(statement.name)


def _release(state: State, statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    depth = _depth(state, statement.name)
    if depth is not None:
        del state.savepoints[depth:]
        for portal in state.portals.values():
            portal.level, portal.made = min(portal.level, depth), min(portal.made, depth)
    if state.settings is not None:
        state.settings.release(statement.name)


def _rollback_to(state: State, statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    depth = _depth(state, statement.name)
    if depth is not None:
        del state.savepoints[depth + 1 :]
        # Portals made after the savepoint are gone (virtual ones as well).
        for name in [n for n, portal in state.portals.items() if portal.level > depth]:
            del state.portals[name]
        for portal in state.portals.values():
            if portal.made > depth:  # at the origin it is gone, though it is older
                portal.entry, portal.spare, portal.made = portal.spare, None, 0
    if state.settings is not None:
        state.settings.rollback_to(statement.name)


def _depth(state: State, name: str) -> int | None:
    for index in range(len(state.savepoints) - 1, -1, -1):
        if state.savepoints[index] == name:
            return index
    return None


def _set(state: State, statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    _open(state)
    if state.settings is not None:
        for change in statement.settings:
            state.settings.apply(change)


def _discard(state: State, statement: Statement, turn: Turn, _rolled_back: bool) -> None:
    if statement.name.upper() == "ALL":
        naming.deallocate(state, turn, None)
        _close_portals(state)
        if state.settings is not None:
            state.settings.discard_all()
        state.unnamed_at_origin = False
    elif statement.name.upper() in ("TEMP", "TEMPORARY") and state.settings is not None:
        state.settings.discard_temporary()


def _prepare(state: State, statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    """SQL's PREPARE shares its names with the protocol's; such a statement is only forwarded."""
    name = state.raw(statement.name)
    script = state.engine.script(b"", True, "utf-8")
    prepared = Prepared(name, b"", script, trusted=False)
    prepared.at_origin = True
    prepared.inner = statement.inner
    state.statements[name] = prepared


def _deallocate(state: State, statement: Statement, turn: Turn, _rolled_back: bool) -> None:
    naming.deallocate(state, turn, state.raw(statement.name) if statement.name else None)


def _close(state: State, statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    if statement.name:
        state.portals.pop(state.raw(statement.name), None)
    else:
        _close_portals(state)


def _fetched(state: State, _statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    _fetch(state)


def _fetch(state: State) -> None:
    """Rows may have come of portals that were made real: they are not played here again."""
    for portal in state.portals.values():
        portal.spare = None


def _declare(state: State, statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    """The origin knew of no portal of that name: now that is the cursor's."""
    state.portals.pop(state.raw(statement.name), None)


def _close_portals(state: State) -> None:
    state.portals.clear()


def _definitions(state: State, statement: Statement, _turn: Turn, _rolled_back: bool) -> None:
    """Temporary relations may be gone or come: let the next query find out."""
    if statement.kind is Kind.DDL and (statement.temporary or statement.verb == "CREATE INDEX"):
        return
    if state.settings is not None and state.settings.temporary:
        state.settings.taint("temporary relations may be gone")


_HANDLERS: dict[Kind, Callable[[State, Statement, Turn, bool], None]] = {
    Kind.BEGIN: _begin,
    Kind.COMMIT: _commit,
    Kind.ROLLBACK: _rollback,
    Kind.PREPARE_TRANSACTION: _prepare_transaction,
    Kind.SAVEPOINT: _savepoint,
    Kind.RELEASE: _release,
    Kind.ROLLBACK_TO: _rollback_to,
    Kind.SET: _set,
    Kind.RESET: _set,
    Kind.DISCARD: _discard,
    Kind.PREPARE: _prepare,
    Kind.DEALLOCATE: _deallocate,
    Kind.DECLARE: _declare,
    Kind.FETCH: _fetched,
    Kind.CLOSE: _close,
    Kind.DDL: _definitions,
    Kind.DO: _definitions,
    Kind.CALL: _definitions,
    Kind.UNKNOWN: _definitions,
}

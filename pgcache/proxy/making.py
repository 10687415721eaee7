"""Making real at the origin what only pgcache knows: statements and portals (W-58, W-59).

A portal that has given a row from its entry gives all of them from there: the rest, read at the
origin, would be of another snapshot. It is made real only before its first row, where SQL is about
to fetch from it in a way that ``cursors`` has no answer to. What the origin is to refuse or to
describe on a portal's account takes no rows: for that the portal is *shown*, bound in front of the
message and closed right behind it.

Counterpart: ``forward`` asks, and sends. Must not know: sockets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pgcache.proxy import naming
from pgcache.proxy.cursors import goes_back
from pgcache.proxy.own import is_own
from pgcache.proxy.prepared import Portal, Prepared
from pgcache.proxy.state import State
from pgcache.sql.model import Kind, Script, Statement
from pgcache.wire import codes, ledger
from pgcache.wire.messages import build, build_execute, build_parse

_CLOSE_UNNAMED = build(codes.CLOSE, b"S\0")
_CLOSE_UNNAMED_PORTAL = build(codes.CLOSE, b"P\0")

_OWN = b"pgcache's own"  # a statement that never stays
_SETS = frozenset((Kind.SET, Kind.RESET, Kind.BEGIN))
_MODES = frozenset(
    f"transaction_{what}" for what in ("isolation", "read_only", "deferrable", "snapshot")
)

Pieces = list[bytes]


def make_statement(state: State, name: bytes, prepared: Prepared | None, pieces: Pieces) -> None:
    """Make the origin's statement what the client believes it is."""
    if prepared is None:
        if not name and state.unnamed_at_origin:
            # A locally answered Query or Close dropped it: the origin must say so itself.
            state.ledger.push(ledger.CLOSE, naming.UNNAMED_STATEMENT, internal=True)
            pieces.append(_CLOSE_UNNAMED)
            state.unnamed_at_origin = False
    elif prepared.is_virtual:
        state.ledger.push(ledger.PARSE, prepared, internal=True)
        pieces.append(prepared.message)
        prepared.is_virtual = False


def take_snapshot(state: State, statements: Sequence[Statement], pieces: Pieces) -> None:
    """Have the origin's transaction read, where the client's has, before its modes are set.

    It then says itself that it is too late for that (25001). To parse a SELECT is enough: its
    analysis takes the transaction's first snapshot. Behind what may have begun another one there
    is nothing to be done.
    """
    group = state.group
    if not state.has_read or state.is_failed or len(state.groups) > (group is not None):
        return
    if group is not None and group.shifts:
        return
    if any(s.kind in _SETS and any(c.name in _MODES for c in s.settings) for s in statements):
        state.has_read = False
        state.ledger.push(ledger.PARSE, None, internal=True)
        state.ledger.push(ledger.CLOSE, None, internal=True)
        pieces.append(build_parse(_OWN, b"SELECT 1", ()))
        pieces.append(build(codes.CLOSE, b"S" + _OWN + b"\0"))


def clear_way(state: State, name: bytes, portal: Portal | None, pieces: Pieces) -> None:
    """Have the origin answer for a portal as the client knows it.

    It has another unnamed one, maybe, which is closed. And where the transaction has failed it has
    to say so of a portal that is only here: it looks for that first, and would find none.
    """
    if not name and state.stale_portal:
        state.stale_portal = False
        if portal is None or portal.entry is not None:
            state.ledger.push(ledger.CLOSE, naming.UNNAMED_PORTAL, internal=True)
            pieces.append(_CLOSE_UNNAMED_PORTAL)
    if state.is_failed and portal is not None and portal.is_here:
        state.ledger.push(ledger.PARSE, None, internal=True)
        pieces.append(build_parse(_OWN, b"SELECT 1", ()))


def show(state: State, portal: Portal | None, pieces: Pieces) -> list[bytes]:
    """Bind a portal at the origin for the next message alone; returns what ``hide`` is to hide.

    It goes on being played from its entry. Where its statement could mean something else by now,
    or nothing, it is not shown.
    """
    if portal is None or portal.entry is None or portal.prepared is None or state.redefined:
        return []
    settings, parsed = state.settings, portal.prepared.fingerprint
    if settings is None or not settings.known or settings.fingerprint != parsed:
        return []
    return [portal.name] if _bind(state, portal, None, pieces) else []


def hide(state: State, names: Iterable[bytes]) -> Pieces:
    """Close again what was shown; to be called when the message's own reply is owed.

    Where that fails, the transaction has, and takes the portal along.
    """
    pieces = []
    for name in names:
        state.ledger.push(ledger.CLOSE, None, internal=True)
        pieces.append(build(codes.CLOSE, b"P" + name + b"\0"))
    return pieces


def make_fetched(state: State, statements: Sequence[Statement], pieces: Pieces) -> None:
    """Make real the portals that SQL is about to fetch from, if no row of theirs was given yet.

    Nor may the session have changed since what they read. Of others the origin knows nothing: an
    error, where rows could be of another snapshot.
    """
    if state.is_failed or not state.portals:
        return
    for statement in statements:
        if statement.kind is Kind.FETCH:
            portal = state.portals.get(state.raw(statement.name))
            if portal is None or portal.entry is None or not portal.name:
                continue
            if portal.position or portal.changes != state.changes:
                continue
            if _bind(state, portal, portal, pieces):
                portal.spare, portal.entry = portal.entry, None
                portal.made = len(state.savepoints)


def make_named(state: State, script: Script | None, pieces: Pieces) -> list[bytes]:
    """Make real, or show, what SQL is about to name or may not change; returns what to hide.

    Every portal is a cursor to SQL (W-73). In a failed transaction the origin refuses the
    statement, whatever it names.
    """
    if script is None or state.is_failed:
        return []
    for statement in script.statements:
        named = state.raw(statement.name) if statement.kind is Kind.DEALLOCATE else b""
        prepared = state.statements.get(named) if named else None
        if prepared is not None and prepared.is_virtual:
            # One of pgcache's own, which only has to be there to be dropped.
            state.ledger.push(ledger.PARSE, prepared, internal=True)
            pieces.append(build(codes.PARSE, named + b"\0\0\0\0"))
            prepared.is_virtual = False
    if not state.portals:
        return []
    make_fetched(state, script.statements, pieces)
    return _show_named(state, script, pieces)


def _show_named(state: State, script: Script, pieces: Pieces) -> list[bytes]:
    wanted: set[bytes] = set()
    backward = goes_back(state, script)
    for statement in script.statements:
        kind = statement.kind
        if naming.wants_alone(statement):
            wanted |= {name for name in state.portals if name}
        elif kind is Kind.CLOSE or kind is Kind.DECLARE or (kind is Kind.FETCH and backward):
            wanted |= {state.raw(statement.name)} - {b""}
        else:
            return []  # it could fetch from what it is not to see
    shown: list[bytes] = []
    for name in wanted:
        shown += show(state, state.portals.get(name), pieces)
    if backward and shown:  # it is refused if it stands on a row, whatever that holds
        state.ledger.push(ledger.EXECUTE, None, internal=True)
        pieces.append(build_execute(shown[0], 1))
    return shown


def _bind(state: State, portal: Portal, item: Portal | None, pieces: Pieces) -> bool:
    """Bind a virtual portal at the origin; False if its statement is not, or another, there."""
    prepared = portal.prepared
    if prepared is None or not portal.message or is_own(prepared.script):
        return False
    current = state.statements.get(prepared.name)
    if current is not prepared:
        if prepared.name:
            return False
        # Its unnamed statement was replaced since: lend the name and give it back late.
        prepared.is_virtual = True
        if current is not None:
            current.is_virtual = True
    make_statement(state, prepared.name, prepared, pieces)
    state.ledger.push(ledger.BIND, item, internal=True)
    pieces.append(portal.message)
    return True

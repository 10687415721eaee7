"""Which statement a name means when what is forwarded now will run.

Names of statements and portals are entered as the client sends them, ahead of the origin's
answers, and an error on the way leaves an older meaning in force. So each keeps what it replaced
until the origin agrees, and where the older one could be run instead, anything may run: a write
taken for a read would leave old results alive (T-04, T-18, W-63).

Counterpart: ``forward`` asks, ``hearing`` brings the origin's answers. Must not know: bytes.
"""

from __future__ import annotations

from typing import Any

from pgcache.proxy.prepared import Portal, Prepared
from pgcache.proxy.state import State
from pgcache.proxy.turns import Turn
from pgcache.sql.model import Kind, Script, Statement
from pgcache.wire.messages import Parse, Target

Statements = tuple[Statement, ...]

# What pgcache itself closes, because the client believes it gone.
UNNAMED_STATEMENT = Target(True, b"")
UNNAMED_PORTAL = Target(False, b"")
UNKNOWN: Statements = (Statement(Kind.UNKNOWN),)
# What may prepare or drop statements by SQL; known only once it has run.
RENAMES = frozenset((Kind.PREPARE, Kind.DEALLOCATE, Kind.DISCARD, Kind.DO, Kind.CALL, Kind.UNKNOWN))
CURSORS = frozenset((Kind.FETCH, Kind.CLOSE, Kind.DECLARE))
# What PostgreSQL refuses on a table that an open portal of the same session reads (55006).
_ALONE = frozenset((Kind.DDL, Kind.MAINTENANCE, Kind.REFRESH))
# What SQL's PREPARE takes; by the protocol also a COMMIT can be prepared.
_PLAIN = frozenset((Kind.SELECT, Kind.WRITE))


def make_prepared(
    state: State, parsed: Parse, raw: bytes, script: Script | None = None
) -> Prepared:
    """The statement that a Parse makes, with the context it is parsed in (W-56).

    Where earlier messages are unanswered, that context is not known yet. ``script``: the analysis
    of its text in this context, where it is at hand.
    """
    settings, database = state.settings, state.database
    if script is None:
        script = state.engine.script(parsed.text, state.standard_strings, state.encoding)
    known = (
        settings is not None
        and settings.known
        and database is not None
        and len(state.groups) <= 1
        and (state.group is None or state.group.reads_only)
    )
    return Prepared(
        parsed.name,
        parsed.text,
        script,
        types=parsed.types,
        message=raw,
        fingerprint=settings.fingerprint if known and settings is not None else b"",
        epoch=database.epoch if known and database is not None else -1,
        temp_epoch=settings.temporary_epoch if known and settings is not None else -1,
    )


def add_statement(state: State, turn: Turn, prepared: Prepared) -> None:
    """Parse is about to be sent. A name in use is an error (42P05) that leaves the old one."""
    name = prepared.name
    prepared.previous = state.statements.get(name) or state.closed_statements.get(name)
    prepared.turn = turn
    state.statements[name] = prepared


def add_portal(state: State, turn: Turn, portal: Portal) -> None:
    """Bind is about to be sent. A name in use is an error (42P03) that leaves the old one."""
    name, prepared = portal.name, portal.prepared
    portal.previous = state.portals.get(name) or state.closed_portals.get(name)
    portal.turn = turn
    if prepared is not None:
        renamed = bool(prepared.name) and any(group.renames for group in state.groups)
        portal.doubtful = renamed or _may_be_older(prepared, turn)
    state.portals[name] = portal


def runs(portal: Portal | None, turn: Turn) -> Statements:
    """What an Execute of ``portal`` in the group ``turn`` runs."""
    if portal is None or portal.prepared is None:
        return UNKNOWN
    if portal.doubtful or _may_be_older(portal, turn):
        return UNKNOWN
    return _runs_of(portal.prepared)


def executed(state: State, statement: Statement) -> Statements:
    """What SQL's EXECUTE runs."""
    prepared = state.statements.get(state.raw(statement.name))
    if prepared is None or any(group.renames for group in state.groups):
        return UNKNOWN
    if prepared.turn is not None and prepared.previous is not None:
        return UNKNOWN
    found = _runs_of(prepared)
    return found if all(inner.kind in _PLAIN for inner in found) else UNKNOWN


def fetched(state: State) -> Statements:
    """What FETCH or MOVE may run: a portal's statement begins when first fetched from (W-73)."""
    found: list[Statement] = []
    for portals in (state.portals, state.closed_portals):
        for name, portal in portals.items():
            if name:
                prepared = None if portal.doubtful or portal.previous else portal.prepared
                found += UNKNOWN if prepared is None else _runs_of(prepared)
    return tuple([statement for statement in found if statement.kind is not Kind.FETCH])


def wants_alone(statement: Statement) -> bool:
    """Whether it may be refused on account of a portal that is open."""
    return statement.kind in _ALONE or statement.verb == "TRUNCATE"


def _may_be_older(item: Prepared | Portal, turn: Turn) -> bool:
    """Whether the name may still have its older meaning: within one group an error ends both."""
    return item.turn is not None and item.turn is not turn and item.previous is not None


def _runs_of(prepared: Prepared) -> Statements:
    if prepared.trusted:
        return prepared.script.statements
    return UNKNOWN if prepared.inner is None else (prepared.inner,)


# -- Close


def close(state: State, target: Target) -> Prepared | Portal | None:
    """Close is about to be sent; what it names stays at hand until the origin agrees."""
    if target.is_statement:
        prepared = state.statements.pop(target.name, None)
        if prepared is not None:
            state.closed_statements[target.name] = prepared
        return prepared
    portal = state.portals.pop(target.name, None)
    if portal is not None:
        state.closed_portals[target.name] = portal
    return portal


def closed(state: State, item: Any) -> None:
    """The origin agrees: nothing that replaced it can fall back to it."""
    named: dict[bytes, Any]
    if isinstance(item, Prepared):
        named = state.statements
        _forget_closed(state.closed_statements, item)
    elif isinstance(item, Portal):
        named = state.portals
        _forget_closed(state.closed_portals, item)
    else:
        return
    successor = named.get(item.name)
    if successor is not None and successor.previous is item:
        successor.previous = None


def not_closed(state: State, item: Any) -> None:
    """The origin ignored the Close."""
    if isinstance(item, Prepared):
        _forget_closed(state.closed_statements, item)
        state.statements.setdefault(item.name, item)
    elif isinstance(item, Portal):
        _forget_closed(state.closed_portals, item)
        state.portals.setdefault(item.name, item)
    elif item is UNNAMED_STATEMENT:
        state.unnamed_at_origin = True
    elif item is UNNAMED_PORTAL:
        state.stale_portal = True


def _forget_closed(closing: dict[bytes, Any], item: Prepared | Portal) -> None:
    if closing.get(item.name) is item:
        del closing[item.name]


# -- what came to nothing


def drop_statement(state: State, item: Prepared) -> None:
    """Its Parse failed or was ignored: the name means what it meant before."""
    if not item.at_origin:
        _drop(state.statements, item)


def keep_unnamed(state: State, item: Prepared | None, at_origin: bool) -> None:
    """The Query that would have dropped it was ignored."""
    if item is not None and (item.at_origin or item.is_virtual):
        state.statements.setdefault(b"", item)
    state.unnamed_at_origin = state.unnamed_at_origin or at_origin


def drop_portal(state: State, item: Portal) -> None:
    """Its Bind failed or was ignored, or its Execute was."""
    if item.entry is None:
        _drop(state.portals, item)


def _drop(named: dict[bytes, Any], item: Prepared | Portal) -> None:
    """Take ``item`` out, also where others have replaced it since and would fall back to it."""
    current = named.get(item.name)
    if current is item:
        del named[item.name]
        if item.previous is not None:
            named[item.name] = item.previous
        return
    while current is not None:
        if current.previous is item:
            current.previous = item.previous
            return
        current = current.previous


# -- SQL


def deallocate(state: State, turn: object, name: bytes | None) -> None:
    """DEALLOCATE or DISCARD ALL ran in ``turn``; None: all of them.

    A Parse on its way behind it is not meant, nor is the unnamed statement.
    """
    statements = state.statements
    for key in [name] if name is not None else [key for key in statements if key]:
        prepared = statements.get(key)
        if prepared is None:
            continue
        if prepared.turn is None or prepared.turn is turn:
            del statements[key]
        elif prepared.previous is not None and prepared.previous.turn is None:
            prepared.previous = None

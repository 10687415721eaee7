"""SQL's FETCH, MOVE and CLOSE of a portal that only pgcache knows: answered from its entry.

To SQL a portal is a cursor (W-73). Made real, its further rows would be of another snapshot than
those that the client has had (W-59); so it is played on here, in both protocols. What goes
backwards PostgreSQL refuses, and says so itself; what asks for values in another format than they
were recorded in, or stands among other statements, finds such a portal only before its first row
(``making``).

Counterpart: ``serve`` plays back the protocol's Execute. Must not know: sockets.
"""

from __future__ import annotations

import re

from pgcache.cache.entry import Entry
from pgcache.proxy.prepared import Portal, Step
from pgcache.proxy.state import State
from pgcache.sql.keywords import RESERVED, TYPE_OR_FUNCTION_NAMES
from pgcache.sql.model import Kind, Script
from pgcache.wire import codes
from pgcache.wire.messages import build_command_complete

_NAME = rb'(?P<name>[a-z_][a-z0-9_]*|"(?:[^"]|"")+")'
# Of the normalised text. No direction: one row; FORWARD n and n are the same.
_FORWARD = re.compile(
    rb"(fetch|move)(?: (?:next|forward|(?:forward )?(?P<count>\d{1,9}|all)))?(?: (?:from|in))? "
    + _NAME
)
_CLOSE = re.compile(rb"close " + _NAME)
# What has to step back at least once, wherever it stands; and what has to if it stands on a row.
_BACKWARD = re.compile(
    rb"(?:fetch|move) (?:prior|last|backward(?: (?:[1-9]\d{0,8}|all))?"
    rb"|(?:(?:absolute|relative|forward) ?)?- ?[1-9]\d{0,8})(?: (?:from|in))? " + _NAME
)
_AGAIN = re.compile(rb"fetch (?:(?:relative|forward|backward) )?0(?: (?:from|in))? " + _NAME)
_TAGS = {b"fetch": "FETCH {}", b"close": "CLOSE CURSOR"}
_NO_NAMES = RESERVED | TYPE_OR_FUNCTION_NAMES
_LONGEST_NAME = 63  # PostgreSQL cuts longer ones in SQL, and not in the protocol


Pieces = list[bytes | memoryview]


def read_step(state: State, script: Script) -> Step | None:
    """The step that a text is, if it is one of a portal that is played here."""
    if len(script.statements) != 1 or not state.portals:
        return None
    (statement,) = script.statements
    if statement.kind is Kind.CLOSE:
        found = _CLOSE.fullmatch(script.key_text)
    elif statement.kind is Kind.FETCH:
        found = _FORWARD.fullmatch(script.key_text)
    else:
        return None
    if found is None or found["name"].decode("latin-1") in _NO_NAMES:
        return None
    name = state.raw(statement.name)
    portal = state.portals.get(name)
    if not name or len(name) > _LONGEST_NAME or portal is None or portal.entry is None:
        return None
    if statement.kind is Kind.CLOSE:
        return Step(name, b"close", 0)
    count = None if found["count"] == b"all" else int(found["count"] or 1)
    # No rows means the row it stands on, which would be a step back.
    return None if count == 0 or not portal.entry.complete else Step(name, found[1], count)


def goes_back(state: State, script: Script) -> bool:
    """Whether a text is a FETCH that PostgreSQL refuses of a portal that is played here."""
    found = _BACKWARD.fullmatch(script.key_text) or _AGAIN.fullmatch(script.key_text)
    if found is None or found["name"].decode("latin-1") in _NO_NAMES:
        return False
    portal = state.portals.get(state.raw(script.statements[0].name))
    if portal is None or portal.entry is None:
        return False
    # At its end it may stand on the last row, or behind that.
    return found.re is _BACKWARD or 0 < portal.position < portal.entry.row_count


def answer(state: State, text: bytes, script: Script) -> Pieces:
    """What a Query gets that does nothing but use such portals; moves them. Else nothing.

    To be asked only where nothing is underway and the transaction has not failed.
    """
    if state.status != codes.IN_TRANSACTION or not state.portals:
        return []
    portals: dict[bytes, Portal | None] = {}
    pieces: Pieces = []
    several = len(script.statements) > 1
    for statement in script.statements:
        if several:
            part = text[statement.start : statement.end]
            script = state.engine.script(part, state.standard_strings, state.encoding)
        step = read_step(state, script)
        if step is None:
            return []
        portal = portals[step.name] if step.name in portals else state.portals[step.name].copy()
        told = None if portal is None else _take(portal, step)
        if told is None:
            return []
        portals[step.name] = None if step.verb == b"close" else portal
        pieces += told
    for name, portal in portals.items():
        state.put_portal(name, portal)
    return pieces


def _take(portal: Portal, step: Step) -> Pieces | None:
    """What a step says in the simple protocol, which describes rows whether asked to or not."""
    if step.verb == b"close":
        return [build_command_complete("CLOSE CURSOR")]
    if step.verb == b"move":
        return [build_command_complete(f"MOVE {_advance(portal, step)[1]}")]
    description = describe(portal)
    if description is None:
        return None
    start, count = _advance(portal, step)
    assert portal.entry is not None
    rows = portal.entry.row_slice(start, count)
    return [description, rows, build_command_complete(f"FETCH {count}")]


def describe(portal: Portal) -> bytes | None:
    """The RowDescription of a FETCH from ``portal``, of values as text; None: not known here."""
    entry, prepared = portal.entry, portal.prepared
    if entry is None or portal.bind is None or any(portal.bind.result_formats):
        return None
    # Of a statement it is the same (W-55).
    told = None if prepared is None else prepared.row_description
    return entry.row_description or told or None


def _advance(portal: Portal, step: Step) -> tuple[int, int]:
    """Move; the first row and how many."""
    entry, start = portal.entry, portal.position
    assert entry is not None
    left = entry.row_count - start
    count = left if step.rows is None else min(step.rows, left)
    portal.position += count
    return start, count


def run(source: Portal, step: Step, into: Portal) -> None:
    """Run a step in the extended protocol: ``into``, its own portal, then holds what it gave."""
    start, count = _advance(source, step) if step.verb != b"close" else (0, 0)
    assert source.entry is not None
    gives = step.verb == b"fetch"
    into.entry = Entry(
        b"",
        row_description=describe(source) if gives else None,
        rows=bytes(source.entry.row_slice(start, count)) if gives else b"",
        row_count=count if gives else 0,
        tags=(),
        vector=(),
        stored_at=0.0,
        expires_at=0.0,
    )
    into.position = 0
    into.step = None
    into.tag = _TAGS.get(step.verb) or f"MOVE {count}"

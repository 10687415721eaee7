"""SQL's FETCH, MOVE and CLOSE of a portal that only pgcache knows: answered from its entry.

To SQL a portal is a cursor (W-73). Made real, its further rows would be of another snapshot than
those that the client has had, or it could not be made at all (W-59); so it is played on here.
What goes backwards, or asks for values in another format than they were recorded in, is left to
the origin: ``forward`` makes the portal real for it, where that gives the same.

Counterpart: ``serve`` plays back the protocol's Execute. Must not know: sockets.
"""

from __future__ import annotations

import re

from pgcache.proxy.prepared import Portal
from pgcache.proxy.state import State
from pgcache.sql.keywords import RESERVED, TYPE_OR_FUNCTION_NAMES
from pgcache.sql.model import Kind, Script
from pgcache.wire import codes
from pgcache.wire.messages import build_command_complete

# Of the normalised text. No direction: one row; FORWARD n and n are the same.
_FORWARD = re.compile(
    rb"(fetch|move)(?: (?:next|forward|(?:forward )?(?P<count>\d{1,9}|all)))?(?: (?:from|in))?"
    rb' (?P<name>[a-z_][a-z0-9_]*|"(?:[^"]|"")+")'
)
_CLOSE = re.compile(rb'close (?P<name>[a-z_][a-z0-9_]*|"(?:[^"]|"")+")')
_NO_NAMES = RESERVED | TYPE_OR_FUNCTION_NAMES
_LONGEST_NAME = 63  # PostgreSQL cuts longer ones in SQL, and not in the protocol


Pieces = list[bytes | memoryview]


def answer(state: State, script: Script) -> Pieces:
    """What a Query gets that does nothing but use such a portal; moves it. Else nothing.

    To be asked only where nothing is underway and the transaction has not failed.
    """
    if state.status != codes.IN_TRANSACTION or len(script.statements) != 1 or not state.portals:
        return []
    (statement,) = script.statements
    name = state.raw(statement.name)
    portal = state.portals.get(name)
    if not name or len(name) > _LONGEST_NAME or portal is None or portal.entry is None:
        return []
    if statement.kind is Kind.CLOSE:
        if not _names(_CLOSE.fullmatch(script.key_text)):
            return []
        state.put_portal(name, None)
        return [build_command_complete("CLOSE CURSOR")]
    if statement.kind is not Kind.FETCH:
        return []
    found = _FORWARD.fullmatch(script.key_text)
    if found is None or not _names(found):
        return []
    count = found["count"]
    wanted = None if count == b"all" else int(count or 1)
    return [] if wanted == 0 else _page(portal, wanted, moves=found[1] == b"move")


def _names(found: re.Match[bytes] | None) -> bool:
    """Whether the last word is one that SQL takes for a cursor's name."""
    return found is not None and found["name"].decode("latin-1") not in _NO_NAMES


def _page(portal: Portal, wanted: int | None, *, moves: bool) -> Pieces:
    entry = portal.entry
    assert entry is not None
    if not entry.complete:
        return []
    left = entry.row_count - portal.position
    count = left if wanted is None else min(wanted, left)
    if moves:
        portal.position += count
        return [build_command_complete(f"MOVE {count}")]
    # Described or not, the client gets a description now; of a statement it is the same (W-55).
    told = None if portal.prepared is None else portal.prepared.row_description
    description = entry.row_description or told
    if not description or portal.bind is None or any(portal.bind.result_formats):
        return []
    rows = entry.row_slice(portal.position, count)
    portal.position += count
    return [description, rows, build_command_complete(f"FETCH {count}")]

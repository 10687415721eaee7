"""What the origin's replies change in a session: the listener of ``wire.replies``.

Counterpart: ``forward``, which put the entries into the ledger. State effects follow execution,
not arrival (T-18), and transactions end by ReadyForQuery only (T-07).
"""

from __future__ import annotations

from typing import Any

from pgcache.errors.reasons import Reason
from pgcache.invalidation.writes import NOTHING_AT_ALL
from pgcache.proxy import naming
from pgcache.proxy.accounts import verdict_notice
from pgcache.proxy.capture import Capture
from pgcache.proxy.filling import Filler
from pgcache.proxy.outcomes import apply_effects, apply_statement
from pgcache.proxy.prepared import Portal, Prepared
from pgcache.proxy.probing import Probing
from pgcache.proxy.state import State
from pgcache.proxy.turns import Execution, Turn
from pgcache.wire import codes
from pgcache.wire.ledger import BIND, CLOSE, DESCRIBE, EXECUTE, PARSE, QUERY, Owed
from pgcache.wire.messages import error_code, is_fatal

_ROLLBACK = b"ROLLBACK\0"
_NO_PORTAL = b"\0Rexec_execute_message\0"
_BEFORE_RUNNING = frozenset((PARSE, BIND, DESCRIBE, CLOSE))


class Hearing:
    """Listens to one origin connection on behalf of a session."""

    __slots__ = ("_filler", "_state")

    def __init__(self, state: State, filler: Filler) -> None:
        self._state = state
        self._filler = filler

    def on_done(self, code: int, item: Any) -> None:
        """A Parse, Bind or Close succeeded."""
        if code == PARSE and isinstance(item, Prepared):
            item.at_origin = True
            item.previous = item.turn = None
            if not item.name:
                self._state.unnamed_at_origin = True
        elif code == BIND and isinstance(item, Portal):
            item.previous = item.turn = None
            if item.made == item.level:
                item.spare = None  # no savepoint takes it away while the client has it
        elif code == CLOSE:
            naming.closed(self._state, item)

    def on_description(self, item: Any, message: bytes) -> None:
        """Keep what the client was told of a statement or portal (W-55)."""
        kind = message[0]
        if isinstance(item, Execution):
            capture = item.capture
            if capture is not None and kind == codes.ROW_DESCRIPTION:
                if capture.row_description is not None:
                    capture.fail(Reason.UNCACHEABLE_REPLY)
                capture.row_description = message
        elif isinstance(item, Prepared):
            if kind == codes.PARAMETER_DESCRIPTION:
                item.parameter_description = message
            else:
                item.row_description = message if kind == codes.ROW_DESCRIPTION else b""
        elif isinstance(item, Portal):
            item.row_description = message if kind == codes.ROW_DESCRIPTION else b""
            if item.capture is not None and kind == codes.ROW_DESCRIPTION:
                item.capture.row_description = message

    def on_rows(self, item: Any, data: bytes, start: int, end: int) -> None:
        """Record rows, if somebody wants them. HOT PATH."""
        if item.__class__ is Execution and item.capture is not None:
            item.capture.rows(data, start, end)

    def on_row(self, item: Any, message: bytes) -> None:
        """A row of the answer to a question of pgcache's own."""
        if isinstance(item, Probing):
            item.row(message)

    def on_complete(self, item: Any, kind: int, message: bytes) -> None:
        """A statement ran, or a portal was suspended."""
        if isinstance(item, Execution):
            if item.portal is not None:
                item.portal.spare = None
            if item.capture is not None:
                now = self._state.engine.clock()
                item.capture.executed(kind, message, item.maximum, now)
            if kind == codes.PORTAL_SUSPENDED:
                # Drivers that want one row leave it at that: its functions have run (W-51).
                item.turn.executed += 1
                item.turn.rolled_back = item.turn.chained = False
                for statement, effects in zip(item.statements, item.effects, strict=True):
                    apply_effects(self._state, statement, effects)
            elif item.index < len(item.statements):
                index = item.index
                item.index += 1
                self._ran(item, index, message)

    def _ran(self, item: Execution, index: int, message: bytes) -> None:
        state, turn = self._state, item.turn
        if item.portal is not None and item.portal.prepared is not None:
            # The origin has checked the statement against its definitions of that moment.
            item.portal.prepared.epoch = item.epoch
        statement = item.statements[index]
        turn.executed += 1
        rolled_back = message.endswith(_ROLLBACK)
        # True only while it is the whole of the group: anything else in it may have committed.
        turn.rolled_back = rolled_back and turn.executed == 1
        turn.chained = statement.chain and turn.executed == 1
        apply_statement(state, statement, item.effects[index], turn, rolled_back=rolled_back)

    def on_error(self, entry: Owed | None, message: bytes) -> None:
        """Something failed: what was being recorded is worth nothing (W-67)."""
        state = self._state
        if entry is not None and isinstance(entry[1], Probing):
            entry[1].failed = True
            return
        state.is_ended = state.is_ended or is_fatal(message)
        if state.groups:
            turn = state.groups[0]
            turn.errored = True
            if isinstance(turn, Turn):
                _fail(turn.captures)
                # The origin will skip the rest: a Bind that failed has run nothing.
                if entry is not None and _names_no_portal(entry, message):
                    turn.only = entry[1].before
                elif entry is not None and entry[0] in _BEFORE_RUNNING and not turn.executed:
                    turn.only = NOTHING_AT_ALL
        if entry is not None:
            if isinstance(entry[1], Prepared) and entry[0] == PARSE and not entry[1].name:
                # The origin drops the old unnamed statement before it looks at the new one.
                entry[1].previous = None
                state.unnamed_at_origin = False
            self._forget(entry)

    def on_dropped(self, entries: list[Owed]) -> None:
        """The origin ignores these: statements and portals among them do not exist."""
        for entry in entries:
            self._forget(entry)
            item = entry[1]
            if isinstance(item, Execution) and entry[0] == QUERY:
                naming.keep_unnamed(self._state, *item.unnamed)
                item = item.turn
            if isinstance(item, Turn):
                self._filler.unready(item)

    def _forget(self, entry: Owed) -> None:
        state, item = self._state, entry[1]
        if entry[0] == CLOSE:
            naming.not_closed(state, item)
        elif isinstance(item, Prepared):
            if entry[2]:
                item.is_virtual = True  # the client has it; another time it may be made
            elif entry[0] == PARSE:
                naming.drop_statement(state, item)
        elif isinstance(item, Portal):
            if entry[2]:
                item.entry = item.spare  # not made there: it is only here, as before
            naming.drop_portal(state, item)
            if item.capture is not None:
                item.capture.fail(Reason.UNCACHEABLE_REPLY)
        elif isinstance(item, Execution) and item.capture is not None:
            item.capture.fail(Reason.UNCACHEABLE_REPLY)

    def on_ready(self, item: Any, status: int, internal: bool) -> bytes:
        """A group is over; returns what the client gets before ReadyForQuery."""
        if internal:
            if isinstance(item, Probing):
                item.finish()
            elif isinstance(item, Turn):
                self._filler.ready(item, status)  # the client's own Sync is still to come
            return b""
        turn = item.turn if isinstance(item, Execution) else item
        if isinstance(turn, Turn):
            self._filler.ready(turn, status)
            self._state.local = False
            return verdict_notice(self._state)
        self._state.status = status  # the ReadyForQuery that ends the login
        self._filler.logged_in()
        return b""

    def on_aside(self, item: Any, kind: int, message: bytes) -> bytes | None:
        """Notices, notifications, settings, keys, COPY."""
        state = self._state
        if kind == codes.PARAMETER_STATUS:
            state.on_setting(message)
        elif kind == codes.BACKEND_KEY_DATA:
            state.on_key(message)
        if kind != codes.NOTIFICATION_RESPONSE and state.groups:
            turn = state.groups[0]
            if isinstance(turn, Turn):
                _fail(turn.captures)
        if kind == codes.NOTICE_RESPONSE and isinstance(item, Prepared):
            # The parser's, of a name cut short for instance: an entry answers a Parse as well,
            # and could not repeat it (W-67).
            item.noticed = True
        return None


def _names_no_portal(entry: Owed, error: bytes) -> bool:
    """Whether an Execute failed because there is no such portal, so that it has run nothing.

    A function says the same of a cursor, but from another place, and may have run for long.
    """
    is_execution = entry[0] == EXECUTE and isinstance(entry[1], Execution)
    return is_execution and error_code(error) == "34000" and _NO_PORTAL in error


def _fail(captures: list[Capture]) -> None:
    for capture in captures:
        capture.fail(Reason.UNCACHEABLE_REPLY)

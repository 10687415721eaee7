"""Sending on without the slow lane: a statement that only reads, or begins or ends a transaction.

What is not looked up (caching is off for the session, the statement calls a volatile function, the
transaction has written) still goes through here a thousand times a second, and most tools put
BEGIN and COMMIT around all they ask. A statement whose effects were judged once, and found to be
none, is sent on at once, and so is the end of a transaction that has not written; nothing is
entered in the ledger. If its whole answer comes as one chunk, of the shape that is expected, that
is all. If anything else happens first, ``Session`` accounts for it as the slow lane would have done
before it was sent: nothing has changed since.

Counterparts: ``fast``, which opens it; ``forward``, which is the specification. HOT PATH, guarded
by ``make bench-quick``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from pgcache.errors.reasons import Reason, Refusal
from pgcache.policy.effects import NO_EFFECTS
from pgcache.proxy.accounts import tell_if_slow, tell_why
from pgcache.proxy.decide import refuse
from pgcache.proxy.forward import Forwarder
from pgcache.proxy.lane import Pass
from pgcache.proxy.naming import make_prepared
from pgcache.proxy.prepared import Portal, Prepared
from pgcache.proxy.runs import Run
from pgcache.proxy.state import State
from pgcache.sql.model import Kind, Script
from pgcache.wire import codes
from pgcache.wire.messages import EXECUTIONS, build_command_complete, parse_bind, parse_parse
from pgcache.wire.replies import is_whole_read

# Reasons not to look anything up that last until the origin is heard of again, or for good.
_LASTING: Final = frozenset(
    (
        Reason.DISABLED,
        Reason.WRITING_TRANSACTION,
        Reason.LOCKING_TRANSACTION,
        Reason.ISOLATION_LEVEL,
        Reason.TEMPORARY_TABLE,
    )
)
# Reasons of a text's own that may go away by themselves.
_PASSING: Final = frozenset((Reason.QUARANTINE, Reason.SESSION_FUNCTION))
_TAILS: Final = frozenset(EXECUTIONS.values())
_MAX_TEXT: Final = 16 * 1024
_MAX_NAMED: Final = 256
_TRANSACTIONS: Final = frozenset((Kind.BEGIN, Kind.COMMIT, Kind.ROLLBACK))
Known = tuple[Pass | None, Prepared | None]
_NOTHING: Final[Known] = (None, None)
_length_at: Final = struct.Struct(">I").unpack_from
_NAME: Final = 6  # where the statement's name begins in a Bind of the unnamed portal
_START: Final = {
    codes.QUERY: b"",
    codes.BIND: codes.MSG_BIND_COMPLETE,
    codes.PARSE: codes.MSG_PARSE_COMPLETE + codes.MSG_BIND_COMPLETE,
}

_TAGS: Final = {Kind.BEGIN: "BEGIN", Kind.COMMIT: "COMMIT", Kind.ROLLBACK: "ROLLBACK"}
# The whole answers to those, but for the acknowledgements before; by whether a portal is described.
_DONE: Final = {
    (described, kind): (codes.MSG_NO_DATA if described else b"")
    + build_command_complete(tag)
    + codes.MSG_READY[codes.IN_TRANSACTION if kind is Kind.BEGIN else codes.IDLE]
    for described in (False, True)
    for kind, tag in _TAGS.items()
}


class Express:
    """One session's use of it.

    ``underway``: what was sent on and is not answered yet; ``data``: its bytes.
    """

    __slots__ = (
        "_counters",
        "_epoch",
        "_named",
        "_passes",
        "_prepared",
        "_state",
        "data",
        "started",
        "underway",
    )

    def __init__(self, state: State) -> None:
        self._state = state
        self._counters = state.engine.counters
        self._passes: dict[bytes, Pass] = {}
        self._named: dict[bytes, Known] = {}  # by this session's names of statements
        self.underway: Pass | None = None
        self.data = b""
        self._prepared: Prepared | None = None  # the named statement that it executes
        self._epoch = -1  # of the definitions when it was sent
        self.started = 0.0  # when it was, in monotonic seconds

    def open(self, refusal: Refusal | None) -> bool:
        """Find what the session's context sends on. ``refusal``: nothing may be looked up.

        False where that may change without the session's own doing.
        """
        state = self._state
        settings, database = state.settings, state.database
        if settings is None or database is None:
            self._passes = state.engine.lanes.passes.of(None)
            return True
        if not settings.known or (refusal is not None and refusal.reason not in _LASTING):
            return False
        reason = None if refusal is None else refusal.reason
        told = (settings.fingerprint, settings.own_tables, state.rules)
        context = (database.name, *told, reason)
        self._passes = state.engine.lanes.passes.of(context)
        return True

    def doubt(self) -> None:
        """Statements may be others."""
        self._named.clear()

    # -- from the client

    def takes(self, data: bytes) -> bool:
        """Whether ``data`` is a whole turn that may go to the origin at once; it then does."""
        kind = data[0]
        if kind == codes.QUERY:
            known = self._passes.get(data)
            if known is None:
                return False
        elif kind == codes.BIND or kind == codes.PARSE:
            known = self._find(data, kind)
            if known is None:
                return False
        else:
            return False
        database = self._state.database
        if database is not None:
            if known.version != database.generations.version and not self._is_right(known):
                return False
            self._epoch = database.epoch
        if known.ends and not self._may_end(known, kind):
            return False
        self._counters.passes[known.refusal.reason] += 1
        self.started = self._state.engine.clock()
        self.underway = known
        self.data = data
        return True

    def _find(self, data: bytes, kind: int) -> Pass | None:
        """What is known of an execution of the unnamed portal."""
        begin = 0
        known = None
        if kind == codes.PARSE:
            begin = 1 + int.from_bytes(data[1:5], "big")
            known = self._passes.get(data[:begin])
            if known is None or data[begin : begin + 1] != b"B":
                return None
        name_at = begin + _NAME
        expected = b"\0\0" if kind == codes.PARSE else b"\0"
        if not data.startswith(expected, name_at - 1):
            return None
        # So the Bind's length is there.
        if data[begin + 1 + _length_at(data, begin + 1)[0] :] not in _TAILS:
            return None
        if kind == codes.PARSE:
            self._prepared = None
            return known
        name = data[name_at : data.find(0, name_at)]
        found = self._named.get(name)
        known, self._prepared = self._resolve(name) if found is None else found
        return known

    def _resolve(self, name: bytes) -> Known:
        """What is known of the statement that this session calls ``name``."""
        if len(self._named) >= _MAX_NAMED:
            self._named.clear()
        prepared = self._state.statements.get(name)
        known = None
        if (
            prepared is not None
            and name
            and prepared.at_origin
            and not prepared.is_virtual
            and prepared.trusted
            and prepared.turn is None
        ):
            known = self._judge(prepared.script)
            if known is not None and self._state.engine.config.log.why_not_cached == "once":
                tell_why(self._state, known.refusal, prepared.script)
        found = self._named[name] = (known, prepared) if known is not None else _NOTHING
        return found

    def _may_end(self, known: Pass, kind: int) -> bool:
        """Whether there is a transaction to begin or to end, and nothing that it has written."""
        state = self._state
        unnamed = state.statements.get(b"")
        if kind == codes.BIND and unnamed is not None and unnamed.is_virtual:
            return False  # it has to be made real first (W-56)
        if (known.kind is Kind.BEGIN) is not (state.status == codes.IDLE):
            return False
        writes = state.writes
        return not state.dirty and (writes is None or not (writes.pending or writes.pending_schema))

    # -- judging

    def learn(self, raw: bytes, script: Script) -> None:
        """The slow lane is about to send on ``raw``, a whole Query or unnamed Parse."""
        if len(raw) > _MAX_TEXT or raw in self._passes:
            return
        known = self._judge(script)
        if known is not None:
            self._state.engine.lanes.passes.remember(self._passes, raw, known)

    def _judge(self, script: Script) -> Pass | None:
        """What to remember of a statement, None where it may be looked up, or may do something."""
        state = self._state
        if len(script.statements) != 1:
            return None
        statement = script.statements[0]
        if statement.kind in _TRANSACTIONS:
            if statement.settings or statement.chain:
                return None
        elif statement.kind is not Kind.SELECT:
            return None
        if state.engine.config.log.why_not_cached not in ("off", "once"):
            return None  # the slow lane says why, each time
        refusal = refuse(state, script)
        if refusal is None or refusal.reason in _PASSING or not self._does_nothing(script):
            return None
        database = state.database
        return Pass(script, refusal, -1 if database is None else database.generations.version)

    def _is_right(self, known: Pass) -> bool:
        """Whether it still is what it was, though something has moved."""
        state = self._state
        refusal = refuse(state, known.script)
        if refusal is None or refusal.reason in _PASSING or not self._does_nothing(known.script):
            return False
        database = state.database
        known.refuse(refusal, -1 if database is None else database.generations.version)
        return True

    def _does_nothing(self, script: Script) -> bool:
        state = self._state
        database = state.database
        if database is None:
            return True
        return database.effects(script.statements[0], state.effects_view()) == NO_EFFECTS

    # -- from the origin

    def hears(self, data: bytes, known: Pass) -> bool:
        """Whether ``data`` is the whole answer to ``known``, underway; all is settled then."""
        state, sent = self._state, self.data
        kind = sent[0]
        if known.ends:
            status = codes.IN_TRANSACTION if known.kind is Kind.BEGIN else codes.IDLE
            described = kind != codes.QUERY and sent.endswith(EXECUTIONS[True])
            if data != _START[kind] + _DONE[described, known.kind]:
                return False
        else:
            status = state.status
            if not is_whole_read(data, _START[kind], codes.MSG_READY[status]):
                return False
        self.underway = None
        if kind == codes.QUERY:
            state.statements.pop(b"", None)
            state.unnamed_at_origin = False
        elif kind == codes.PARSE:
            self._prepared = self._leave_statement(known)
        if self._prepared is not None and kind != codes.QUERY:
            # The origin has checked the statement against its definitions of that moment.
            self._prepared.epoch = self._epoch
        if known.ends:
            self._end(known.kind, status)
        if status != codes.IDLE:
            self._leave_portal()
        now = state.engine.clock()
        took = now - self.started
        self._counters.forward_seconds.observe(took)
        database, engine = state.database, state.engine
        if database is not None:
            if not known.ends:
                query = engine.queries.find(database.name, known.script)
                query.ran(known.refusal.reason, took, now)
            slow = engine.config.log.slow_query
            if slow is not None and took >= slow:
                tell_if_slow(state, known.asked, took)
        if not known.ends:
            state.last, state.verdict = known.verdict, None
        return True

    def _leave_statement(self, known: Pass) -> Prepared:
        """The unnamed statement stays, as the Parse that was sent made it."""
        state = self._state
        raw = self.data[: 1 + int.from_bytes(self.data[1:5], "big")]
        parsed = known.parsed
        if parsed is None:
            parsed = known.parsed = parse_parse(raw)
        prepared = make_prepared(state, parsed, raw, known.script)
        prepared.at_origin = state.unnamed_at_origin = True
        state.statements[b""] = prepared
        return prepared

    def _end(self, kind: Kind, status: int) -> None:
        """A transaction has begun, or ended."""
        state, settings = self._state, self._state.settings
        state.status = status
        if settings is not None:
            if kind is Kind.BEGIN:
                settings.begin()
            elif kind is Kind.COMMIT:
                settings.commit()
            else:
                settings.rollback()
        if kind is not Kind.BEGIN:
            state.changes += 1
            state.portals.clear()
            state.end_transaction()

    def _leave_portal(self) -> None:
        """Inside a transaction the unnamed portal stays (W-57)."""
        state, sent = self._state, self.data
        state.portals.pop(b"", None)
        state.stale_portal = False
        if self._prepared is not None and sent[0] != codes.QUERY:
            begin = 0 if sent[0] == codes.BIND else 1 + int.from_bytes(sent[1:5], "big")
            end = begin + 1 + int.from_bytes(sent[begin + 1 : begin + 5], "big")
            portal = Portal(b"", self._prepared, parse_bind(sent[begin:end]))
            portal.level = len(state.savepoints)
            state.portals[b""] = portal

    def account(self, runs: Iterable[Run], forwarder: Forwarder) -> None:
        """Have the slow lane account for what is underway, as if it were about to be sent.

        ``runs`` are those of ``data``. Nothing is underway here after this.
        """
        state, known = self._state, self.underway
        assert known is not None
        self.underway = None
        state.note_asked(known.script, known.refusal.reason)
        state.judge(known.verdict, remember=not known.ends)
        for run in runs:
            if run.kind == codes.QUERY:
                forwarder.query(run.messages[0], known.script, None)
            else:
                forwarder.extended(run, {})
        state.groups[-1].started = self.started

"""Sending on: every message goes to the origin unchanged, after it was accounted for.

For each message an entry in the ledger, for each statement its possible effects (writes are locked
here, before their bytes leave, T-10). Messages of pgcache's own are put in only by ``making``, for
what the origin has not heard of (W-58).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pgcache.catalog.model import EVERYTHING
from pgcache.errors.reasons import Reason
from pgcache.policy.effects import NO_EFFECTS, Effects
from pgcache.proxy import making, naming
from pgcache.proxy.capture import Capture
from pgcache.proxy.own import is_own
from pgcache.proxy.prepared import Portal, Prepared
from pgcache.proxy.probing import Probing
from pgcache.proxy.runs import BOUNDARIES, EXTENDED, OWN_SYNC, Message, Run
from pgcache.proxy.state import State
from pgcache.proxy.turns import READS, Execution, Turn, is_read
from pgcache.sql.model import Kind, Script, Statement
from pgcache.wire import codes, ledger
from pgcache.wire.messages import (
    Bind,
    Execute,
    Parse,
    Target,
    build_query,
)

_ENDS = frozenset((Kind.COMMIT, Kind.PREPARE_TRANSACTION, Kind.COMMIT_PREPARED, Kind.UNKNOWN))
# What changes the search path or the role, or takes a change back.
_SHIFTS = frozenset(
    (Kind.SET, Kind.RESET, Kind.DISCARD, Kind.COMMIT, Kind.ROLLBACK, Kind.ROLLBACK_TO)
) | frozenset((Kind.PREPARE_TRANSACTION, Kind.UNKNOWN))
# FunctionCall runs any function: a large object's, a sequence's, a user's (W-72).
_CALLED = Effects(EVERYTHING, False, False, True, True, True)

Captures = dict[int, Capture]  # by the index of the Bind in its run


class Forwarder:
    """Sends a session's runs to its origin connection; ``send`` writes to the transport."""

    __slots__ = ("_held", "_is_piece", "_send", "_shown", "_state")

    def __init__(self, state: State, send: Callable[[bytes], object]) -> None:
        self._state = state
        self._send = send
        self._shown: list[bytes] = []  # portals to be hidden behind the message being sent
        self._is_piece = False  # what is being sent is the first piece of a message
        self._held: list[Callable[[], None]] = []  # what its last one has to be preceded by

    def probe(self, sql: str, done: Callable[[Probing], None]) -> None:
        """Ask the origin something of pgcache's own; only while the state is quiet."""
        state = self._state
        unnamed = state.statements.get(b"")
        if unnamed is not None:
            unnamed.is_virtual = True  # a Query drops it at the origin
        state.unnamed_at_origin = False
        state.ledger.push(ledger.QUERY, Probing(done), internal=True)
        self._send(build_query(sql))

    def query(self, message: Message, script: Script | None, capture: Capture | None) -> None:
        """Forward a Query; ``script`` None: its text is not known."""
        state = self._state
        pieces: list[bytes] = []
        statements = naming.UNKNOWN if script is None else script.statements
        if state.ledger.skipping:
            state.asked.clear()
            self._send(message.raw)
            return
        shown = making.make_named(state, script, pieces)
        making.take_snapshot(state, statements, pieces)
        if pieces and state.group is None:
            # Should one of these fail, the origin would ignore the Query without a Sync.
            state.ledger.push(ledger.SYNC, None, internal=True)
            pieces.append(codes.MSG_SYNC)
        turn = self._turn()
        execution = Execution(turn, statements)
        execution.effects = tuple([self._account(turn, statement) for statement in statements])
        if capture is not None:
            turn.captures.append(capture)
            execution.capture = capture
        state.ledger.push(ledger.QUERY, execution)
        state.group = None
        # A Query drops the unnamed statement and portal, there as here (W-57).
        execution.unnamed = (state.statements.pop(b"", None), state.unnamed_at_origin)
        state.unnamed_at_origin = False
        state.portals.pop(b"", None)
        state.stale_portal = False
        pieces.append(message.raw)
        if shown:
            pieces += making.hide(state, shown)
            state.ledger.push(ledger.SYNC, None, internal=True)
            pieces.append(codes.MSG_SYNC)
        self._send(b"".join(pieces) if len(pieces) > 1 else message.raw)

    def extended(self, run: Run, captures: Captures) -> None:
        """Forward messages of the extended protocol."""
        pieces: list[bytes] = []
        self._keep_unnamed(run, pieces)
        for index, message in enumerate(run.messages):
            if not self._state.ledger.skipping or message.kind == codes.SYNC:
                _HANDLERS[message.kind](self, message, pieces, captures.get(index))
            pieces.append(message.raw)
            if self._shown:
                pieces += making.hide(self._state, self._shown)
                self._shown = []
        self._state.unflushed = run.kind not in BOUNDARIES
        self._send(b"".join(pieces) if len(pieces) > 1 else pieces[0])

    def _keep_unnamed(self, run: Run, pieces: list[bytes]) -> None:
        """Make the unnamed statement real before anything that could fail the transaction.

        There nothing is parsed any more, while what was parsed before can still be bound, as far
        as its complaint.
        """
        state, first = self._state, run.messages[0]
        unnamed = state.statements.get(b"")
        if unnamed is None or not unnamed.is_virtual or state.status != codes.IN_TRANSACTION:
            return
        database = state.database
        if database is None or unnamed.epoch != database.epoch or is_own(unnamed.script):
            return  # it might be refused now, and the run with it
        replaces = first.kind == codes.PARSE and (
            not isinstance(first.parsed, Parse) or not first.parsed.name
        )
        if not replaces and first.kind not in BOUNDARIES and not state.ledger.skipping:
            making.make_statement(state, b"", unnamed, pieces)

    def piece(self, message: Message) -> None:
        """Forward the first piece of a message too large to be assembled; more is type 0.

        The origin runs nothing before the last piece is there, which may never come: until then
        nothing is locked (T-10).
        """
        self._is_piece = True
        try:
            if message.kind == codes.QUERY:
                self.query(message, None, None)
            elif message.kind in EXTENDED:
                self.extended(Run(message), {})
            else:
                self.other(message)
        finally:
            self._is_piece = False

    def other(self, message: Message) -> None:
        """Forward what is neither a Query nor of the extended protocol."""
        state, kind = self._state, message.kind
        if message.whole and self._held:
            held, self._held = self._held, []
            for lock in held:
                lock()
        if kind in (codes.COPY_DONE, codes.COPY_FAIL):
            state.ledger.copy_ended()
        elif kind == codes.FUNCTION_CALL:
            turn = self._turn()
            turn.executed += 1
            self._account_for(turn, naming.UNKNOWN[0], _CALLED)
            if state.ledger.push(ledger.CALL, turn):
                state.group = None
            if state.settings is not None:
                state.settings.taint("function call")
        self._send(message.raw)

    # -- messages of the extended protocol

    def _parse(self, message: Message, pieces: list[bytes], _capture: Capture | None) -> None:
        state, parsed = self._state, message.parsed
        turn = self._turn()
        if not isinstance(parsed, Parse):
            state.statements.clear()  # nobody knows which it replaces
            state.ledger.push(ledger.PARSE)
            return
        prepared = naming.make_prepared(state, parsed, message.raw)
        naming.add_statement(state, turn, prepared)
        making.make_fetched(state, prepared.script.statements, pieces)
        state.ledger.push(ledger.PARSE, prepared)

    def _bind(self, message: Message, pieces: list[bytes], capture: Capture | None) -> None:
        state, parsed = self._state, message.parsed
        turn = self._turn()
        if not isinstance(parsed, Bind):
            state.portals.clear()
            state.ledger.push(ledger.BIND)
            return
        prepared = state.statements.get(parsed.statement)
        making.make_statement(state, parsed.statement, prepared, pieces)
        if prepared is not None:
            making.make_fetched(state, prepared.script.statements, pieces)
        portal = Portal(parsed.portal, prepared, parsed)
        portal.level = len(state.savepoints)
        portal.capture = capture
        if capture is not None:
            turn.captures.append(capture)
        if parsed.portal:
            older = state.portals.get(parsed.portal)
            if older is not None and older.entry is not None:
                state.ledger.push(ledger.BIND, None, internal=True)
                pieces.append(message.raw)  # the second time the name is in use there, too: 42P03
        else:
            state.stale_portal = False
        naming.add_portal(state, turn, portal)
        state.ledger.push(ledger.BIND, portal)

    def _describe(self, message: Message, pieces: list[bytes], _capture: Capture | None) -> None:
        state, parsed = self._state, message.parsed
        self._turn()
        item: Prepared | Portal | None = None
        if isinstance(parsed, Target):
            if parsed.is_statement:
                item = state.statements.get(parsed.name)
                making.make_statement(state, parsed.name, item, pieces)
            else:
                item = state.portals.get(parsed.name)
                making.clear_way(state, parsed.name, item, pieces)
                if not state.is_failed:
                    self._shown = making.show(state, item, pieces)
        state.ledger.push(ledger.DESCRIBE, item)

    def _execute(self, message: Message, pieces: list[bytes], _capture: Capture | None) -> None:
        state, parsed = self._state, message.parsed
        # Outside of transactions there is none, unless SQL held one: its rows are read already.
        is_bare = state.status == codes.IDLE and not (state.groups or state.opaque)
        turn = self._turn()
        portal: Portal | None = None
        maximum = 0
        if isinstance(parsed, Execute):
            portal = state.portals.get(parsed.portal)
            maximum = parsed.maximum
            making.clear_way(state, parsed.portal, portal, pieces)
        statements = () if is_bare and portal is None else naming.runs(portal, turn)
        if portal is not None and portal.prepared is not None:
            self._shown = making.make_named(state, portal.prepared.script, pieces)
        unnamed = state.statements.get(b"")
        changes = any(s.kind not in READS for s in statements)
        if unnamed is not None and changes and not is_own(unnamed.script):
            # Made later, it would be parsed under other settings (W-56), or not at all.
            making.make_statement(state, b"", unnamed, pieces)
        making.take_snapshot(state, statements, pieces)
        execution = Execution(turn, statements, portal=portal, maximum=maximum)
        execution.effects = tuple([self._account(turn, statement) for statement in statements])
        capture = execution.capture = None if portal is None else portal.capture
        if capture is not None and capture not in turn.captures:
            if state.dirty or capture.failed is not None:
                capture.fail(Reason.WRITING_TRANSACTION)
            turn.captures.append(capture)
        execution.epoch = -1 if state.database is None else state.database.epoch
        state.ledger.push(ledger.EXECUTE, execution)

    def _close(self, message: Message, _pieces: list[bytes], _capture: Capture | None) -> None:
        state, parsed = self._state, message.parsed
        self._turn()
        item: Prepared | Portal | None = None
        if isinstance(parsed, Target):
            item = naming.close(state, parsed)
        if isinstance(item, Portal) and item.capture is not None:
            item.capture.fail(Reason.PARTIAL_RESULT)
        state.ledger.push(ledger.CLOSE, item)

    def _flush(self, _message: Message, _pieces: list[bytes], _capture: Capture | None) -> None:
        """Nothing is owed for a Flush."""

    def _sync(self, message: Message, _pieces: list[bytes], _capture: Capture | None) -> None:
        state = self._state
        turn = self._turn()
        if state.ledger.push(ledger.SYNC, turn, internal=message is OWN_SYNC):
            state.group = None

    # -- accounting

    def _turn(self) -> Turn:
        """The open group; a new one where there is none."""
        state = self._state
        turn = state.group
        if isinstance(turn, Turn):
            return turn
        turn = Turn(state.engine.clock())
        if state.asked:
            turn.asked, state.asked = state.asked, []
        turn.in_block = state.in_block
        state.group = turn
        state.groups.append(turn)
        return turn

    def _effects(self, statement: Statement) -> Effects:
        state = self._state
        if state.database is None:
            return NO_EFFECTS
        runs: tuple[Statement, ...] = (statement,)
        if statement.kind is Kind.EXECUTE:
            runs = naming.executed(state, statement)
            if statement.read is not None:  # its values, which may call functions
                runs = (Statement(Kind.SELECT, read=statement.read), *runs)
        elif statement.kind is Kind.FETCH and state.portals:
            runs = naming.fetched(state)
        effects = NO_EFFECTS
        for run in runs:
            found = state.database.effects(run, state.effects_view())
            effects = found if effects is NO_EFFECTS else effects | found
        return effects

    def _account(self, turn: Turn, statement: Statement) -> Effects:
        """Note what a statement may do, under what those before it may have done; return it."""
        effects = self._effects(statement)
        self._account_for(turn, statement, effects)
        return effects

    def _account_for(self, turn: Turn, statement: Statement, effects: Effects) -> None:
        state = self._state
        shifts = effects.taints or statement.kind in _SHIFTS
        turn.shifts = turn.shifts or shifts
        if shifts or (effects is not NO_EFFECTS and effects != NO_EFFECTS):
            state.changes += 1
        turn.renames = turn.renames or statement.kind in naming.RENAMES
        if effects is not NO_EFFECTS or statement.kind not in READS:
            turn.reads_only = turn.reads_only and is_read(statement, effects)
            turn.opens = turn.opens or statement.kind is Kind.BEGIN
        turn.pins = turn.pins or effects.pins
        writes, schema, database = effects.writes, effects.schema, state.database
        if statement.kind is Kind.COMMIT_PREPARED and database is not None:
            writes, schema = database.prepared_transactions.take(statement.name)
        elif statement.kind is Kind.PREPARE_TRANSACTION and database is not None:
            database.prepared_transactions.forget(statement.name)
        ends = effects.commits_inside or statement.kind in _ENDS
        ledger_ = state.writes
        if ledger_ is not None and (writes or schema or ends):
            how = {"schema": schema, "ends": ends, "in_block": turn.in_block}
            if self._is_piece:
                self._held.append(partial(ledger_.will_run, turn, writes, **how))
            else:
                ledger_.will_run(turn, writes, **how)
        if statement.kind is Kind.ROLLBACK:
            turn.in_block = False  # what follows in this group commits with it


_HANDLERS: dict[int, Callable[[Forwarder, Message, list[bytes], Capture | None], None]] = {
    codes.PARSE: Forwarder._parse,
    codes.BIND: Forwarder._bind,
    codes.DESCRIBE: Forwarder._describe,
    codes.EXECUTE: Forwarder._execute,
    codes.CLOSE: Forwarder._close,
    codes.FLUSH: Forwarder._flush,
    codes.SYNC: Forwarder._sync,
}

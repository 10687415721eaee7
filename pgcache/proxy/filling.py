"""What happens at ReadyForQuery: transactions end, writes take effect, recordings are stored.

Response rules live here: a recording is stored only if its whole group did nothing but read, no
error, notice or setting came with it, and nothing it depends on moved since before it was sent
(T-05, T-11, W-67).
"""

from __future__ import annotations

from pgcache.cache.entry import Entry
from pgcache.cache.store import Outcome
from pgcache.catalog.model import EVERYTHING
from pgcache.errors.reasons import Reason, Refusal
from pgcache.invalidation.writes import union
from pgcache.metrics.counters import Source
from pgcache.policy.looking import first_look
from pgcache.proxy.accounts import count_fill, count_run
from pgcache.proxy.capture import Capture
from pgcache.proxy.engine import Database
from pgcache.proxy.poison import poisoned
from pgcache.proxy.state import State
from pgcache.proxy.turns import Turn
from pgcache.proxy.verdicts import Outcome as Fate
from pgcache.proxy.verdicts import Verdict
from pgcache.wire import codes

# How long a key whose result could not be kept is not flown again, in seconds.
_FORGO = 60.0


class Filler:
    """Settles groups of one session."""

    __slots__ = ("_orphans", "_state")

    def __init__(self, state: State) -> None:
        self._state = state
        self._orphans: list[Turn] = []

    def unready(self, turn: Turn) -> None:
        """The origin ignored what should have ended the group: the next Sync does (W-71)."""
        state = self._state
        if state.group is None and state.groups and state.groups[-1] is turn:
            state.group = turn
        elif turn in state.groups:
            state.groups.remove(turn)
            self._orphans.append(turn)

    def ready(self, turn: Turn, status: int) -> None:
        """The origin answered ``turn`` with ReadyForQuery."""
        state = self._state
        if turn in state.groups:
            state.groups.remove(turn)
        count_run(state, turn)
        state.status = status
        in_block = status != codes.IDLE
        self._settle_settings(turn, status)
        for orphan in self._orphans:
            orphan.errored = orphan.errored or turn.errored
            self._settle_writes(orphan, in_block)
        self._orphans.clear()
        self._settle_writes(turn, in_block)
        self._settle_captures(turn, status)
        if in_block and not turn.chained:
            if turn.writes or turn.schema:
                state.dirty = True
            if turn.pins:
                state.pinned = True
        else:
            state.end_transaction()

    def _settle_settings(self, turn: Turn, status: int) -> None:
        settings = self._state.settings
        if settings is None:
            return
        if status != codes.IDLE:
            if not settings.in_transaction:
                settings.begin()
            if status == codes.FAILED:
                settings.fail()
        elif settings.in_transaction:
            if turn.errored:
                settings.rollback()
            else:
                settings.commit()

    def _settle_writes(self, turn: Turn, in_block: bool) -> None:
        state = self._state
        writes, database = state.writes, state.database
        if writes is None or database is None:
            return
        if turn.gid and not turn.errored:
            database.prepared_transactions.remember(
                turn.gid, union(writes.pending, turn.writes), writes.pending_schema or turn.schema
            )
        touched = turn.writes or turn.schema or turn.ends
        if not (touched or writes.pending or writes.pending_schema):
            return
        tags = union(writes.pending, turn.writes)
        if writes.ready(turn, in_block=in_block, chained=turn.chained) and not in_block:
            if tags is EVERYTHING:
                state.engine.invalidated(database, Source.UNKNOWN, None)
            else:
                state.engine.invalidated(database, Source.WRITE, tags)

    def logged_in(self) -> None:
        """The login is over: triggers that run at one may have written (C-32)."""
        database = self._state.database
        snapshot = None if database is None else database.snapshot or database.known
        if database is None or snapshot is None or not snapshot.login_writes:
            return
        tags = None if snapshot.login_writes is EVERYTHING else snapshot.login_writes
        database.generations.move(tags)
        source = Source.UNKNOWN if tags is None else Source.WRITE
        self._state.engine.invalidated(database, source, tags)

    def _settle_captures(self, turn: Turn, status: int) -> None:
        for capture in turn.captures:
            if turn.errored or not turn.reads_only or status == codes.FAILED:
                capture.fail(Reason.UNCACHEABLE_REPLY)
            if capture.failed is not None:
                self._unstored(capture, capture.failed)
            elif capture.complete or (capture.executions == 1 and status == codes.IDLE):
                self._store(capture)
            elif status == codes.IDLE:
                capture.fail(Reason.PARTIAL_RESULT)
                self._unstored(capture, Reason.PARTIAL_RESULT)
            else:
                capture.let_go()  # a suspended portal in an open transaction may go on, or not

    def _store(self, capture: Capture) -> None:
        state = self._state
        database = state.database
        assert database is not None
        entry, outcome = keep(state, database, capture)
        if capture.is_ghost:
            return
        if outcome is Outcome.STORED:
            state.judge(Verdict(Fate.MISS, expires_at=entry.expires_at, key=entry.key, stored=True))
        elif outcome is Outcome.STALE:
            state.judge(Verdict(Fate.MISS, Refusal(Reason.LOCKED), key=entry.key))
        elif outcome is Outcome.TOO_LARGE:
            self._unstored(capture, Reason.TOO_LARGE)
        self._land(capture, entry)

    def _land(self, capture: Capture, entry: Entry) -> None:
        if capture.lead is not None:
            lead, capture.lead = capture.lead, None
            lead.finish(entry)

    def _unstored(self, capture: Capture, reason: Reason) -> None:
        state = self._state
        if not capture.is_ghost:
            state.engine.counters.unstored[reason] += 1
            state.judge(Verdict(Fate.MISS, Refusal(reason), key=capture.key))
        if reason is Reason.TOO_LARGE:
            forgo_large(state, capture)


def forgo_large(state: State, capture: Capture) -> None:
    """Nobody is to wait for a result that cannot be kept."""
    if state.database is not None:
        state.database.flights.forgo(capture.key, state.engine.clock() + _FORGO)


def keep(state: State, database: Database, capture: Capture) -> tuple[Entry, Outcome | None]:
    """Store what was recorded, if nothing moved; None: it is not worth it."""
    engine = state.engine
    entry = capture.entry(engine.lifetimes.jitter * engine.random())
    if capture.is_ghost:
        if entry.cost_ms < capture.plan.least_cost:
            return entry, None
        return entry, engine.ghosts.put(entry, database.generations, engine.clock())
    entry.query = count_fill(state, capture, entry)
    if engine.poison:
        entry.rows = poisoned(entry.rows)
    too_cheap = entry.cost_ms < capture.plan.least_cost
    # The age counts from when the query was sent: what took longer than it lives has ended.
    if engine.paused or too_cheap or entry.expires_at <= engine.clock():
        return entry, None
    cache = engine.config.cache
    cost = entry.cost_ms / 1000
    entry.look_at = first_look(
        entry.stored_at,
        entry.expires_at,
        cost,
        cache.refresh_ahead,
        0.0 if capture.plan.clock else cache.verify_ratio,
    )
    outcome = engine.store.put(entry, database.generations, engine.clock())
    if outcome is Outcome.STORED:
        engine.counters.stores += 1
        engine.counters.stored_bytes += entry.size
    elif outcome is Outcome.STALE:
        engine.counters.overtaken += 1
    _share(capture, entry, outcome)
    return entry, outcome


def _share(capture: Capture, entry: Entry, outcome: Outcome) -> None:
    """Give what was stored here to the other proxies as well."""
    grant = None if capture.lead is None else capture.lead.grant
    if grant is None:
        return
    if outcome is Outcome.STORED:
        grant.fill(entry)
    else:
        grant.release(worth_it=outcome is not Outcome.TOO_LARGE)

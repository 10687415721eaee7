"""One client's conversation after login: the slow lane, read top to bottom.

Bytes from the client are cut into runs. A run is identified, decided, looked up, and then served,
joined to another client's flight, or forwarded (``_take``); it waits where an earlier answer of the
origin could change that (W-60, W-62). The origin's bytes are walked by header and passed on.

Counterpart: ``client`` owns the transports and the login. Nothing here awaits.
"""

from __future__ import annotations

from collections import deque

from pgcache.cache.flights import Follow
from pgcache.errors import ProtocolViolation
from pgcache.errors.reasons import Reason, Refusal
from pgcache.proxy import cursors, serve
from pgcache.proxy import prospects as look
from pgcache.proxy.accounts import count_hit, count_miss, count_pass
from pgcache.proxy.ahead import opening, send_ahead, skips
from pgcache.proxy.answers import Answers
from pgcache.proxy.background import Background
from pgcache.proxy.chores import find_chore
from pgcache.proxy.decide import Ask, ask, find, might_hit, opens_transaction, proof_of, refuse
from pgcache.proxy.engine import Engine
from pgcache.proxy.fast import FastLane
from pgcache.proxy.filling import Filler
from pgcache.proxy.flow import Hold, Peer, Then
from pgcache.proxy.forward import Forwarder
from pgcache.proxy.hearing import Hearing
from pgcache.proxy.joining import Joiner
from pgcache.proxy.learning import Learner
from pgcache.proxy.local import LocalRun
from pgcache.proxy.own import own_entry
from pgcache.proxy.probes import Prober
from pgcache.proxy.recording import Asked, record_missed, start_capture
from pgcache.proxy.runs import EXTENDED, Gatherer, Message, Run
from pgcache.proxy.state import State
from pgcache.proxy.turns import fail_captures
from pgcache.proxy.upward import upward
from pgcache.sql.model import Script
from pgcache.wire import codes
from pgcache.wire.ledger import SYNC, Ledger
from pgcache.wire.messages import parse_query
from pgcache.wire.replies import ReplyWalker

# Runs, and bytes of them, that a client may send ahead before it is held back.
_MAX_WAITING, _MAX_WAITING_BYTES = 64, 1024 * 1024

_PIPELINE = Refusal(Reason.PIPELINE)


class Session:
    """The slow lane of one session."""

    __slots__ = (
        "__weakref__",
        "_answers",
        "_client",
        "_crowded",
        "_fast",
        "_forwarder",
        "_full",
        "_gone",
        "_is_sent",
        "_joiner",
        "_learner",
        "_origin",
        "_prober",
        "_pumping",
        "_runs",
        "_walker",
        "background",
        "gatherer",
        "state",
    )

    _joiners, _fast_lanes = Joiner, FastLane

    def __init__(self, engine: Engine, client: Peer, origin: Peer) -> None:
        state = self.state = State(engine, Ledger())
        self._client = client
        self._origin = origin
        self._forwarder = Forwarder(state, upward(self._to_origin, None))
        pump = upward(self._pump, None)
        self._joiner = self._joiners(state, pump)
        self._prober = Prober(state, self._forwarder)
        self._learner = Learner(state, self._prober, pump)
        hearing = Hearing(state, Filler(state))
        self._walker = ReplyWalker(state.ledger, hearing)
        self.gatherer = Gatherer()
        self.background = Background(state, client, origin.send, upward(self._is_quiet, False))
        self._full = False  # the client does not read what it has got
        self._gone = False  # the client is: what it sent before still goes on, nothing is served
        self._is_sent = False  # what is being accounted for was sent before
        self._fast = self._fast_lanes(state, self.gatherer)
        self._answers = Answers(state, client, self._fast)
        # the turn
        self._runs: deque[Run] = deque()  # waiting to be decided
        self._pumping = False
        self._crowded = False  # the client is held back until some were decided

    # -- from the client

    def logged_in(self) -> None:
        """The origin took the login; its first ReadyForQuery is still to come."""
        self.state.ledger.push(SYNC)
        if self.state.settings is not None:
            self._prober.ask_at_login()

    def from_client(self, data: bytes) -> None:
        """Bytes of the client. Raises ProtocolViolation where they can be no messages.
        HOT PATH, guarded by ``make bench-quick``: the fast lane is asked first."""
        fast = self._fast
        if fast.is_open or self._may_be_fast():
            answer = fast.answer(data) if fast.answers else None
            if answer is not None:
                if answer:
                    self._client.send(answer)
                else:
                    self._client.send_all(fast.pieces)
                return
            if not self.background.is_active and fast.passes(data):
                self._origin.send(data)
                return
        self._take_slowly(data)

    def _take_slowly(self, data: bytes) -> None:
        self._settle()
        self._fast.close()
        self._runs.extend(self.gatherer.feed(data))
        self._fast.is_pipelined |= len(self._runs) > 1
        self._pump()

    def _may_be_fast(self) -> bool:
        """Open the fast lane, if nothing is underway."""
        is_free = not (self._runs or self._gone or self._full) and self.gatherer.is_empty
        return is_free and self._is_quiet() and self._fast.open()

    def _settle(self) -> None:
        """Account for what the fast lane has sent on, as if it were about to be sent."""
        express = self._fast.express
        if express.underway is None:
            return
        self._fast.doubt()
        self._is_sent = True
        express.account(self.gatherer.feed(express.data), self._forwarder)
        self._is_sent = False

    def _to_origin(self, data: bytes) -> None:
        """Forward: whatever was proved has to be proved again."""
        self._fast.doubt()
        if not (self._is_sent or (self.background.is_active and self.background.takes(data))):
            self._origin.send(data)

    def client_gone(self) -> bool:
        """The client has left; whether the origin's outcome still matters (W-33, W-44)."""
        self._gone, self._full = True, False
        self._settle()
        self._joiner.leave()
        self._runs.extend(self.gatherer.flush())
        self._pump()
        self.background.begin()
        return self.is_needed

    @property
    def is_needed(self) -> bool:
        """Whether something is underway that others depend on."""
        state = self.state
        if self.background.is_needed:
            return True
        if state.ledger.copy_in:
            return False  # the origin waits for the client: only its end ends that
        # Of waiting runs the origin has yet to hear; a group without its Sync will not commit.
        return bool(self._runs) or any(t.is_needed for t in state.groups if t is not state.group)

    def hold_answers(self, full: bool) -> None:
        """Answer no more while the client does not read what it has got (W-43)."""
        self._full = full
        self._pump()

    def wants_cancel(self) -> bool:
        """Whether a cancel request is for something that the origin is doing (W-32)."""
        if self._joiner.is_waiting or self._learner.is_waiting:
            # The execution is another client's; this client's own is started, to be cancelled.
            self._joiner.leave()
            self._learner.is_waiting = False
            self._pump()
            return True
        return bool(self.state.groups) or self._fast.express.underway is not None

    def _pump(self) -> None:
        """Decide as many waiting runs as can be decided now."""
        if self._pumping:
            return
        self._pumping = True
        try:
            runs = self._runs
            while runs and not self._is_held and self._take(runs[0]):
                runs.popleft()
        finally:
            self._pumping = False
        if self._runs or not self.gatherer.is_empty:
            self._fast.is_open = False
        crowded = len(self._runs) > 1 and (
            len(self._runs) > _MAX_WAITING
            or sum(run.size for run in self._runs) > _MAX_WAITING_BYTES
        )
        if crowded is not self._crowded:
            self._crowded = crowded
            self._client.hold(Hold.WAITING, crowded)
        if self.background.is_active:
            self.background.consider()

    @property
    def _is_held(self) -> bool:
        waits = self._joiner.is_waiting or self._learner.is_waiting or self._prober.is_asking
        return waits or self._full or self.state.is_far_ahead

    # -- the slow lane

    def _take(self, run: Run) -> bool:
        """Serve or forward ``run``; False if it has to wait."""
        first = run.messages[0]
        if not first.whole:
            self._forwarder.piece(first)
        elif self._learner.reads(run):
            return False
        elif first.kind == codes.QUERY:
            return self._take_query(first, run)
        elif first.kind in EXTENDED:
            return self._take_extended(run)
        else:
            if first.kind == codes.TERMINATE and self.background.has_work:
                self._client.close()  # the origin is dismissed a little later
                return True
            if first.kind and first.kind not in codes.CLIENT_TYPES:
                self.state.opaque = True
            self._forwarder.other(first)
        return True

    def _take_query(self, message: Message, run: Run) -> bool:
        state = self.state
        try:
            text = parse_query(message.raw)
        except ProtocolViolation:
            self._forwarder.query(message, None, None)
            return True
        script = state.engine.script(text, state.standard_strings, state.encoding)
        if state.group is None and self._can_serve():
            own = own_entry(state, script)
            if own is not None or might_hit(script):
                if not self._is_quiet() or self._learner.wants(run):
                    return False
                if own is None:
                    return self._take_cacheable(message, run, script)
                reply = serve.simple_reply(own)
            else:
                ahead = look.fetches_ahead(state, script)
                if ahead or self._must_learn(run, opens_transaction(script)):
                    return False
                reply = cursors.answer(state, script) if self._is_quiet() else []
            if reply:
                self._answers.query(message.raw, reply, None)
                return True
        self._pass_on(message, script, ask(state, script))
        return True

    def _pass_on(self, message: Message, script: Script, asked: Ask | Refusal) -> None:
        """Forward a Query that is not looked up."""
        count_pass(self.state, asked if isinstance(asked, Refusal) else _PIPELINE, script)
        if self._is_quiet():
            self._fast.learn(message.raw, script)
        self._forwarder.query(message, script, None)

    def _take_cacheable(self, message: Message, run: Run, script: Script) -> bool:
        question = ask(self.state, script)
        if isinstance(question, Refusal):
            self._pass_on(message, script, question)
            return True
        entry = self._joiner.take_landed(run)
        shared = entry is not None and entry.key == question.key
        if not shared:
            entry = find(self.state, question, 0)
        if entry is not None and entry.row_description is not None:
            if entry.look_at <= self.state.engine.clock():
                self.background.add(find_chore(self.state, question, entry, message.raw[5:-1]))
            count_hit(self.state, entry, shared=shared)
            proof = None if shared else proof_of(question, entry)
            self._answers.query(message.raw, serve.simple_reply(entry), proof)
            return True
        lead = self._joiner.join(question, run, 0)
        if isinstance(lead, Follow):
            return False
        capture = start_capture(self.state, question, lead, Asked(message.raw))
        count_miss(self.state, question)
        self._forwarder.query(message, script, capture)
        return True

    def _take_extended(self, run: Run) -> bool:
        state = self.state
        if skips(run):
            self._forwarder.extended(Run(run.messages[-1]), {})
            return True
        opens = opening(state, run)
        if not (self._can_serve() and look.might_serve(state, run, opens)):
            if look.is_unsettled(state, run) or self._must_learn(run, look.prepares(state, run)):
                return False
            for script in look.executed(state, run):
                count_pass(state, refuse(state, script) or _PIPELINE, script)
            if self._is_quiet():
                self._fast.learn_run(run)
            self._forwarder.extended(run, {})
            return True
        if not self._is_quiet() or self._learner.wants(run):
            return False
        refusal = state.gate()
        if refusal is not None and not state.portals and look.executes_only(state, run):
            count_pass(state, refusal, look.script_of(state, run))
            self._forwarder.extended(run, {})
            return True
        local = LocalRun(state, run, self._joiner.take_landed(run), opens)
        if local.attempt():
            if local.ahead:
                send_ahead(state, self._forwarder, run, local.ahead)
                return False
            local.commit()
            for chore in local.chores():
                self.background.add(chore)
            for entry, shared in local.hits:
                count_hit(state, entry, shared=shared)
            if not self._answers.run(run, local):
                self._forwarder.extended(Run(run.messages[-1]), {})
            return True
        return self._forward_missed(run, local)

    def _forward_missed(self, run: Run, local: LocalRun) -> bool:
        """Forward a run of which something is not in the cache, recording what may be."""
        captures = record_missed(self.state, self._joiner, run, local)
        if captures is None:
            return False
        if not local.misses:
            count_pass(self.state, local.refusal or _PIPELINE, local.refused)
            if self._is_quiet():
                self._fast.learn_run(run)
        self._forwarder.extended(run, captures)
        return True

    # -- conditions

    def _can_serve(self) -> bool:
        return self.state.database is not None and not self._gone and self.state.may_serve

    def _is_quiet(self) -> bool:
        """Whether the origin owes nothing and the client is at a message boundary (W-40)."""
        is_underway = self._fast.express.underway is not None
        return self.state.ledger.is_empty and self._walker.at_boundary and not is_underway

    def _must_learn(self, run: Run, opens: bool) -> bool:
        """Whether the session has to be known before ``run``, which ``opens`` something."""
        if not self._learner.is_due(opens) or not self._can_serve():
            return False
        return not self._is_quiet() or self._learner.wants(run)

    # -- from the origin

    def from_origin(self, data: bytes) -> None:
        """Bytes of the origin. Raises ProtocolViolation where they do not fit what it owes."""
        background = self.background
        if background.is_active and background.is_running:
            if background.hear(data):
                self._fast.doubt()
            return
        if self._fast.hears(data):
            self._client.send(data)
            return
        self._settle()
        self._fast.doubt()
        for piece in self._walker.feed(data):
            self._client.send(piece)
        if self._runs:
            self._pump()
        elif background.is_active:
            background.consider()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is underway: where a draining proxy may let the session go."""
        state = self.state
        underway = self._runs or state.groups or self._fast.express.underway is not None
        return not underway and (state.status == codes.IDLE or state.is_cut_off)

    def lost(self, then: Then) -> None:
        """The origin is gone: nothing that was being recorded will be whole. Then close."""
        self._fast.close()
        self._joiner.leave()
        self.background.lost()
        fail_captures(self.state.groups)
        self.state.end_transaction()
        then()

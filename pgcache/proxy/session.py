"""One client's conversation after login: both ends, and what waits in between.

Bytes from the client are asked about in the fast lane; else they are cut into runs, which ``slow``
takes one by one, as soon as nothing holds them up. The origin's bytes are walked by header and
passed on.

Counterpart: ``client`` owns the transports and the login. Nothing here awaits.
"""

from __future__ import annotations

from collections import deque

from pgcache.proxy.background import Background
from pgcache.proxy.engine import Engine
from pgcache.proxy.fast import FastLane
from pgcache.proxy.filling import Filler
from pgcache.proxy.flow import Hold, Peer, Then
from pgcache.proxy.forward import Forwarder
from pgcache.proxy.hearing import Hearing
from pgcache.proxy.joining import Joiner
from pgcache.proxy.learning import Learner
from pgcache.proxy.probes import Prober
from pgcache.proxy.runs import Gatherer, Run
from pgcache.proxy.slow import SlowLane
from pgcache.proxy.state import State
from pgcache.proxy.turns import fail_captures, is_awaited
from pgcache.proxy.upward import upward
from pgcache.wire import codes
from pgcache.wire.ledger import SYNC, Ledger
from pgcache.wire.replies import ReplyWalker

# Runs, and bytes of them, that a client may send ahead before it is held back.
_MAX_WAITING, _MAX_WAITING_BYTES = 64, 1024 * 1024


class Session:
    """One session: its two ends, its lanes, its waiting runs."""

    __slots__ = (
        "__weakref__",
        "_client",
        "_crowded",
        "_fast",
        "_forwarder",
        "_full",
        "_is_sent",
        "_joiner",
        "_learner",
        "_origin",
        "_prober",
        "_pumping",
        "_runs",
        "_slow",
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
        pump, is_quiet = upward(self._pump, None), upward(self._is_quiet, False)
        self._joiner = self._joiners(state, pump)
        self._prober = Prober(state, self._forwarder)
        self._learner = Learner(state, self._prober, pump)
        hearing = Hearing(state, Filler(state))
        self._walker = ReplyWalker(state.ledger, hearing)
        self.gatherer = Gatherer()
        self.background = Background(state, client, origin.send, is_quiet)
        self._full = False  # the client does not read what it has got
        self._is_sent = False  # what is being accounted for was sent before
        self._fast = self._fast_lanes(state, self.gatherer)
        # the turn
        self._runs: deque[Run] = deque()  # waiting to be decided
        self._pumping = False
        self._crowded = False  # the client is held back until some were decided
        self._slow = SlowLane(
            state,
            client,
            self._runs,
            self._forwarder,
            self._joiner,
            self._learner,
            self._fast,
            self.background,
            is_quiet,
        )

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
        is_free = not (self._runs or self._slow.is_gone or self._full) and self.gatherer.is_empty
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
        self._slow.is_gone, self._full = True, False
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
        return bool(self._runs) or is_awaited(state.groups, state.group, self.gatherer.is_cut_short)

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

    @property
    def is_holding_back(self) -> bool:
        """Whether the origin has yet to hear what the client sent."""
        return self._joiner.is_waiting or self._learner.is_waiting or self.background.is_holding

    async def sent(self) -> None:
        """Wait until it has, as far as that is decided."""
        await self.background.sent()

    def _pump(self) -> None:
        """Decide as many waiting runs as can be decided now."""
        if self._pumping:
            return
        self._pumping = True
        try:
            runs = self._runs
            while runs and not self._is_held and self._slow.take(runs[0]):
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

    def _is_quiet(self) -> bool:
        """Whether the origin owes nothing and the client is at a message boundary (W-40)."""
        is_underway = self._fast.express.underway is not None
        return self.state.ledger.is_empty and self._walker.at_boundary and not is_underway

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

"""The slow lane: what becomes of one run of a client's messages, read top to bottom.

A run is identified, decided, looked up, and then served, joined to another client's flight, or
forwarded; it waits where an earlier answer of the origin could change that (W-60, W-62). What goes
on with a portal that is only here is played on here, whatever stands around it (W-59).

Counterpart: ``session`` has the conversation and hands over run by run. Nothing here awaits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

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
from pgcache.proxy.fast import FastLane
from pgcache.proxy.flow import Peer
from pgcache.proxy.forward import Forwarder
from pgcache.proxy.joining import Joiner
from pgcache.proxy.learning import Learner
from pgcache.proxy.local import LocalRun
from pgcache.proxy.own import own_entry
from pgcache.proxy.recording import Asked, record_missed, start_capture
from pgcache.proxy.runs import EXTENDED, OWN_FLUSH, Message, Run
from pgcache.proxy.state import State
from pgcache.sql.model import Script
from pgcache.wire import codes
from pgcache.wire.messages import parse_query

_PIPELINE = Refusal(Reason.PIPELINE)


class SlowLane:
    """The slow lane of one session. ``runs``: what waits; the first of them is what is taken."""

    __slots__ = (
        "_answers",
        "_background",
        "_client",
        "_fast",
        "_forwarder",
        "_is_quiet",
        "_joiner",
        "_learner",
        "_runs",
        "_state",
        "is_gone",
    )

    def __init__(
        self,
        state: State,
        client: Peer,
        runs: deque[Run],
        forwarder: Forwarder,
        joiner: Joiner,
        learner: Learner,
        fast: FastLane,
        background: Background,
        is_quiet: Callable[[], bool],
    ) -> None:
        self._state = state
        self._client = client
        self._runs = runs
        self._forwarder = forwarder
        self._joiner = joiner
        self._learner = learner
        self._fast = fast
        self._background = background
        self._is_quiet = is_quiet
        self._answers = Answers(state, client, fast)
        self.is_gone = False  # the client is: what it sent before still goes on, nothing is served

    def take(self, run: Run) -> bool:
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
            if first.kind == codes.TERMINATE and self._background.has_work:
                self._client.close()  # the origin is dismissed a little later
                return True
            if first.kind and first.kind not in codes.CLIENT_TYPES:
                self._state.opaque = True
            self._forwarder.other(first)
        return True

    def _take_query(self, message: Message, run: Run) -> bool:
        state = self._state
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
                reply = cursors.answer(state, text, script) if self._is_quiet() else []
            if reply:
                self._answers.query(message.raw, reply, None)
                return True
        self._pass_on(message, script, ask(state, script))
        return True

    def _pass_on(self, message: Message, script: Script, asked: Ask | Refusal) -> None:
        """Forward a Query that is not looked up."""
        count_pass(self._state, asked if isinstance(asked, Refusal) else _PIPELINE, script)
        if self._is_quiet():
            self._fast.learn(message.raw, script)
        self._forwarder.query(message, script, None)

    def _take_cacheable(self, message: Message, run: Run, script: Script) -> bool:
        question = ask(self._state, script)
        if isinstance(question, Refusal):
            self._pass_on(message, script, question)
            return True
        entry = self._joiner.take_landed(run)
        shared = entry is not None and entry.key == question.key
        if not shared:
            entry = find(self._state, question, 0)
        if entry is not None and entry.row_description is not None:
            if entry.look_at <= self._state.engine.clock():
                self._background.add(find_chore(self._state, question, entry, message.raw[5:-1]))
            count_hit(self._state, entry, shared=shared)
            proof = None if shared else proof_of(question, entry)
            self._answers.query(message.raw, serve.simple_reply(entry), proof)
            return True
        lead = self._joiner.join(question, run, 0)
        if isinstance(lead, Follow):
            return False
        capture = start_capture(self._state, question, lead, Asked(message.raw))
        count_miss(self._state, question)
        self._forwarder.query(message, script, capture)
        return True

    def _take_extended(self, run: Run) -> bool:
        state = self._state
        if skips(run):
            self._forwarder.extended(Run(run.messages[-1]), {})
            return True
        opens = opening(state, run)
        if not (self._can_serve() and look.might_serve(state, run, opens)):
            return self._pass_run(run)
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
                self._background.add(chore)
            for entry, shared in local.hits:
                count_hit(state, entry, shared=shared)
            if not self._answers.run(run, local):
                self._forwarder.extended(Run(run.messages[-1]), {})
            return True
        taken = self._play_on(run)
        return self._forward_missed(run, local) if taken is None else taken

    def _pass_run(self, run: Run) -> bool:
        """Forward a run that is not looked up."""
        state = self._state
        if look.is_unsettled(state, run) or self._must_learn(run, look.prepares(state, run)):
            return False
        taken = self._play_on(run)
        if taken is not None:
            return taken
        for script in look.executed(state, run):
            count_pass(state, refuse(state, script) or _PIPELINE, script)
        if self._is_quiet():
            self._fast.learn_run(run)
        self._forwarder.extended(run, {})
        return True

    def _play_on(self, run: Run) -> bool | None:
        """Have portals that are only here played on here, whatever else ``run`` does (W-59).

        None: it does nothing of the kind. Else it is cut where that begins or ends, and its head
        taken.
        """
        if not self._state.portals or not look.may_play(self._state):
            return None
        plays, count = look.part(self._state, run)
        if count < len(run.messages):
            self._runs.insert(1, Run(*run.messages[count:]))
            run.messages[count:] = [OWN_FLUSH]
            return self._take_extended(run)
        if not plays:
            return None
        if not self._is_quiet():
            if self._state.unflushed:
                self._forwarder.extended(Run(OWN_FLUSH), {})
            return False
        local = LocalRun(self._state, run)
        if self._state.is_failed or not local.attempt():
            return None  # the origin refuses it, or is shown what it is to describe
        local.commit()
        if not self._answers.run(run, local):
            self._forwarder.extended(Run(run.messages[-1]), {})
        return True

    def _forward_missed(self, run: Run, local: LocalRun) -> bool:
        """Forward a run of which something is not in the cache, recording what may be."""
        captures = record_missed(self._state, self._joiner, run, local)
        if captures is None:
            return False
        if not local.misses:
            count_pass(self._state, local.refusal or _PIPELINE, local.refused)
            if self._is_quiet():
                self._fast.learn_run(run)
        self._forwarder.extended(run, captures)
        return True

    # -- conditions

    def _can_serve(self) -> bool:
        state = self._state
        is_over = self.is_gone or state.is_ended
        return state.database is not None and not is_over and state.may_serve

    def _must_learn(self, run: Run, opens: bool) -> bool:
        """Whether the session has to be known before ``run``, which ``opens`` something."""
        if not self._learner.is_due(opens) or not self._can_serve():
            return False
        return not self._is_quiet() or self._learner.wants(run)

"""Writing answers of pgcache's own to the client: what an entry gave, ended as the origin would.

``session`` decides what is answered; this says it, with a ReadyForQuery made for this session, and
has the fast lane remember it.
"""

from __future__ import annotations

from pgcache.proxy.accounts import verdict_notice
from pgcache.proxy.fast import FastLane
from pgcache.proxy.flow import Peer
from pgcache.proxy.lane import MAX_ANSWER
from pgcache.proxy.local import Answered, LocalRun
from pgcache.proxy.recipe import Proof
from pgcache.proxy.runs import Run
from pgcache.proxy.state import State
from pgcache.wire import codes

Pieces = list[bytes | memoryview]


class Answers:
    """One session's answers to its client."""

    __slots__ = ("_client", "_fast", "_state")

    def __init__(self, state: State, client: Peer, fast: FastLane) -> None:
        self._state = state
        self._client = client
        self._fast = fast

    def query(self, raw: bytes, pieces: Pieces, proof: Proof | None) -> None:
        """Answer the Query ``raw``; ``proof``: it may be answered in the same way again."""
        state = self._state
        state.statements.pop(b"", None)
        state.put_portal(b"", None)
        answer = self._end(pieces)
        if proof is not None:
            self._fast.prove(raw, answer, proof)

    def run(self, run: Run, local: LocalRun) -> bool:
        """Answer a run of the extended protocol; False if its Sync is left for the origin."""
        state = self._state
        if run.kind != codes.SYNC:
            state.local = True
            self._fast.is_open = False
            self._send(local.pieces)
            return True
        state.local = False
        if state.group is not None:
            # The origin is in the same group: only it can end it.
            self._send(local.pieces)
            return False
        answered = local.answered()
        answer = self._end(local.pieces)
        if len(answered) == 1:
            self._fast.prove(run.raw, answer, answered[0].proof)
        elif answered:
            self._prove_each(answered)
        return True

    def _prove_each(self, answered: list[Answered]) -> None:
        """A pipeline's questions may come again in other company: each as if it had been alone."""
        fast, ready = self._fast, codes.MSG_READY[self._state.status]
        fast.is_pipelined = True
        for raw, pieces, proof in answered:
            fast.prove(raw + codes.MSG_SYNC, [*pieces, ready], proof)

    def _end(self, pieces: Pieces) -> Pieces:
        state = self._state
        pieces.append(verdict_notice(state) + codes.MSG_READY[state.status])
        if state.status == codes.IDLE:
            state.end_transaction()  # also of messages before it, answered here without a Sync
        return self._send(pieces)

    def _send(self, pieces: Pieces) -> Pieces:
        """Write; returns what was written, of short pieces one."""
        if sum(map(len, pieces)) > MAX_ANSWER:
            self._client.send_all(pieces)
            return pieces
        answer = b"".join(pieces)
        self._client.send(answer)
        return [answer]

"""A session where several proxies share a store: the same slow lane, with waits for the others.

Nothing that may commit leaves before the others know of its locks, and no end of a reply reaches
the client before they know what has moved (T-10). A question that the memory tier cannot answer
asks the store before it is forwarded, and so gets the entry, or leave to run it for all (P7).

Counterpart: ``session`` is the slow lane. Without a shared store nothing in here is used.
"""

from __future__ import annotations

from asyncio import Event, Future
from collections.abc import Sequence
from functools import partial

from pgcache.cache.entry import Entry
from pgcache.proxy.asking import SharedJoiner
from pgcache.proxy.engine import Engine
from pgcache.proxy.fast import FastLane
from pgcache.proxy.flow import Peer, Then
from pgcache.proxy.lane import UNKNOWN, Lane, Piece, Turn
from pgcache.proxy.recipe import Proof
from pgcache.proxy.runs import Gatherer
from pgcache.proxy.session import Session
from pgcache.proxy.state import State
from pgcache.proxy.upward import upward
from pgcache.proxy.valve import Valve


class SharedFastLane(FastLane):
    """The fast lane, while the memory tier is known to be what the store says.

    Strict turns are answered once the store has confirmed their entry: ``answer`` finds one, which
    ``take_awaited`` hands out to be asked about, and ``answer_confirmed`` starts anew.
    """

    __slots__ = ("_awaited", "_confirmed")

    def __init__(self, state: State, gatherer: Gatherer) -> None:
        super().__init__(state, gatherer)
        self._awaited: Entry | None = None
        self._confirmed: Entry | None = None

    def answer(self, data: bytes) -> bytes | None:
        """The whole answer to ``data``. HOT PATH: one look more, because a process that was
        stopped, or whose channel is silent, may have missed something (T-12)."""
        database = self._state.database
        if database is None or database.space is None:
            return None
        if not database.space.is_trusted(self._clock()):
            return None
        return super().answer(data)

    def answer_confirmed(self, entry: Entry, data: bytes) -> bytes | None:
        """The whole answer to ``data``, whose ``entry`` the store has just confirmed."""
        self._confirmed = entry
        answer = self.answer(data)
        self._awaited = self._confirmed = None
        return answer

    def take_awaited(self) -> Entry | None:
        """The entry that the last turn can be answered from once the store confirms it."""
        awaited, self._awaited = self._awaited, None
        return awaited

    def _answer_pipeline(self, data: bytes) -> bytes | None:
        awaited = self._awaited
        answer = super()._answer_pipeline(data)
        if answer is None:
            self._awaited = awaited  # of several strict turns the slow lane asks
        return answer

    def _renew(self, lane: Lane, key: bytes, turn: Turn) -> bool:
        if not super()._renew(lane, key, turn):
            return False
        if turn.strict:
            turn.version = UNKNOWN
            if turn.entry is not self._confirmed:
                self._awaited = turn.entry
                return False
        return True

    def passes(self, data: bytes) -> bool:
        """Whether ``data`` may go to the origin at once: not what waits for the store."""
        return self._awaited is None and super().passes(data)

    def prove(self, raw: bytes, answer: Sequence[Piece], proof: Proof) -> None:
        """Eventual hits are proved by the memory tier, not by what the store has just said."""
        if proof.strict or not self._state.fetched:
            super().prove(raw, answer, proof)


class SharedSession(Session):
    """The slow lane of one session, with its waits."""

    __slots__ = ("_downstream", "_unsure", "_upstream")

    _joiners, _fast_lanes = SharedJoiner, SharedFastLane

    def __init__(self, engine: Engine, client: Peer, origin: Peer) -> None:
        issued = upward(self._issued, [])
        self._downstream = Valve(client, origin, issued)
        self._unsure: bytes | None = None  # a turn whose answer is at hand, once it is confirmed
        self._upstream = Valve(origin, client, issued)
        super().__init__(engine, self._downstream, self._upstream)

    def _issued(self) -> list[Future[None]]:
        """What was announced since the last write to either peer, and is not heard yet."""
        database = self.state.database
        return [] if database is None else database.generations.take_issued()

    # -- strict hits of the fast lane

    _fast: SharedFastLane

    def from_client(self, data: bytes) -> None:
        """Bytes of the client. What comes behind a turn that waits takes the slow lane with it."""
        if self._unsure is not None:
            self._stop_waiting()
        super().from_client(data)

    def _take_slowly(self, data: bytes) -> None:
        entry, database = self._fast.take_awaited(), self.state.database
        if entry is None or database is None or database.space is None:
            super()._take_slowly(data)
            return
        self._unsure = data
        database.space.confirmer.ask(entry, partial(self._on_confirmed, entry, data))

    def _on_confirmed(self, entry: Entry, data: bytes, is_current: bool) -> None:
        if self._unsure is not data:
            return  # it did not wait
        try:
            self._answer_confirmed(entry, data, is_current)
        except BaseException:
            self._client.close()  # as the loop does where it calls: nobody else would end the wait
            raise

    def _answer_confirmed(self, entry: Entry, data: bytes, is_current: bool) -> None:
        fast, answer = self._fast, None
        if is_current and (fast.is_open or self._may_be_fast()) and fast.answers:
            answer = fast.answer_confirmed(entry, data)
        if answer is None:
            self._stop_waiting()
        else:
            self._unsure = None
            self._client.send_all([answer] if answer else fast.pieces)

    def _stop_waiting(self) -> None:
        data, self._unsure = self._unsure, None
        if data is not None:
            super()._take_slowly(data)

    def client_gone(self) -> bool:
        """The client has left."""
        self._stop_waiting()
        return super().client_gone()

    def wants_cancel(self) -> bool:
        """Whether a cancel request is for something that the origin is doing."""
        self._stop_waiting()
        return super().wants_cancel()

    @property
    def is_holding_back(self) -> bool:
        """Whether the origin has yet to hear what the client sent."""
        return self._unsure is not None or not self._upstream.is_open or super().is_holding_back

    async def sent(self) -> None:
        """Wait until it has, as far as that is decided."""
        await super().sent()
        is_open = Event()
        self._upstream.when_open(is_open.set)
        await is_open.wait()

    def hold_answers(self, full: bool) -> None:
        """Answer no more while the client does not read what it has got (W-43)."""
        self._stop_waiting()
        super().hold_answers(full)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is underway."""
        return self._unsure is None and super().is_idle

    # -- the end

    def lost(self, then: Then) -> None:
        """The origin is gone; the client still hears what it is owed, then the end."""
        self._unsure = None
        super().lost(lambda: None)
        self._downstream.when_open(then)


def make_session(engine: Engine, client: Peer, origin: Peer) -> Session:
    """A session as the store asks for."""
    return (Session if engine.link is None else SharedSession)(engine, client, origin)

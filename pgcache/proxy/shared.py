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
from typing import Final, NamedTuple

from pgcache.cache.entry import Entry
from pgcache.cache.shared.fetching import fetch
from pgcache.proxy.asking import SharedJoiner
from pgcache.proxy.chores import look_first
from pgcache.proxy.engine import Engine
from pgcache.proxy.fast import FastLane
from pgcache.proxy.flow import Peer, Then
from pgcache.proxy.lane import UNKNOWN, Lane, Piece, Turn, make_turn
from pgcache.proxy.recipe import Proof, Shape, make_exact, make_recipe
from pgcache.proxy.runs import Gatherer
from pgcache.proxy.session import Session
from pgcache.proxy.state import State
from pgcache.proxy.upward import upward
from pgcache.proxy.valve import Valve

# Larger entries travel so long that the way through the slow lane does not matter.
_MAX_SOUGHT: Final = 64 * 1024


class Sought(NamedTuple):
    """An entry that the store probably has. ``key``: its own; ``version``: of the generations when
    it was sought."""

    shape: Shape
    key: bytes
    version: int


class SharedFastLane(FastLane):
    """The fast lane, while the memory tier is known to be what the store says.

    Strict turns are answered once the store has confirmed their entry, and those whose entry is
    probably there once it has been fetched: ``answer`` finds out what has to be asked for, which
    ``take_wanted`` hands out, and ``answer_confirmed`` starts anew.
    """

    __slots__ = ("_confirmed", "_wanted")

    def __init__(self, state: State, gatherer: Gatherer) -> None:
        super().__init__(state, gatherer)
        self._wanted: Entry | Sought | None = None
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
        """The whole answer to ``data``, whose ``entry`` the store has just confirmed or given."""
        self._confirmed = entry
        answer = self.answer(data)
        self._wanted = self._confirmed = None
        return answer

    def answer_fetched(self, sought: Sought, entry: Entry, data: bytes) -> bytes | None:
        """The same where nothing at all has changed since ``entry`` was ``sought``; else None.

        Only where the lane has been open ever since. What the entry was captured on is current
        while the version is the one at which that was done.
        """
        generations, database, shape = self._generations, self._state.database, sought.shape
        if sought.version != generations.version or database is None:
            return None
        if shape.epoch != database.epoch or not shape.takes(entry):
            return None
        if entry.look_at <= self._clock():
            return None
        pieces = shape.answer(entry)
        turn = make_turn(entry, pieces, generations, shape.leaves, strict=shape.strict)
        turn.version = UNKNOWN
        self._count(turn)
        self._played, self._data = turn, data
        return turn.answer

    def take_wanted(self) -> Entry | Sought | None:
        """What the last turn can be answered from once the store has confirmed or given it."""
        wanted, self._wanted = self._wanted, None
        return wanted

    def _answer_pipeline(self, data: bytes) -> bytes | None:
        wanted = self._wanted
        answer = super()._answer_pipeline(data)
        if answer is None:
            self._wanted = wanted  # of several turns the slow lane asks
        return answer

    def _seek(self, shape: Shape, question: bytes, now: float) -> Entry | None:
        confirmed = self._confirmed
        if confirmed is not None:
            is_it = confirmed.key == question
            return confirmed if is_it and confirmed.is_live(self._generations, now) else None
        if shape.is_elsewhere:
            self._wanted = Sought(shape, question, self._version)
        return None

    def _renew(self, lane: Lane, key: bytes, turn: Turn) -> bool:
        if not super()._renew(lane, key, turn):
            return False
        if turn.strict:
            turn.version = UNKNOWN
            if turn.entry is not self._confirmed:
                self._wanted = turn.entry
                return False
        return True

    def passes(self, data: bytes) -> bool:
        """Whether ``data`` may go to the origin at once: not what waits for the store."""
        return self._wanted is None and super().passes(data)

    def prove(self, raw: bytes, answer: Sequence[Piece], proof: Proof) -> None:
        """Eventual hits are proved by the memory tier, not by what the store has just said: of
        that is remembered where it was."""
        state, entry = self._state, proof.entry
        if proof.strict or not state.fetched:
            super().prove(raw, answer, proof)
        if entry.key in state.brought and entry.size <= _MAX_SOUGHT and self.open():
            self._note_elsewhere(raw, answer, proof)

    def _note_elsewhere(self, raw: bytes, answer: Sequence[Piece], proof: Proof) -> None:
        place = self._place(raw, proof)
        if place is None or not self.answers:
            return
        (lane, key), parse = place, proof.parse or b""
        shape: Shape | None = make_recipe(self._state, proof, raw, parse=parse)
        if shape is not None:
            key = parse
        else:
            shape = make_exact(self._state, proof, raw, answer)
        if shape is not None:
            shape.is_elsewhere = True
            self._state.engine.lanes.remember_shape(lane, key, shape)


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
        wanted, database = self._fast.take_wanted(), self.state.database
        space = None if database is None else database.space
        if wanted is None or space is None:
            super()._take_slowly(data)
        elif isinstance(wanted, Entry):
            self._unsure = data
            space.confirmer.ask(wanted, partial(self._on_confirmed, wanted, data))
        else:
            self._unsure = data
            shape, answer = wanted.shape, partial(self._on_fetched, wanted, data)
            fetch(space, wanted.key, shape.tags, shape.lifetime, answer)

    def _on_confirmed(self, entry: Entry, data: bytes, is_current: bool) -> None:
        if self._unsure is data:  # else it did not wait
            self._answer_or_stop(data, entry if is_current else None)

    def _on_fetched(self, sought: Sought, data: bytes, entry: Entry | None) -> None:
        sought.shape.is_elsewhere = entry is not None
        engine, database = self.state.engine, self.state.database
        if entry is not None:
            look_first(engine, entry)
        if self._unsure is data:
            self._answer_or_stop(data, entry, sought)
        if entry is not None and database is not None:
            engine.store.put(entry, database.generations, engine.clock())

    def _answer_or_stop(
        self, data: bytes, entry: Entry | None, sought: Sought | None = None
    ) -> None:
        try:
            answer = None if entry is None else self._answer_with(entry, data, sought)
            if answer is None:
                self._stop_waiting()
                return
            self._unsure = None
            if answer:
                self._client.send(answer)
            else:
                self._client.send_all(self._fast.pieces)
        except BaseException:
            self._client.close()  # as the loop does where it calls: nobody else would end the wait
            raise

    def _answer_with(self, entry: Entry, data: bytes, sought: Sought | None) -> bytes | None:
        fast, answer = self._fast, None
        if sought is not None and fast.is_open and fast.answers:
            answer = fast.answer_fetched(sought, entry, data)
        if answer is None and (fast.is_open or self._may_be_fast()) and fast.answers:
            answer = fast.answer_confirmed(entry, data)
        return answer

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

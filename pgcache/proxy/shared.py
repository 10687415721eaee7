"""A session where several proxies share a store: the same slow lane, with waits for the others.

Nothing that may commit leaves before the others know of its locks, and no end of a reply reaches
the client before they know what has moved (T-10). A question that the memory tier cannot answer
asks the store before it is forwarded, and so gets the entry, or leave to run it for all (P7).

Counterpart: ``session`` is the slow lane. Without a shared store nothing in here is used.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from functools import partial

from pgcache.cache.entry import Entry
from pgcache.cache.flights import Follow, Lead
from pgcache.cache.shared.lookup import Grant, Wanted, look_up
from pgcache.cache.shared.space import Space
from pgcache.proxy.chores import take_in
from pgcache.proxy.decide import Ask, flight_key, may_be_stale, must_be_fetched
from pgcache.proxy.engine import Engine
from pgcache.proxy.fast import FastLane
from pgcache.proxy.flow import Peer, Then
from pgcache.proxy.joining import MAX_ATTEMPTS, Joiner
from pgcache.proxy.lane import UNKNOWN, Lane, Piece, Turn
from pgcache.proxy.recipe import Proof
from pgcache.proxy.runs import Gatherer, Run
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


class SharedJoiner(Joiner):
    """Joins flights of this process, and asks the store before it leads one."""

    __slots__ = ("_answers", "_asking", "_lead", "_whose")

    def __init__(self, state: State, go_on: Callable[[], None]) -> None:
        super().__init__(state, go_on)
        self._asking: asyncio.Task[None] | None = None
        self._lead: Lead | None = None  # of the question that is being asked
        self._whose: Run | None = None  # what follows belongs to this run
        self._answers: dict[bytes, Lead | None] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether the session waits for the store, or for another client's flight."""
        return self._asking is not None or super().is_waiting

    def take_landed(self, run: Run) -> Entry | None:
        """What a flight brought; what the store brought for another run is forgotten."""
        self._belong(run)
        return super().take_landed(run)

    def _belong(self, run: Run) -> None:
        if run is not self._whose:
            self._whose = run
            self._forget()

    def _forget(self) -> None:
        self._state.fetched.clear()
        for lead in self._answers.values():
            if lead is not None:
                lead.fail()
        self._answers.clear()

    def join(self, question: Ask, run: Run, limit: int) -> Lead | Follow | None:
        """Lead, follow or wait for the store (a ``Follow`` as well), or None: run it alone."""
        self._belong(run)
        key = question.key + limit.to_bytes(4, "big") if limit else question.key
        if key in self._answers:
            return self._answers.pop(key)
        space = question.database.space
        if question.shadow or run.attempts >= MAX_ATTEMPTS or space is None or not space.is_usable:
            return None
        wanted = self._wanted(question, limit)
        lead = self._new_lead(question, run, limit, key, wanted)
        if not isinstance(lead, Lead):
            return lead
        self._lead = lead
        self._asking = asyncio.get_running_loop().create_task(self._ask(space, wanted, lead, key))
        return Follow(lead)

    def _new_lead(
        self, question: Ask, run: Run, limit: int, key: bytes, wanted: Wanted
    ) -> Lead | Follow | None:
        if not (question.strict or wanted.is_stale):
            return super().join(question, run, limit)
        # Whether a flight may be joined is the store's to say.
        database = question.database
        return database.flights.lead_alone(key, question.tags, database.generations)

    def _wanted(self, question: Ask, limit: int) -> Wanted:
        now = self._state.engine.clock()
        live = self._at_hand(question, limit, now) if question.strict else None
        stale, grace = None, 0.0
        if live is None and question.grace > 0 and not question.refresh:
            stale = self._stale_at_hand(question, limit, now)
            rows = limit if stale is None else 0 if stale.complete else stale.row_count
            if must_be_fetched(question, flight_key(question, rows)):
                stale = None
            else:
                grace = question.grace
        return Wanted(
            question.key,
            question.tags,
            question.lifetime,
            limit,
            described=question.described,
            fresh=question.refresh,
            at_hand=live or stale,
            is_stale=stale is not None,
            grace=grace,
        )

    def _at_hand(self, question: Ask, limit: int, now: float) -> Entry | None:
        """The live entry that the store has only to confirm."""
        if question.refresh:
            return None
        store, generations = self._state.engine.store, question.database.generations
        entry = store.get(question.key, generations, now)
        if entry is None or not entry.holds(limit) or now >= entry.stored_at + question.lifetime:
            return None
        return entry if _is_comparable(question, entry) else None

    def _stale_at_hand(self, question: Ask, limit: int, now: float) -> Entry | None:
        """The same of one that is within its grace."""
        store, generations = self._state.engine.store, question.database.generations
        entry = store.get_stale(question.key, generations, now)
        if entry is None or not may_be_stale(question, entry, limit, now):
            return None
        return entry if _is_comparable(question, entry) else None

    async def _ask(self, space: Space, wanted: Wanted, lead: Lead, key: bytes) -> None:
        found: Entry | Grant | None = None
        try:
            found = await look_up(space, wanted)
        finally:
            if self._lead is lead:
                self._asking = self._lead = None
                self._settle(wanted, lead, key, found)
            elif isinstance(found, Grant):
                found.release()
        self._go_on()
        if self._asking is None:
            self._forget()  # the run went another way, or has to ask again

    def _settle(self, wanted: Wanted, lead: Lead, key: bytes, found: Entry | Grant | None) -> None:
        state = self._state
        if isinstance(found, Grant):
            lead.grant = found
            self._answers[key] = lead
        elif isinstance(found, Entry):
            state.fetched[wanted.key] = found
            if self._whose is not None:
                # One that does not fit after all is not asked for without end.
                self._whose.attempts += 1
            if found is not wanted.at_hand and state.database is not None:
                take_in(state.engine, state.database, found)
            lead.finish(found)
        else:
            self._answers[key] = None
            lead.fail()

    def leave(self) -> None:
        """Stop waiting; the run goes on by itself."""
        self._forget()
        asking, lead = self._asking, self._lead
        if asking is not None and lead is not None:
            self._asking = self._lead = None
            asking.cancel()
            lead.fail()
            if self._whose is not None:
                self._whose.attempts = MAX_ATTEMPTS
        super().leave()


def _is_comparable(question: Ask, entry: Entry) -> bool:
    """Whether the store knows the entry, and it would do."""
    is_described = entry.row_description is not None or not question.described
    return bool(entry.shared) and is_described


class SharedSession(Session):
    """The slow lane of one session, with its waits."""

    __slots__ = ("_downstream", "_unsure")

    _joiners, _fast_lanes = SharedJoiner, SharedFastLane

    def __init__(self, engine: Engine, client: Peer, origin: Peer) -> None:
        issued = upward(self._issued, [])
        self._downstream = Valve(client, origin, issued)
        self._unsure: bytes | None = None  # a turn whose answer is at hand, once it is confirmed
        super().__init__(engine, self._downstream, Valve(origin, client, issued))

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

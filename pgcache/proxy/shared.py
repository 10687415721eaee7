"""A session where several proxies share a store: the same slow lane, with waits for the others.

Nothing that may commit leaves before the others know of its locks, and no end of a reply reaches
the client before they know what has moved (T-10). A question that the memory tier cannot answer
asks the store before it is forwarded, and so gets the entry, or leave to run it for all (P7).

Counterpart: ``session`` is the slow lane. Without a shared store nothing in here is used.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable

from pgcache.cache.entry import Entry
from pgcache.cache.flights import Follow, Lead
from pgcache.cache.shared.lookup import Grant, Wanted, look_up
from pgcache.cache.shared.space import Space
from pgcache.proxy.decide import Ask
from pgcache.proxy.engine import Engine
from pgcache.proxy.fast import FastLane
from pgcache.proxy.flow import Peer, Then
from pgcache.proxy.joining import MAX_ATTEMPTS, Joiner
from pgcache.proxy.recipe import Proof
from pgcache.proxy.runs import Run
from pgcache.proxy.session import Session
from pgcache.proxy.state import State
from pgcache.proxy.valve import Valve


class SharedFastLane(FastLane):
    """The fast lane, while the memory tier is known to be what the store says."""

    __slots__ = ()

    def answer(self, data: bytes) -> bytes | None:
        """The whole answer to ``data``. HOT PATH: one look more, because a process that was
        stopped, or whose channel is silent, may have missed something (T-12)."""
        database = self._state.database
        if database is None or database.space is None:
            return None
        if not database.space.is_trusted(self._clock()):
            return None
        return super().answer(data)

    def prove(self, raw: bytes, answer: bytes, proof: Proof) -> None:
        """What the store itself has just said is not proved: strict questions ask it each time."""
        if not self._state.fetched:
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
        lead = self._new_lead(question, run, limit, key)
        if not isinstance(lead, Lead):
            return lead
        wanted = self._wanted(question, limit)
        self._lead = lead
        self._asking = asyncio.get_running_loop().create_task(self._ask(space, wanted, lead, key))
        return Follow(lead)

    def _new_lead(self, question: Ask, run: Run, limit: int, key: bytes) -> Lead | Follow | None:
        if not question.strict:
            return super().join(question, run, limit)
        # Whether a flight may be joined is the store's to say.
        database = question.database
        return database.flights.lead_alone(key, question.tags, database.generations)

    def _wanted(self, question: Ask, limit: int) -> Wanted:
        state = self._state
        at_hand = None
        if question.strict and not question.refresh:
            now = state.engine.clock()
            at_hand = state.engine.store.get(question.key, question.database.generations, now)
            if at_hand is not None and (
                not at_hand.holds(limit)
                or not at_hand.shared
                or now >= at_hand.stored_at + question.lifetime
                or (question.described and at_hand.row_description is None)
            ):
                at_hand = None
        return Wanted(
            question.key,
            question.tags,
            question.lifetime,
            limit,
            described=question.described,
            fresh=question.refresh,
            at_hand=at_hand,
        )

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
                engine = state.engine
                engine.store.put(found, state.database.generations, engine.clock())
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


class SharedSession(Session):
    """The slow lane of one session, with its waits."""

    __slots__ = ("_downstream",)

    _joiners, _fast_lanes = SharedJoiner, SharedFastLane

    def __init__(self, engine: Engine, client: Peer, origin: Peer) -> None:
        self._downstream = Valve(client, origin, self._issued)
        super().__init__(engine, self._downstream, Valve(origin, client, self._issued))

    def _issued(self) -> list[Future[None]]:
        """What was announced since the last write to either peer, and is not heard yet."""
        database = self.state.database
        return [] if database is None else database.generations.take_issued()

    def lost(self, then: Then) -> None:
        """The origin is gone; the client still hears what it is owed, then the end."""
        super().lost(lambda: None)
        self._downstream.when_open(then)


def make_session(engine: Engine, client: Peer, origin: Peer) -> Session:
    """A session as the store asks for."""
    return (Session if engine.link is None else SharedSession)(engine, client, origin)

"""Asking the shared store what the memory tier cannot answer, while the session's run waits.

The answer is an entry, or leave to run the query for all proxies (P7), or that it is to be run
alone. Counterpart: ``joining`` where there is no such store; ``cache/shared/lookup`` asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from pgcache.cache.entry import Entry
from pgcache.cache.flights import Follow, Lead
from pgcache.cache.shared.lookup import Grant, Wanted, look_once, look_up
from pgcache.cache.shared.space import Space
from pgcache.proxy.chores import take_in
from pgcache.proxy.decide import Ask, flight_key, may_be_stale, must_be_fetched
from pgcache.proxy.joining import MAX_ATTEMPTS, Joiner
from pgcache.proxy.runs import Run
from pgcache.proxy.state import State

# So many questions of one run are asked at once; longer runs are not looked up in the store.
_MAX_SEVERAL: Final = 16


class Asked(NamedTuple):
    """A question that the store is asked; ``key``: what it is called in the air."""

    wanted: Wanted
    lead: Lead
    key: bytes


Look = Callable[[Space, Wanted], Awaitable[Entry | Grant | None]]


class SharedJoiner(Joiner):
    """Joins flights of this process, and asks the store before it leads one."""

    __slots__ = ("_answers", "_asked", "_asking", "_whose")

    def __init__(self, state: State, go_on: Callable[[], None]) -> None:
        super().__init__(state, go_on)
        self._asking: asyncio.Task[None] | None = None
        self._asked: list[Asked] = []  # what is being asked
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
        self._state.brought.clear()
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
        self._begin(space, [Asked(wanted, lead, key)], look_up)
        return Follow(lead)

    def join_several(
        self, questions: Sequence[tuple[Ask, int]], run: Run
    ) -> list[Lead | None] | None:
        """The same for all that a run misses, each with its limit; None: it waits for the store.

        Nothing of what others are at is waited for: two runs could wait for each other.
        """
        self._belong(run)
        keys = [flight_key(question, limit) for question, limit in questions]
        if self._answers.keys() >= set(keys):
            return [self._answers.pop(key, None) for key in keys]
        database = questions[0][0].database
        space, flights = database.space, database.flights
        is_idle = run.attempts >= MAX_ATTEMPTS or len(keys) > _MAX_SEVERAL
        if is_idle or space is None or not space.is_usable:
            return [None] * len(keys)
        asked: dict[bytes, Asked] = {}
        for key, (question, limit) in zip(keys, questions, strict=True):
            lead = None
            if not question.shadow and key not in asked:
                lead = flights.lead_alone(key, question.tags, database.generations)
            if lead is not None:
                asked[key] = Asked(self._wanted(question, limit), lead, key)
            else:
                self._answers.setdefault(key, None)
        if not asked:
            return [None] * len(keys)
        self._begin(space, list(asked.values()), look_once)
        return None

    def _begin(self, space: Space, asked: list[Asked], look: Look) -> None:
        self._asked = asked
        self._asking = asyncio.get_running_loop().create_task(self._ask(space, asked, look))

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

    async def _ask(self, space: Space, asked: list[Asked], look: Look) -> None:
        found: list[Entry | Grant | None] = [None] * len(asked)

        async def ask(number: int) -> None:
            found[number] = await look(space, asked[number].wanted)

        try:
            if len(asked) == 1:
                await ask(0)
            else:
                await asyncio.gather(*map(ask, range(len(asked))))
        finally:
            if self._asked is asked:
                self._asking, self._asked = None, []
                self._settle(asked, found)
            else:
                for one in found:
                    if isinstance(one, Grant):
                        one.release()
        self._go_on()
        if self._asking is None:
            self._forget()  # the run went another way, or has to ask again

    def _settle(self, asked: list[Asked], found: list[Entry | Grant | None]) -> None:
        if self._whose is not None and any(isinstance(one, Entry) for one in found):
            # One that does not fit after all is not asked for without end.
            self._whose.attempts += 1
        for one, answer in zip(asked, found, strict=True):
            self._settle_one(one, answer)

    def _settle_one(self, asked: Asked, found: Entry | Grant | None) -> None:
        state, wanted, lead = self._state, asked.wanted, asked.lead
        if isinstance(found, Grant):
            lead.grant = found
            self._answers[asked.key] = lead
        elif isinstance(found, Entry):
            state.fetched[wanted.key] = found
            if found is not wanted.at_hand and state.database is not None:
                take_in(state.engine, state.database, found)
                state.brought.add(wanted.key)
            lead.finish(found)
        else:
            self._answers[asked.key] = None
            lead.fail()

    def leave(self) -> None:
        """Stop waiting; the run goes on by itself."""
        self._forget()
        asking, asked = self._asking, self._asked
        if asking is not None:
            self._asking, self._asked = None, []
            asking.cancel()
            for one in asked:
                one.lead.fail()
            if self._whose is not None:
                self._whose.attempts = MAX_ATTEMPTS
        super().leave()


def _is_comparable(question: Ask, entry: Entry) -> bool:
    """Whether the store knows the entry, and it would do."""
    is_described = entry.row_description is not None or not question.described
    return bool(entry.shared) and is_described

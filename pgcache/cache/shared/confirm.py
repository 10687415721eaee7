"""Confirming entries of the memory tier: whether the store's tokens are still theirs (strict).

What is asked for while an answer is underway is one question together, of native commands: what
may be served is decided here, as the script ``fetch`` would. Whatever is not plainly confirmed is
not served; ``lookup`` then asks with the script, and finds out why.

Counterpart: ``lookup`` for everything else. Must not know: sessions.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Callable
from typing import Final

import structlog

from pgcache.cache.entry import Entry
from pgcache.cache.shared.contract import Fields, Stop, StoreLost
from pgcache.cache.shared.standing import FIELDS, Viewpoint, Witness, fields_of, join

log = structlog.get_logger("pgcache.store")

_NONE: Final = frozenset[int]()

Answer = Callable[[bool], None]


class Batch:
    """What is asked at once, and as whom. ``stop``: what stops the waiting."""

    __slots__ = ("_hear", "asked", "entries", "stop", "tags", "view")

    def __init__(
        self,
        asked: list[tuple[Entry, Answer]],
        witness: Witness,
        hear: Callable[[Batch, Fields | StoreLost], None],
    ) -> None:
        self.asked = asked
        self.entries = {id(entry): entry for entry, _ in asked}
        self.tags = asked[0][0].tags
        if len(self.entries) > 1:
            every = self.entries.values()
            self.tags = tuple(dict.fromkeys(tag for entry in every for tag in entry.tags))
        self.view = Viewpoint(witness)
        self.stop: Stop | None = None
        self._hear = hear

    def hear(self, found: Fields | StoreLost) -> None:
        """The store has answered."""
        self._hear(self, found)

    def give_up(self) -> None:
        """It has not, and it took too long."""
        if self.stop is not None:
            self.stop()
        self.hear(StoreLost("no answer in time"))


class Confirmer:
    """Asks for one database: at once where nothing is underway, else together when it is over."""

    __slots__ = ("_asked", "_batch", "_witness")

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._asked: list[tuple[Entry, Answer]] = []
        self._batch: Batch | None = None  # underway

    def ask(self, entry: Entry, answer: Answer) -> None:
        """Call ``answer`` soon with whether ``entry`` was current after this call. Never at once,
        and never with an error."""
        self._asked.append((entry, answer))
        if self._batch is None:
            self._begin()

    def _begin(self) -> None:
        witness, link = self._witness, self._witness.link
        asked, self._asked = self._asked, []
        batch = self._batch = Batch(asked, witness, self._hear)
        if not witness.is_usable or witness.keys is None:
            get_running_loop().call_soon(self._end, batch, _NONE)
            return
        link.counts.fetches += 1
        fields = fields_of(batch.tags)
        batch.stop = link.client.peek_soon(witness.keys.state, fields, batch.hear)
        if batch.stop is None:
            link.background(self._ask_slowly(batch, fields))
        else:
            link.deadlines.add(batch)

    async def _ask_slowly(self, batch: Batch, fields: tuple[bytes, ...]) -> None:
        """Where a connection has to be opened first."""
        confirmed = _NONE
        try:
            confirmed = self._judge(batch, *await self._witness.peek(fields))
        except StoreLost:
            self._witness.doubt()
        finally:
            self._end(batch, confirmed)

    def _hear(self, batch: Batch, found: Fields | StoreLost) -> None:
        """HOT PATH: see ``make bench-shared``."""
        link, confirmed = self._witness.link, _NONE
        if isinstance(found, StoreLost):
            link.note_failure(found, batch.view.era)
            self._witness.doubt()
        elif link.era == batch.view.era:
            confirmed = self._judge(batch, *found)
        self._end(batch, confirmed)

    def _end(self, batch: Batch, confirmed: frozenset[int]) -> None:
        self._batch = None
        self._witness.link.deadlines.done(batch)
        if self._asked:
            self._begin()
        for entry, answer in batch.asked:
            try:
                answer(id(entry) in confirmed)
            except Exception:  # one session's trouble is not another's
                log.exception("a hit could not be answered")

    def _judge(self, batch: Batch, values: list[bytes | None], now: int) -> frozenset[int]:
        """Which entries stand."""
        witness = self._witness
        orders = witness.orders
        if not witness.standing.may_serve(batch.view, values, now, orders):
            return _NONE
        tokens = dict(zip(batch.tags, values[len(FIELDS) :], strict=True))
        of_all = values[len(FIELDS) - 2 : len(FIELDS)]
        found = frozenset(
            number
            for number, entry in batch.entries.items()
            if entry.shared
            and (vector := join([*of_all, *map(tokens.get, entry.tags)])) is not None
            and entry.shared == vector + orders.token(entry.key)
        )
        witness.link.counts.confirmed += sum(id(entry) in found for entry, _ in batch.asked)
        return found

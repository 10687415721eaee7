"""Getting entries whose key is known: rows and tokens by native commands, in one round trip.

For questions of which the store probably has a result. What may be served is decided here, as the
script ``fetch`` would; whatever is not plainly right is not served, and ``lookup`` then asks with
that script, which also gives leave to run the query. The tokens are read before the value, and a
value holds those it was filled with: where they are the same, nothing had moved when they were
read, which was after the question was asked (T-12).

Counterparts: ``confirm``, for entries at hand; ``lookup`` for everything else. Must not know:
sessions.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Callable

import structlog

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Tag, Vector
from pgcache.cache.shared.codec import HEAD, MAGIC, METHOD, Arrival, BadValue, end_of, read_times
from pgcache.cache.shared.compress import Tally
from pgcache.cache.shared.contract import Found, Stop, StoreLost
from pgcache.cache.shared.keys import digest
from pgcache.cache.shared.standing import FIELDS, Viewpoint, Witness, fields_of, join

log = structlog.get_logger("pgcache.store")

Answer = Callable[[Entry | None], None]


class Fetch(Viewpoint):
    """One question, and what was known here when it was sent. ``lifetime`` bounds the age, in
    seconds; ``sent`` is in monotonic seconds."""

    __slots__ = (
        "answer",
        "key",
        "lifetime",
        "name",
        "sent",
        "stop",
        "tags",
        "token",
        "vector",
        "witness",
    )

    def __init__(
        self,
        witness: Witness,
        key: bytes,
        tags: tuple[Tag, ...],
        lifetime: float,
        vector: Vector,
        answer: Answer,
    ) -> None:
        super().__init__(witness)
        self.witness = witness
        self.key = key
        self.tags = tags
        self.lifetime = lifetime
        self.vector = vector
        self.answer = answer
        self.token = witness.orders.token(key)
        self.sent = 0.0
        self.name = b""
        self.stop: Stop | None = None

    def hear(self, found: Found | StoreLost) -> None:
        """The store's answer. HOT PATH: see ``make bench-shared``."""
        witness, entry = self.witness, None
        link = witness.link
        link.deadlines.done(self)
        if isinstance(found, StoreLost):
            link.note_failure(found, self.era)
            witness.doubt()
        elif link.era == self.era:
            values, now, value, kept = found
            orders = witness.orders
            if value and kept >= 0 and witness.standing.may_serve(self, values, now, orders):
                entry = self._read(values, now, value, kept)
        try:
            self.answer(entry)
        except Exception:  # one session's trouble is not another's
            log.exception("a hit could not be answered")

    def give_up(self) -> None:
        """It took too long."""
        if self.stop is not None:
            self.stop()
        self.hear(StoreLost("no answer in time"))

    def _read(self, values: list[bytes | None], now: int, value: bytes, kept: int) -> Entry | None:
        """The entry in ``value``. Its age and its end are told by Redis' clock, and counted from
        when the question was sent: the answer may have taken a while."""
        link, shared = self.witness.link, join(values[len(FIELDS) - 2 :])
        if shared is None:
            return None
        shared += self.token  # of the orders that stand, as was compared
        if not value.startswith(MAGIC) or value[HEAD : HEAD + len(shared)] != shared:
            return None  # something has moved since
        if len(value) >= link.codec.min_bytes:
            return None  # it takes a while to be read, which is not for the event loop to do
        tally = Tally() if value[METHOD] else None
        try:
            stored, ends = read_times(value)
            age, left, sent = (now - stored) / 1000, (ends - now) / 1000, self.sent
            if left <= 0 or age >= self.lifetime:
                return None
            grace = max(0.0, kept / 1000 - left)
            end = end_of(sent - age, sent + left, self.lifetime)
            arrival = Arrival(self.key, self.tags, self.vector, shared, sent - age, end, grace)
            entry = link.codec.decode(self.name, value, arrival, tally)
        except BadValue as error:
            link.refuse(error)
            return None
        link.counts.hits += 1
        if tally is not None:
            link.counts.add_expanded(tally)
        return entry


def fetch(
    witness: Witness, key: bytes, tags: tuple[Tag, ...], lifetime: float, answer: Answer
) -> None:
    """Call ``answer`` soon with the store's entry of ``key``, as it stood after this call, or with
    None: never at once, and never with an error."""
    keys = witness.keys
    vector = witness.generations.capture(tags)
    if vector is None or keys is None or not witness.is_usable:
        get_running_loop().call_soon(answer, None)
        return
    link = witness.link
    asked = Fetch(witness, key, tags, lifetime, vector, answer)
    asked.name, asked.sent = keys.entry(digest(key)), link.count_fetch()
    asked.stop = link.client.fetch_soon(keys.state, fields_of(tags), asked.name, asked.hear)
    if asked.stop is None:
        get_running_loop().call_soon(answer, None)
    else:
        link.deadlines.add(asked)

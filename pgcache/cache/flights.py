"""Single flight: however many clients ask the same cold question, the origin runs it once (P7).

The first to ask a key leads; those who come later follow and are called when the flight lands.
A follower may share the leader's result only if nothing moved and nothing is locked since the
leader started (T-17): otherwise a client that has just committed could be handed older rows.

Counterpart: ``proxy/`` joins before it forwards a miss. Must not know: what runs the query.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations, Tag, Vector

Landing = Callable[[Entry | None], None]

_MAX_FORGONE: Final = 10_000


class Grant(Protocol):
    """What a leader holds beside its flight."""

    def fill(self, entry: Entry) -> None:
        """Use it: give the result to all."""

    def release(self, *, worth_it: bool = True) -> None:
        """Give it back, unless it was used. ``worth_it``: others may try."""


class Lead:
    """The leader's side: run the query, fill with ``vector``, then ``finish`` or ``fail`` once."""

    __slots__ = ("_flights", "_followers", "grant", "key", "landed", "started_at", "tags", "vector")

    def __init__(
        self, flights: Flights, key: bytes, tags: tuple[Tag, ...], vector: Vector, now: float
    ) -> None:
        self.key = key
        self.tags = tags
        self.vector = vector
        self.started_at = now
        self.landed = False
        self.grant: Grant | None = None  # a shared store's leave to run it for all proxies
        self._flights = flights
        self._followers: dict[Follow, None] = {}

    def __repr__(self) -> str:
        return f"<Lead {len(self._followers)} followers{', landed' if self.landed else ''}>"

    @property
    def followers(self) -> int:
        """How many wait for this flight."""
        return len(self._followers)

    def finish(self, entry: Entry | None) -> None:
        """Land: followers are called with ``entry``; None tells each to go on by itself.

        The entry need not have been stored: what moved after a follower came does not matter to
        it, since its question and the write ran side by side. A second landing does nothing.
        """
        if self.landed:
            return
        self.landed = True
        self._flights._forget(self)
        if self.grant is not None:
            self.grant.release()
        followers = list(self._followers)
        self._followers.clear()
        errors: list[Exception] = []
        for follower in followers:
            try:
                follower._land(entry)
            except Exception as error:  # one follower's trouble must not strand the others
                errors.append(error)
        if errors:
            raise ExceptionGroup("followers failed to go on", errors)

    def fail(self) -> None:
        """Land without a result (error, cancel, client gone): followers go on by themselves.

        Each is called with None and may join again: the first of them then leads.
        """
        self.finish(None)


class Follow:
    """A follower's side: give ``on_landing`` a callable, or ``leave``."""

    __slots__ = ("_landing", "_lead")

    def __init__(self, lead: Lead) -> None:
        self._lead: Lead | None = lead
        self._landing: Landing | None = None

    @property
    def started_at(self) -> float:
        """When the flight that this follows started (monotonic seconds); 0 when it landed."""
        return 0.0 if self._lead is None else self._lead.started_at

    def on_landing(self, landing: Landing) -> None:
        """Have ``landing`` called once with the entry, or None; never if this leaves before."""
        self._landing = landing

    def leave(self) -> None:
        """Stop following (client gone, cancelled, patience over). Leaving twice is nothing."""
        if self._lead is not None:
            self._lead._followers.pop(self, None)
            self._lead = None

    def _land(self, entry: Entry | None) -> None:
        if self._lead is None:  # left while others were being called
            return
        self._lead = None
        if self._landing is not None:
            self._landing(entry)


class Flights:
    """The flights in the air, and the keys that are not to be flown for a while.

    ``clock`` gives monotonic seconds.
    """

    __slots__ = ("_clock", "_flying", "_forgone", "_insisted", "_max_forgone")

    def __init__(self, clock: Callable[[], float], *, max_forgone: int = _MAX_FORGONE) -> None:
        self._clock = clock
        self._flying: dict[bytes, Lead] = {}
        self._forgone: dict[bytes, float] = {}
        self._max_forgone = max_forgone
        self._insisted: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._flying)

    def join(
        self, key: bytes, tags: tuple[Tag, ...], generations: Generations
    ) -> Lead | Follow | None:
        """Lead, follow, or None: run it alone, without a flight.

        None where something is locked (nothing may be filled either) or the key was forgone.
        Where a flight is in the air that started before something moved, the newcomer leads a
        new one; the older lands for its own followers only.
        """
        if self.is_forgone(key):
            return None
        if self.is_flying(key, tags, generations):
            lead = self._flying[key]
            follow = Follow(lead)
            lead._followers[follow] = None
            return follow
        vector = generations.capture(tags)
        if vector is None:
            return None
        lead = self._flying[key] = Lead(self, key, tags, vector, self._clock())
        return lead

    def lead(self, key: bytes, tags: tuple[Tag, ...], generations: Generations) -> Lead | None:
        """Lead a flight; None where one is in the air, or ``join`` gives none."""
        if self.is_flying(key, tags, generations):
            return None
        part = self.join(key, tags, generations)
        return part if isinstance(part, Lead) else None

    def is_flying(self, key: bytes, tags: tuple[Tag, ...], generations: Generations) -> bool:
        """Whether a flight is in the air whose result ``join`` would share."""
        lead = self._flying.get(key)
        return lead is not None and lead.tags == tags and generations.is_current(tags, lead.vector)

    def insist(self, key: bytes) -> None:
        """Fetching ``key`` in the background has failed: the next who asks waits for it himself."""
        while len(self._insisted) >= self._max_forgone:
            self._insisted.pop()
        self._insisted.add(key)

    def is_insisted(self, key: bytes) -> bool:
        """Whether the next who asks for ``key`` has to fetch it; true once."""
        if key not in self._insisted:
            return False
        self._insisted.discard(key)
        return True

    def lead_alone(
        self, key: bytes, tags: tuple[Tag, ...], generations: Generations
    ) -> Lead | None:
        """Lead a flight that nobody can join; None as for ``join``."""
        vector = None if self.is_forgone(key) else generations.capture(tags)
        return None if vector is None else Lead(self, key, tags, vector, self._clock())

    def forgo(self, key: bytes, until: float) -> None:
        """Remember until then that flying ``key`` is useless: its result was not cacheable."""
        self._forgone.pop(key, None)
        while len(self._forgone) >= self._max_forgone:
            del self._forgone[next(iter(self._forgone))]
        self._forgone[key] = until

    def is_forgone(self, key: bytes) -> bool:
        """Whether ``key`` is not to be flown now."""
        until = self._forgone.get(key)
        if until is None:
            return False
        if self._clock() < until:
            return True
        del self._forgone[key]
        return False

    def _forget(self, lead: Lead) -> None:
        if self._flying.get(lead.key) is lead:
            del self._flying[lead.key]

"""Recording a reply while it is forwarded.

Keeps the origin's own chunks until they are more than an entry may hold, then lets go of them and
forwarding goes on (W-43). Nothing is stored here: ``session`` does that at ReadyForQuery, when
the response rules have passed. Must not know: sockets, the store.
"""

from __future__ import annotations

from pgcache.cache.entry import Entry
from pgcache.cache.flights import Lead
from pgcache.cache.generations import Tag, Vector
from pgcache.errors.reasons import Reason
from pgcache.policy.layers import State
from pgcache.policy.plan import ReadPlan
from pgcache.proxy.recorder import Asked
from pgcache.sql.model import Script
from pgcache.wire import codes


class Capture:
    """One recording.

    ``vector``: generations captured before the query was sent (T-11). ``started``: monotonic
    seconds; ``lifetime``: seconds. ``failed``: why nothing will be stored, None while all is
    well. ``complete``: the portal ran to its end; ``row_count``: how many rows came.
    ``is_ghost``: the rows are counted and not kept (shadow mode).
    """

    __slots__ = (
        "__weakref__",
        "_chunks",
        "_size",
        "asked",
        "complete",
        "executions",
        "failed",
        "finished",
        "in_force",
        "is_ghost",
        "key",
        "lead",
        "lifetime",
        "limit",
        "note",
        "plan",
        "row_count",
        "row_description",
        "script",
        "started",
        "tags",
        "vector",
    )

    def __init__(
        self,
        key: bytes,
        plan: ReadPlan,
        tags: tuple[Tag, ...],
        vector: Vector,
        *,
        started: float,
        limit: int,
        note: str,
        lifetime: float,
        lead: Lead | None = None,
        script: Script | None = None,
        asked: Asked | None = None,
        in_force: State | None = None,
        is_ghost: bool = False,
    ) -> None:
        self.key = key
        self.plan = plan
        self.tags = tags
        self.vector = vector
        self.started = started
        self.finished = started
        self.limit = limit
        self.note = note
        self.lead = lead
        self.script = script
        self.asked = asked  # and what the session had set then: enough to ask the same again
        self.in_force = in_force
        self.is_ghost = is_ghost
        self.lifetime = lifetime
        self.row_description: bytes | None = None
        self.row_count = 0
        self.complete = False
        self.executions = 0
        self.failed: Reason | None = None
        self._chunks: list[bytes] = []
        self._size = 0

    def rows(self, data: bytes, start: int, end: int) -> None:
        """A piece of consecutive DataRows."""
        if self.failed is not None:
            return
        self._size += end - start
        if self._size > self.limit:
            self.fail(Reason.TOO_LARGE)
            return
        if not self.is_ghost:
            self._chunks.append(data if end - start == len(data) else data[start:end])

    def executed(self, kind: int, message: bytes, maximum: int, now: float) -> None:
        """An Execute with this row limit, or a Query, has come to its end, or to the limit."""
        self.finished = now
        self.executions += 1
        if kind == codes.PORTAL_SUSPENDED:
            self.row_count += maximum
        elif kind == codes.COMMAND_COMPLETE and message.startswith(b"SELECT ", 5):
            self.row_count += int(message[12:-1])
            self.complete = True
        else:
            self.fail(Reason.UNCACHEABLE_REPLY)

    def fail(self, reason: Reason) -> None:
        """Give up; followers go on by themselves."""
        if self.failed is None:
            self.failed = reason
            self._chunks.clear()
            if reason is Reason.TOO_LARGE and self.lead is not None and self.lead.grant is not None:
                self.lead.grant.release(worth_it=False)
        self.let_go()

    def let_go(self) -> None:
        """Followers go on by themselves: nobody knows when this will end (T-17)."""
        if self.lead is not None:
            lead, self.lead = self.lead, None
            lead.fail()

    def entry(self, shortened: float = 0.0) -> Entry:
        """What was recorded; its age counts from when the query was sent (P4).

        ``shortened``: the part of its lifetime that chance takes off, 0 to 1.
        """
        cost = self.finished - self.started
        lifetime = min(self.lifetime, self.plan.lifetime(cost)) * (1 - shortened)
        entry = Entry(
            self.key,
            row_description=self.row_description,
            rows=b"".join(self._chunks),
            row_count=self.row_count,
            complete=self.complete,
            tags=self.tags,
            vector=self.vector,
            stored_at=self.started,
            expires_at=self.started + lifetime,
            grace=self.plan.grace,
            stale_if_error=self.plan.stale_if_error,
            cost_ms=cost * 1000,
            note=self.note,
        )
        if self.is_ghost:
            entry.size += self._size
        return entry

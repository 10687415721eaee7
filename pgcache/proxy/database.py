"""One database as all sessions of a process share it: generations, flights, what its catalogs say.

Made by ``engine``. Must not know: bytes on the wire, sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from pgcache.cache.flights import Flights
from pgcache.cache.generations import Generations
from pgcache.cache.quarantine import Quarantine
from pgcache.cache.shared.space import Space
from pgcache.catalog.snapshot import Snapshot
from pgcache.catalog.standing import Phase
from pgcache.errors.reasons import Reason
from pgcache.invalidation.prepared import PreparedTransactions
from pgcache.metrics.counters import Source
from pgcache.metrics.moves import Moves
from pgcache.policy.effects import TEMPORARY_SCHEMA, Effects, plan_effects
from pgcache.policy.key import read_key
from pgcache.policy.matching import Narrowed
from pgcache.policy.plan import ReadPlan, View, plan_read
from pgcache.proxy.capture import Capture
from pgcache.proxy.memo import Memo
from pgcache.proxy.patience import Patience
from pgcache.sql.model import Hints, Kind, Script, Statement

if TYPE_CHECKING:  # the two name each other; only the engine makes a Database
    from pgcache.proxy.engine import Engine


class Database:
    """One database of the origin: its generations, its flights, what its catalogs say.

    ``epoch`` moves with every change of definitions; what was resolved under an older one is
    resolved again. ``doubts`` moves with what changes living sessions from outside.
    """

    __slots__ = (
        "_doubted",
        "_effects",
        "_engine",
        "_judge",
        "_plans",
        "_renamed",
        "_shared_plans",
        "doubts",
        "epoch",
        "flights",
        "generations",
        "key",
        "known",
        "moves",
        "name",
        "opened_at",
        "patience",
        "prepared_transactions",
        "quarantine",
        "recordings",
        "space",
    )

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self.key = name.encode()  # what tells its entries from other databases'
        self._engine = engine
        # its part of the shared store, where there is one
        self.space = None if engine.link is None else Space(engine.link, name, self)
        self.generations = Generations() if self.space is None else self.space.generations
        self.moves = Moves()
        self.opened_at = engine.clock()
        self.patience = Patience(engine.clock)  # for the catalogs
        self.flights = Flights(engine.clock)
        self.recordings: WeakSet[Capture] = WeakSet()  # underway
        self.quarantine = Quarantine(engine.clock)
        self.epoch = 0
        self.prepared_transactions = PreparedTransactions()
        self._plans: Memo[tuple[Script, View, Narrowed], ReadPlan] = Memo()
        # by the id of a statement, which is kept, so that no other can come to have it
        self._shared_plans: Memo[tuple[int, Hints, View], tuple[Statement, ReadPlan]] = Memo()
        # by one snapshot: each is megabytes, and none may outlive the next
        self._effects: Memo[tuple[int, View], tuple[Statement, Effects]] = Memo()
        self._judge: Snapshot | None = None
        self.known: Snapshot | None = None  # the last, until definitions surely changed
        self._doubted = (0, 0)  # what ``touches`` moved to when the catalogs were doubted, and from
        self.doubts = 0
        self._renamed: dict[str, int] = {}  # role names that mean another role since that doubt

    @property
    def snapshot(self) -> Snapshot | None:
        """What the catalogs say, while that is known to be right."""
        snapshot = self._engine.catalog.snapshot(self.name)
        if snapshot is not None:
            self.known = snapshot
            if self.space is not None:
                self.space.meet(snapshot.server.history)
        return snapshot

    @property
    def remembered(self) -> Snapshot | None:
        """What the catalogs said last, where nothing can be stored by what they say now.

        Should they say anything else when they are read again, everything goes before any of it is
        served. Other proxies that share the store may have read them already.
        """
        return self.known if self.space is None else None

    @property
    def is_loading(self) -> bool:
        """Whether the catalogs are being read, as opposed to out of reach."""
        return self._engine.catalog.state(self.name).phase is Phase.LOADING

    def plan(self, script: Script, view: View, snapshot: Snapshot, rules: Narrowed) -> ReadPlan:
        """How the one statement of ``script`` is to be cached, remembered while nothing changes.

        ``rules`` are those that may fit the session.
        """
        plan = self._plans.get((script, view, rules))
        if plan is not None:
            return plan
        # Queries that differ in constants share their statement; a rule may look at the text.
        statement, shares = script.statements[0], not rules.rules
        key = (id(statement), script.hints, view)
        known = self._shared_plans.get(key) if shares else None
        if known is not None:
            plan = known[1]
        else:
            # Whether the statement was prepared, and when, is ``decide``'s to judge.
            plan = plan_read(
                statement,
                script.hints,
                view,
                snapshot,
                self._engine.lifetimes,
                prepared=False,
                key_text=script.key_text,
                rules=rules,
            )
        size = _size_of(statement)
        self._plans.put((script, view, rules), plan, len(script.key_text) + size)
        if shares and known is None:
            self._shared_plans.put(key, (statement, plan), size)
        return plan

    def _drop_plans(self) -> None:
        self._plans.clear()
        self._shared_plans.clear()

    def effects(self, statement: Statement, view: View | None) -> Effects:
        """What running ``statement`` may change; ``view`` None: names may mean anything.

        A SELECT's functions are judged by the last snapshot also while it is looked at again
        (after idleness, say): otherwise every new client's SELECT version() would have to count
        as a write of unknown extent.
        """
        snapshot = self.snapshot
        if snapshot is None and statement.kind is Kind.SELECT:
            snapshot = self.known
        if view is None:
            schemas = () if snapshot is None else snapshot.schemas
            view = View((TEMPORARY_SCHEMA, *schemas), "")
        key = (id(statement), view)
        if self._judge is not snapshot:
            self._effects.clear()
            self._judge = snapshot
        known = self._effects.get(key)
        if known is not None:
            return known[1]
        effects = plan_effects(statement, view, snapshot)
        # The statement is kept, so that no other can come to have its id.
        self._effects.put(key, (statement, effects), _size_of(statement))
        return effects

    def forget_plans(self) -> None:
        """What was planned was planned with other options: decide everything anew."""
        self._drop_plans()
        self.generations.touch()

    def catalog_doubted(self) -> None:
        """Nobody knows the definitions, or whose they are, for now (S-15)."""
        before = self.generations.touches
        self.generations.touch()
        self._doubted = self.generations.touches, before

    def catalog_settled(self) -> None:
        """They are what they were: so is everything that was decided by them."""
        self.generations.untouch(*self._doubted)

    def schema_changed(self) -> None:
        """Definitions may have changed: cache nothing until the catalogs were read again."""
        self.generations.redefine()
        self._engine.invalidated(self, Source.SCHEMA, None)
        self.told_redefined()

    def told_redefined(self) -> None:
        """Definitions changed here or elsewhere, and the generations have moved already."""
        self.epoch += 1
        self.known = None
        self._drop_plans()
        self._engine.catalog.refresh(self.name)
        self._engine.doubt_others(self)

    def reloaded(self, old: Snapshot, new: Snapshot, *, restarted: bool) -> None:
        """The catalogs say something new, or the origin has another history (S-15)."""
        self.epoch += 1
        renamed = [name for name, oid in old.roles.items() if new.roles.get(name) != oid]
        if renamed or old.server.configured != new.server.configured:
            self.doubts += 1
            self._renamed |= dict.fromkeys(renamed, self.doubts)
        self._drop_plans()
        self.generations.move(None)
        source = Source.ORIGIN if restarted else Source.SCHEMA
        self._engine.invalidated(self, source, None)

    def is_renamed(self, role: str, since: int) -> bool:
        """Whether a session that had this role at the doubt ``since`` has one of another name."""
        return self._renamed.get(role, 0) > since

    def fail_recordings(self, fits: Callable[[bytes], bool]) -> int:
        """Give up the recordings underway whose key fits, so that none is stored; how many.

        Who waits for one asks for itself, and begins after this.
        """
        found = [one for one in self.recordings if one.failed is None and fits(one.key)]
        for recording in found:
            recording.fail(Reason.INVALIDATED)
        return len(found)

    def told_order(self, fits: Callable[[bytes], bool]) -> None:
        """Another proxy has been told to have results forgotten: those that are here too."""

        def fits_here(key: bytes) -> bool:
            return read_key(key)[0] == self.key and fits(key)

        self.fail_recordings(fits_here)
        self._engine.delete_where(fits_here)

    def told_cancel(self, digest: bytes) -> Coroutine[Any, Any, None] | None:
        """What carries out another proxy's cancel request; None: its session is not here."""
        return self._engine.on_cancel(self, digest)

    async def settled(self, patience: float) -> None:
        """Return when the catalogs have been read, or after ``patience`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._engine.catalog.wait(self.name)


def _size_of(statement: Statement) -> int:
    """Bytes of its text: what it holds of values and names is no more."""
    return statement.end - statement.start

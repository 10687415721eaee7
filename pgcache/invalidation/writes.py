"""The ledger of writes: what one session may have changed and PostgreSQL has not confirmed yet.

Two-phase invalidation around the point of commit (T-10). Before anything that can commit goes to
the origin, the relations it may change are locked: entries that read them are neither served nor
filled. When the outcome is known, the generations move (or not, after a rollback, T-06) and the
lock goes; only then does the client hear of it. An unknown outcome counts as committed (T-15).

Counterpart: ``proxy/forward`` calls this before bytes leave, ``filling`` at ReadyForQuery. Must not
know: bytes, SQL texts, clients.
"""

from __future__ import annotations

from collections.abc import Callable

from pgcache.cache.generations import Generations, Lock
from pgcache.catalog.model import EVERYTHING, Tags

# Relations that may be changed; whether definitions may be, and whether the transaction may end.
Doing = tuple[Tags, bool, bool]

NOTHING: Tags = frozenset()
NOTHING_AT_ALL: Doing = (NOTHING, False, False)


def union(left: Tags, right: Tags) -> Tags:
    """Both sets of relations."""
    if left is EVERYTHING or right is EVERYTHING:
        return EVERYTHING
    if not right:
        return left
    return (left | right) if left else right


class Group:
    """What goes to the origin up to one ReadyForQuery: a Query, or messages up to a Sync.

    ``writes``: relations it may change. ``schema``: it may change definitions. ``ends``: it may
    end the transaction. ``reads_only``: nothing in it can write, lock or change the session.
    ``errored``: an ErrorResponse came. ``rolled_back``: it did nothing but end a transaction, and
    the origin said ROLLBACK. ``only``: it failed before it ran more than this.
    """

    __slots__ = (
        "ends",
        "errored",
        "lock",
        "only",
        "reads_only",
        "rolled_back",
        "schema",
        "writes",
    )

    def __init__(self) -> None:
        self.writes: Tags = NOTHING
        self.schema = False
        self.ends = False
        self.reads_only = True
        self.errored = False
        self.rolled_back = False
        self.only: Doing | None = None
        self.lock: Lock | None = None


class WriteLedger:
    """One session's unconfirmed writes.

    ``generations`` are the database's. ``schema_changed`` is called when definitions may have
    changed, after the generations moved.
    """

    __slots__ = ("_generations", "_open", "_schema_changed", "pending", "pending_schema", "pid")

    def __init__(self, generations: Generations, schema_changed: Callable[[], None]) -> None:
        self._generations = generations
        self._schema_changed = schema_changed
        self.pid = 0  # of the backend, 0 while that is not known
        self.pending: Tags = NOTHING  # written in the open transaction
        self.pending_schema = False
        self._open: list[Group] = []  # forwarded, not yet answered

    def will_run(
        self, group: Group, writes: Tags, *, schema: bool, ends: bool, in_block: bool
    ) -> None:
        """Note what is about to be forwarded in ``group``, and lock where it may commit.

        ``in_block``: the origin surely is inside a transaction block, so that nothing commits
        unless ``ends``.
        """
        group.writes = union(group.writes, writes)
        group.schema = group.schema or schema
        group.ends = group.ends or ends
        if group not in self._open:
            self._open.append(group)
        if in_block and not group.ends:
            return
        total = self.pending
        for other in self._open:
            total = union(total, other.writes)
        if total:
            self._lock(group, total)

    def _lock(self, group: Group, tags: Tags) -> None:
        wanted = None if tags is EVERYTHING else tags
        held = group.lock
        if held is not None:
            if held.tags is None or (wanted is not None and wanted <= held.tags):
                return
            group.lock = self._generations.lock(wanted, self.pid)
            self._generations.unlock(held, moved=False)
        else:
            group.lock = self._generations.lock(wanted, self.pid)

    def ready(self, group: Group, *, in_block: bool, chained: bool) -> bool:
        """The origin is ready again after ``group``; returns whether generations moved.

        ``in_block``: a transaction block is open (also a failed one). ``chained``: the group was
        one COMMIT AND CHAIN or ROLLBACK AND CHAIN that succeeded.
        """
        if group.only is not None:
            group.writes, group.schema, group.ends = group.only
        if group in self._open:
            self._open.remove(group)
        writes = union(self.pending, group.writes)
        schema = self.pending_schema or group.schema
        if in_block and not chained:
            # Nothing is committed, unless the group committed on its way and began anew.
            self.pending, self.pending_schema = writes, schema
            committed = group.ends and (bool(writes) or schema)
        else:
            self.pending, self.pending_schema = NOTHING, False
            committed = (bool(writes) or schema) and not _surely_rolled_back(group)
        self._settle(group, writes, schema=schema, committed=committed)
        return committed

    def _settle(self, group: Group, writes: Tags, *, schema: bool, committed: bool) -> None:
        tags, lock = None if writes is EVERYTHING else writes, group.lock
        if committed and not _moves(lock, tags):
            self._generations.move(tags)
        if lock is not None:
            self._generations.unlock(lock, moved=committed)
            group.lock = None
        if committed and schema:
            self._schema_changed()

    def abandon(self) -> list[Lock]:
        """The connection is lost: the locks whose outcome nobody will hear of.

        The generations move at once; the caller keeps the locks until it knows that the backend
        is gone, because a commit may still be waiting inside it (T-10), and then calls
        ``release``. A transaction without a lock was not committing: PostgreSQL rolls it back.
        """
        locks: list[Lock] = []
        for group in self._open:
            if group.lock is not None:
                self._generations.move(group.lock.tags)
                locks.append(group.lock)
                group.lock = None
        if locks and (self.pending_schema or any(group.schema for group in self._open)):
            self._schema_changed()
        self._open.clear()
        self.pending, self.pending_schema = NOTHING, False
        return locks

    def release(self, locks: list[Lock]) -> None:
        """The backend behind abandoned locks is gone: whatever it did is visible now."""
        for lock in locks:
            self._generations.unlock(lock, moved=True)


def _moves(lock: Lock | None, tags: frozenset[int] | None) -> bool:
    """Whether all of ``tags`` move with the end of the lock: saying so twice costs a wait."""
    if lock is None:
        return False
    return lock.tags is None or (tags is not None and tags <= lock.tags)


def _surely_rolled_back(group: Group) -> bool:
    if group.rolled_back:
        return True
    # One implicit transaction, failed: PostgreSQL undid all of it. Definitions are the exception:
    # some commands (CREATE INDEX CONCURRENTLY, DETACH CONCURRENTLY) commit in steps.
    return group.errored and not group.ends and not group.schema

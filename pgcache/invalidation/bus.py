"""Where every order to invalidate ends: sources give it orders, it moves generations.

What can be told by tags (tables, names of the operator's) moves tokens, and so reaches results
that are being fetched as well (T-11). What can only be told by looking at entries (patterns, keys)
first gives up the recordings underway that fit, so that none of them is stored, and then deletes.

Counterpart: the console, ``admin/intake``, ``listen`` and ``stream`` are the sources. Must not
know: how orders arrive, sessions.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pgcache.cache.generations import Generations, Tag
from pgcache.catalog.snapshot import Snapshot
from pgcache.invalidation.orders import Order, pack_order, parse_table
from pgcache.metrics.counters import Source
from pgcache.policy.key import digest, read_key
from pgcache.sql.like import build_like

__all__ = ["Applied", "Bus", "Deleted", "Fits", "Ground", "Target", "build_fits"]

Fits = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Deleted:
    """Entries that are gone, and how many more will be, where others run in between."""

    count: int
    rest: Awaitable[int] | None = None


class Target(Protocol):
    """One database. ``key`` is what its entries' keys begin with."""

    name: str
    key: bytes
    generations: Generations

    @property
    def snapshot(self) -> Snapshot | None:
        """What its catalogs say, while that is known."""

    @property
    def remembered(self) -> Snapshot | None:
        """What they said last, where whatever is stored was stored by that."""

    def fail_recordings(self, fits: Fits) -> int:
        """Give up the recordings underway whose key fits; how many."""


AnyTarget = TypeVar("AnyTarget", bound=Target)


class Ground(Protocol[AnyTarget]):
    """What there is to invalidate."""

    def databases(self) -> Sequence[AnyTarget]:
        """All databases that were used since this process began."""

    def delete_where(self, fits: Fits) -> Deleted | None:
        """Delete entries whose key fits; None where entries cannot be looked through.

        None that fits is served after this, whether or not it is gone already.
        """

    def invalidated(self, database: AnyTarget, source: Source, tags: Iterable[Tag] | None) -> None:
        """Count what has moved; None is everything."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of an order. ``databases``: those in which something moved. ``count``: tables,
    entries or, for tags and everything, databases. ``unknown``: tables that no database has.
    ``rest``: how many entries more, once that is known; the order holds already. ``heard``: what
    is done when others who share a store know of it."""

    databases: tuple[str, ...] = ()
    count: int = 0
    unknown: tuple[str, ...] = ()
    rest: Awaitable[int] | None = None
    heard: tuple[Future[None], ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.rest is None and not self.heard

    async def whole_count(self) -> int:
        """``count`` with the rest, when others know of it."""
        if self.heard:
            await asyncio.wait(self.heard)  # it leaves them to run where this is given up
        return self.count + (await self.rest if self.rest is not None else 0)


class Bus(Generic[AnyTarget]):
    """Carries orders out, all at once: nothing is served between the first move and the last.

    Entries that have to be looked at are taken out of a large store beside the sessions; what is
    told at once is that none of them is served any more.
    """

    __slots__ = ("_ground",)

    def __init__(self, ground: Ground[AnyTarget]) -> None:
        self._ground = ground

    def apply(self, order: Order, source: Source) -> Applied:
        """Invalidate. Doing it twice is harmless."""
        targets = [t for t in self._ground.databases() if order.database in ("", t.name)]
        touched: dict[str, None] = {}
        count = 0
        if order.everything:
            for target in targets:
                self._move(target, None, source)
            names = tuple(target.name for target in targets)
            return Applied(names, len(targets), heard=_issued(targets))
        if order.tags:
            for target in targets:
                self._move(target, order.tags, source)
                touched[target.name] = None
            count += len(targets)
        unknown: list[str] = []
        rest: Awaitable[int] | None = None
        for table in order.tables:
            found = self._apply_table(table, targets, source)
            touched |= dict.fromkeys(found)
            count += sum(found.values())
            if targets and not found:
                unknown.append(table)
        if order.patterns or order.keys:
            deleted = self._delete(order, targets, source)
            count, rest = count + deleted.count, deleted.rest
            touched |= dict.fromkeys(target.name for target in targets)
        return Applied(tuple(touched), count, tuple(unknown), rest, _issued(targets))

    def _apply_table(
        self, table: str, targets: Iterable[AnyTarget], source: Source
    ) -> dict[str, int]:
        """Move what a write to the table may change; how many relations, by database."""
        name = parse_table(table)
        moved: dict[str, int] = {}
        for target in targets:
            snapshot = target.snapshot or target.remembered
            found = () if snapshot is None else snapshot.find(name, ("public",))
            if target.snapshot is None and not found:
                # Nothing is served while the catalogs are not known; nothing old may come back.
                self._move(target, None, source)
                moved[target.name] = 1
            elif found and snapshot is not None:
                closure = snapshot.write_closure(found)
                self._move(target, closure if isinstance(closure, frozenset) else None, source)
                moved[target.name] = len(found)
        return moved

    def _delete(self, order: Order, targets: Sequence[AnyTarget], source: Source) -> Deleted:
        """Delete by looking at keys; those being fetched first, so that none slips through."""
        fits, packed = build_fits(order), pack_order(order)
        ours = {target.key for target in targets}

        def fits_here(key: bytes) -> bool:
            return read_key(key)[0] in ours and fits(key)

        count = sum(target.fail_recordings(fits_here) for target in targets)
        deleted = self._ground.delete_where(fits_here)
        for target in targets:
            if deleted is None:  # entries elsewhere: what cannot be looked at must all go
                self._move(target, None, source)
            else:
                target.generations.order(packed)
                self._ground.invalidated(target, source, ())
        return (
            Deleted(len(targets))
            if deleted is None
            else Deleted(count + deleted.count, deleted.rest)
        )

    def _move(self, target: AnyTarget, tags: Iterable[Tag] | None, source: Source) -> None:
        target.generations.move(tags)
        self._ground.invalidated(target, source, tags)


def _issued(targets: Iterable[Target]) -> tuple[Future[None], ...]:
    return tuple(heard for target in targets for heard in target.generations.issued())


def build_fits(order: Order) -> Fits:
    """Which keys an order's patterns and keys mean."""
    likes = [build_like(pattern) for pattern in order.patterns]
    keys = order.keys

    def fits(key: bytes) -> bool:
        if keys and digest(key).hex().startswith(keys):
            return True
        if not likes:
            return False
        text = read_key(key)[1].decode("utf-8", "replace")
        return any(is_like(text) for is_like in likes)

    return fits

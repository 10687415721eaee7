"""Checking cached results against what PostgreSQL says now (``verify_ratio``).

A difference has a reason where something that the result depends on moved, or is locked, since it
was stored; queries that read the clock are not checked at all. Who changes something past pgcache
tells of it a moment later (an event after a load), so what differs is dropped and its query
forwarded at once, and judged when that moment has passed. What still has no reason then is
counted and logged, and its query is forwarded for a while. Must not know: how a question is asked
again.
"""

from __future__ import annotations

import asyncio

import structlog

from pgcache.cache.compare import Likeness, liken, rows_digest
from pgcache.cache.entry import Entry
from pgcache.invalidation.orders import Order, pack_order
from pgcache.policy.key import digest
from pgcache.proxy.capture import Capture
from pgcache.proxy.chores import Chore
from pgcache.proxy.database import Database
from pgcache.proxy.engine import Engine
from pgcache.proxy.state import State
from pgcache.sql.shape import is_ordered

log = structlog.get_logger("pgcache.proxy")

# How long a change source may take to tell the reason of a difference, in seconds.
SUSPENSE = 5.0


def check(state: State, chore: Chore, capture: Capture | None) -> None:
    """Compare a result with that of its entry; ``capture`` None: there is none."""
    engine, database, entry = state.engine, state.database, chore.entry
    assert database is not None
    now, generations = engine.clock(), database.generations
    if capture is None or capture.vector != entry.vector or not entry.is_live(generations, now):
        engine.counters.verified_void += 1
        return
    found = capture.entry()
    likeness = liken(entry, found, ordered=is_ordered(chore.script.key_text))
    if likeness is not Likeness.DIFFERENT:
        engine.counters.verified += 1
        engine.counters.verified_reordered += likeness is Likeness.REORDERED
        return
    engine.store.delete(entry.key)
    generations.order(pack_order(Order(keys=(digest(entry.key).hex(),))))  # and elsewhere
    if engine.config.cache.verify_quarantine > 0:
        database.quarantine.confine(chore.script.key_text, SUSPENSE)
        generations.touch()  # its other results are at hand as well
    engine.background(_judge(engine, database, chore, found, now - entry.stored_at))


async def _judge(
    engine: Engine, database: Database, chore: Chore, found: Entry, age: float
) -> None:
    """Say what a difference was, once whoever knows its reason has had the time to tell."""
    await asyncio.sleep(SUSPENSE)
    entry, text = chore.entry, chore.script.key_text
    if database.generations.has_moved(entry.tags, entry.vector):
        engine.counters.verified_void += 1
        database.quarantine.release(text)
        return
    engine.counters.verified_differing += 1
    seconds = engine.config.cache.verify_quarantine
    log.warning(
        "cached result differs",
        sql=entry.note,
        key=digest(entry.key)[:8].hex(),
        cached=rows_digest(entry),
        found=rows_digest(found),
        age=round(age, 3),
        quarantine=seconds,
    )
    if seconds > 0:
        database.quarantine.confine(text, seconds)

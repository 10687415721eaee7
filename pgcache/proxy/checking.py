"""Checking cached results against what PostgreSQL says now (``verify_ratio``).

A difference has a reason where something that the result depends on moved, or is locked, since it
was stored; queries that read the clock are not checked at all. What differs without a reason is
logged, and the query is forwarded for a while. Must not know: how a question is asked again.
"""

from __future__ import annotations

import structlog

from pgcache.cache.compare import is_same, rows_digest
from pgcache.policy.key import digest
from pgcache.proxy.capture import Capture
from pgcache.proxy.chores import Chore
from pgcache.proxy.state import State
from pgcache.sql.shape import is_ordered

log = structlog.get_logger("pgcache.proxy")


def check(state: State, chore: Chore, capture: Capture | None) -> None:
    """Compare a result with that of its entry; ``capture`` None: there is none."""
    engine, database, entry = state.engine, state.database, chore.entry
    assert database is not None
    now, generations = engine.clock(), database.generations
    if capture is None or capture.vector != entry.vector or not entry.is_live(generations, now):
        engine.counters.verified_void += 1
        return
    found = capture.entry()
    if is_same(entry, found, ordered=is_ordered(chore.script.key_text)):
        engine.counters.verified += 1
        return
    engine.counters.verified_differing += 1
    seconds = engine.config.cache.verify_quarantine
    log.warning(
        "cached result differs",
        sql=entry.note,
        key=digest(entry.key)[:8].hex(),
        cached=rows_digest(entry),
        found=rows_digest(found),
        age=round(now - entry.stored_at, 3),
        quarantine=seconds,
    )
    engine.store.delete(entry.key)
    if seconds > 0:
        database.quarantine.confine(chore.script.key_text, seconds)
        generations.touch()  # its other results are at hand as well

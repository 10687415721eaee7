"""What is to be done about a result that has just been served: renew it, check it, or nothing.

Counterpart: ``background`` does it. Must not know: sockets.
"""

from __future__ import annotations

from typing import NamedTuple

from pgcache.cache.entry import Entry
from pgcache.cache.shared.lookup import Wanted
from pgcache.policy.looking import any_of, first_look, next_look, renews
from pgcache.proxy.database import Database
from pgcache.proxy.decide import Ask
from pgcache.proxy.engine import Engine
from pgcache.proxy.prepared import Prepared
from pgcache.proxy.state import State
from pgcache.sql.model import Script
from pgcache.wire.messages import Bind


class Chore(NamedTuple):
    """A question to be asked again, as its client asked it, and the entry that answered it.

    ``text``: as sent to the origin. ``limit``: rows asked for, 0 for all. ``is_check``: the
    result is compared with the entry's; else it takes the entry's place.
    """

    key: bytes
    script: Script
    text: bytes
    entry: Entry
    limit: int = 0
    prepared: Prepared | None = None
    bind: Bind | None = None
    is_check: bool = False


def find_chore(
    state: State,
    question: Ask,
    entry: Entry,
    text: bytes,
    prepared: Prepared | None = None,
    bind: Bind | None = None,
) -> Chore | None:
    """What is to be done about ``entry``, whose next look was due when it answered."""
    engine = state.engine
    now = engine.clock()
    limit = 0 if entry.complete else entry.row_count
    chore = Chore(question.key, question.script, text, entry, limit, prepared, bind)
    if now >= entry.expires_at:
        return chore
    cache, cost = engine.config.cache, entry.cost_ms / 1000
    hits, entry.looked_hits = entry.hits + 1 - entry.looked_hits, entry.hits + 1
    gap = entry.expires_at - now
    if renews(gap, cost, cache.refresh_ahead, hits, engine.random()):
        entry.look_at = entry.expires_at
        engine.counters.refreshes_ahead += 1
        return chore
    # The first rows of a result that was not fetched whole may be any.
    ratio = cache.verify_ratio if entry.complete and not question.plan.clock else 0.0
    entry.look_at = next_look(now, entry.expires_at, cost, cache.refresh_ahead, ratio)
    if ratio > 0 and engine.random() < any_of(ratio, hits):
        return chore._replace(is_check=True)
    return None


def wanted_anew(chore: Chore, question: Ask, now: float) -> Wanted:
    """What to ask the shared store for before a result is renewed: leave to do so, or the result
    of another proxy that was faster. One that still lives is younger then by far."""
    entry, lifetime = chore.entry, question.lifetime
    if now < entry.expires_at:
        lifetime = min(lifetime, (now - entry.stored_at) / 2)
    is_described = entry.row_description is not None
    return Wanted(
        chore.key, question.tags, lifetime, chore.limit, described=is_described, fresh=False
    )


def look_first(engine: Engine, entry: Entry) -> None:
    """Look at what the shared store gave as at what was fetched here."""
    cache, cost = engine.config.cache, entry.cost_ms / 1000
    entry.look_at = first_look(
        entry.stored_at, entry.expires_at, cost, cache.refresh_ahead, cache.verify_ratio
    )


def take_in(engine: Engine, database: Database, entry: Entry) -> None:
    """Keep what the shared store gave."""
    look_first(engine, entry)
    engine.store.put(entry, database.generations, engine.clock())

"""Shadow mode: deciding and measuring as if results were cached, and serving none.

A ghost is an entry without its rows: it knows its key, its end, its cost, what it depends on and
how large it would be, so that the ghosts' store expires, evicts and forgets as the real one would.
Waiting for another client's execution is not imitated, so the real ratio is a little higher.

Counterpart: ``recording`` asks here instead of recording for the store.
"""

from __future__ import annotations

from pgcache.errors.reasons import Reason, Refusal
from pgcache.proxy.decide import Ask
from pgcache.proxy.state import State
from pgcache.proxy.verdicts import Outcome, Verdict


def would_hit(state: State, question: Ask) -> bool:
    """Count whether ``question``, about to be forwarded, would have been a hit."""
    engine, counters = state.engine, state.engine.counters
    now = engine.clock()
    ghost = engine.ghosts.get(question.key, question.database.generations, now)
    is_hit = (
        ghost is not None
        and not question.refresh
        and ghost.holds(question.limit)
        and now < ghost.stored_at + question.lifetime
    )
    counters.passes[Reason.SHADOW] += 1
    if is_hit and ghost is not None:
        ghost.hits += 1
        counters.shadow_hits += 1
        counters.shadow_saved_seconds += ghost.cost_ms / 1000
    else:
        counters.shadow_misses += 1
    state.note_asked(question.script, Reason.SHADOW)
    refusal = Refusal(Reason.SHADOW, "hit" if is_hit else "miss")
    state.judge(Verdict(Outcome.BYPASS, refusal, key=question.key))
    return is_hit

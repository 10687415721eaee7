"""Beginning to record a reply, when its question is about to be asked."""

from __future__ import annotations

from pgcache.cache.flights import Follow, Lead
from pgcache.proxy.accounts import count_miss
from pgcache.proxy.capture import Capture
from pgcache.proxy.decide import Ask
from pgcache.proxy.joining import Joiner
from pgcache.proxy.local import LocalRun
from pgcache.proxy.recorder import Asked
from pgcache.proxy.runs import Run
from pgcache.proxy.shadow import would_hit
from pgcache.proxy.state import State
from pgcache.sql.encodings import decode
from pgcache.wire import codes

__all__ = ["Asked", "record_missed", "start_capture"]


def start_capture(
    state: State, question: Ask, lead: Lead | None, asked: Asked, *, is_check: bool = False
) -> Capture | None:
    """Begin to record the answer to ``question``; None where it could not be stored anyway.

    ``is_check``: it is to be compared and not to be stored. To be called before the question's
    bytes go to the origin (T-11).
    """
    engine, database, settings = state.engine, question.database, state.settings
    if question.shadow and would_hit(state, question):
        return None
    if lead is not None:
        vector = lead.vector
    elif database.space is not None and not (question.shadow or is_check):
        return None  # without leave of the shared store nothing is filled
    elif database.flights.is_forgone(question.key):
        return None
    else:
        captured = database.generations.capture(question.tags)
        if captured is None:
            return None
        vector = captured
    capture = Capture(
        question.key,
        question.plan,
        question.tags,
        vector,
        started=engine.clock(),
        lifetime=question.lifetime,
        limit=engine.config.store.max_entry_bytes,
        note=decode(asked.text, state.encoding)[0],
        lead=lead,
        script=question.script,
        asked=asked,
        in_force=None if settings is None else settings.in_force,
        is_ghost=question.shadow,
    )
    database.recordings.add(capture)
    return capture


def record_missed(
    state: State, joiner: Joiner, run: Run, local: LocalRun
) -> dict[int, Capture] | None:
    """Begin to record what ``local`` missed of ``run``, by the index of its Bind.

    None: it waits for another client's execution.
    """
    captures: dict[int, Capture] = {}
    # Where no Sync follows at once, nobody knows when the result will be complete (T-17).
    flies = len(local.misses) == 1 and run.kind == codes.SYNC
    leads: dict[int, Lead | None] = {}
    is_whole = run.kind == codes.SYNC and local.limits.keys() >= local.misses.keys()
    if len(local.misses) > 1 and is_whole:
        several = [(question, local.limits[index]) for index, question in local.misses.items()]
        joined = joiner.join_several(several, run)
        if joined is None:
            return None
        leads = dict(zip(local.misses, joined, strict=True))
    for index, question in local.misses.items():
        lead = leads.get(index)
        if flies and index in local.limits:
            part = joiner.join(question, run, local.limits[index])
            if isinstance(part, Follow):
                return None
            lead = part
        capture = start_capture(state, question, lead, local.asked[index])
        count_miss(state, question)
        if capture is not None:
            captures[index] = capture
    return captures

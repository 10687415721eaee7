"""Verdicts of one session: counted, remembered, told."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from pgcache.cache.entry import Credited, Entry
from pgcache.errors.reasons import Reason, Refusal
from pgcache.errors.remedies import REMEDIES
from pgcache.proxy.capture import Capture
from pgcache.proxy.decide import Ask
from pgcache.proxy.engine import Database
from pgcache.proxy.recorder import WARMING, Question, settings_in_force, startup_of
from pgcache.proxy.state import State, is_query
from pgcache.proxy.turns import Asked, Turn
from pgcache.proxy.verdicts import Outcome, Verdict
from pgcache.sql.encodings import decode
from pgcache.sql.model import Kind, Script
from pgcache.sql.shape import fingerprint
from pgcache.wire import codes
from pgcache.wire.messages import build_notice

log = structlog.get_logger("pgcache.proxy")

# Statements of the conversation rather than of the work: SHOW pgcache.last skips them.
_TALK = frozenset(
    (Kind.BEGIN, Kind.COMMIT, Kind.ROLLBACK, Kind.SAVEPOINT, Kind.RELEASE, Kind.ROLLBACK_TO)
) | frozenset((Kind.SET, Kind.RESET, Kind.SHOW, Kind.DISCARD, Kind.DEALLOCATE, Kind.EMPTY))


def count_hit(state: State, entry: Entry, *, shared: bool) -> None:
    """An entry answers; ``shared``: another client's flight has just brought it."""
    counters = state.engine.counters
    state.has_read = state.status != codes.IDLE
    if shared:
        counters.followers += 1
    else:
        if entry.hits == entry.credited:
            state.engine.owing.append(entry.key)
        counters.hits += 1
    entry.hits += 1
    counters.hit_rows += entry.row_count
    counters.hit_bytes += len(entry.rows)
    fate = Outcome.HIT
    reason: Refusal | None = None
    if shared:
        entry.credit()  # it may never be stored
        fate = Outcome.SHARED
    elif state.engine.clock() >= entry.expires_at:
        fate = Outcome.STALE
        if state.is_cut_off:
            counters.stale_if_error += 1
            reason = Refusal(Reason.ORIGIN_UNREACHABLE)
        else:
            counters.stale += 1
    state.judge(Verdict(fate, reason, entry.expires_at, entry.key))


def count_miss(state: State, question: Ask) -> None:
    """The origin is asked, and its answer may be stored."""
    if question.shadow:
        return  # counted as what it would have been
    state.engine.counters.misses += 1
    state.note_asked(question.script, None)
    state.judge(Verdict(Outcome.MISS, key=question.key))


def count_pass(state: State, refusal: Refusal, script: Script | None) -> None:
    """The origin is asked, and its answer is nobody else's."""
    state.engine.counters.passes[refusal.reason] += 1
    if script is not None:
        if state.engine.config.log.why_not_cached != "off":
            tell_why(state, refusal, script)
        state.note_asked(script, refusal.reason)
    talk = script is not None and (not script.statements or script.statements[0].kind in _TALK)
    state.judge(Verdict(Outcome.BYPASS, refusal), remember=not talk)


def count_run(state: State, turn: Turn) -> None:
    """The origin has answered a group: how long it took, for its queries an even share each."""
    engine = state.engine
    now = engine.clock()
    took = now - turn.started
    counters = engine.counters
    (counters.fill_seconds if turn.captures else counters.forward_seconds).observe(took)
    count_asked(state, [each for each in turn.asked if is_query(each[0])], took, now)
    tell_if_slow(state, turn.asked, took)


def count_asked(state: State, asked: Sequence[Asked], took: float, now: float) -> None:
    """Queries were answered by the origin within ``took`` seconds: an even share for each."""
    engine, database = state.engine, state.database
    if not asked or database is None:
        return
    for script, reason in asked:
        query = engine.queries.find(database.name, script)
        query.ran(reason, took / len(asked), now)


def tell_why(state: State, refusal: Refusal, script: Script) -> None:
    """Log why a query was not looked up; with 'once', only the first of its kind and reason."""
    database = state.database
    if database is None or len(script.statements) != 1:
        return
    if state.engine.config.log.why_not_cached == "once":
        if script.statements[0].kind is not Kind.SELECT:
            return
        query = state.engine.queries.find(database.name, script)
        if refusal.reason in query.passes:
            return
        query.passes[refusal.reason] = 0  # told; it is counted when it has run
    log.info(
        "not cached",
        reason=refusal.reason.value,
        about=refusal.detail,
        remedy=REMEDIES.get(refusal.reason, ""),
        sql=decode(script.key_text, state.encoding)[0],
        **_who(state, database),
    )


def tell_if_slow(state: State, asked: Sequence[Asked], seconds: float) -> None:
    """Log what PostgreSQL took long for, each text of a group once: the time is the group's."""
    slow, database = state.engine.config.log.slow_query, state.database
    if slow is None or seconds < slow or database is None:
        return
    for script, reason in dict.fromkeys(asked):
        log.info(
            "slow query",
            seconds=round(seconds, 3),
            verdict="miss" if reason is None else reason.value,
            fingerprint=fingerprint(script.key_text),
            statements=len(asked),
            sql=decode(script.key_text, state.encoding)[0],
            **_who(state, database),
        )


def _who(state: State, database: Database) -> dict[str, str]:
    user = "" if state.settings is None else state.settings.session_user
    application = state.parameters.get("application_name", "")
    return {"database": database.name, "user": user, "application": application}


def count_fill(state: State, capture: Capture, entry: Entry) -> Credited | None:
    """A result is whole: what its hits are to be credited to."""
    database = state.database
    if database is None or capture.script is None:
        return None
    query = state.engine.queries.find(database.name, capture.script)
    query.relations = capture.plan.relations
    query.filled(entry.row_count, len(entry.rows))
    settings, asked = state.settings, capture.asked
    if (
        asked is None
        or settings is None
        or not settings.is_shared
        or capture.in_force is None
        or entry.cost_ms < capture.plan.least_cost
        or state.startup.get("application_name") == WARMING
    ):
        return query
    question = Question(
        database.name,
        state.startup.get("user", ""),
        asked,
        startup_of(state.startup),
        settings_in_force(capture.in_force),
        entry.key,
        entry.note,
    )
    return state.engine.recorder.note(question, entry.cost_ms / 1000, query)


def verdict_notice(state: State) -> bytes:
    """The notice about the group that is just ending, b'' where the session wants none."""
    verdict, state.verdict = state.verdict, None
    if verdict is None or state.settings is None or not state.settings.options.notices:
        return b""
    return build_notice(verdict.describe(state.engine.clock()), detail=verdict.explain())

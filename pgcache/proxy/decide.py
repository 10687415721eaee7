"""What is to be done with one statement: asked of the session, the text, the catalogs, in turn.

Synchronous and without effects: it returns what to look up, or why not to (habit 5).
"""

from __future__ import annotations

from typing import NamedTuple

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Tag
from pgcache.errors.reasons import Reason, Refusal
from pgcache.policy.key import build_key
from pgcache.policy.plan import ReadPlan
from pgcache.policy.ttl import within_wishes
from pgcache.proxy.engine import Database
from pgcache.proxy.prepared import Prepared
from pgcache.proxy.recipe import MAGIC, Proof
from pgcache.proxy.state import State
from pgcache.sql.magic import is_magic_text
from pgcache.sql.model import Kind, Script
from pgcache.wire.messages import Bind


class Ask(NamedTuple):
    """A question that may be answered from the cache. ``lifetime`` and ``grace`` in seconds.

    ``shadow``: it is not to be answered, only counted; ``limit`` is then the rows asked for.
    ``strict``: the shared store has to confirm every hit. ``described``: the answer has to hold
    a RowDescription.
    """

    database: Database
    plan: ReadPlan
    key: bytes
    tags: tuple[Tag, ...]
    lifetime: float
    grace: float
    refresh: bool
    script: Script
    shadow: bool = False
    limit: int = 0
    strict: bool = False
    described: bool = False


def might_hit(script: Script) -> bool:
    """Whether the text alone allows a hit; if so the origin's earlier answers are worth waiting
    for before deciding (W-62)."""
    if len(script.statements) != 1:
        return False
    statement = script.statements[0]
    read = statement.read
    return (
        statement.kind is Kind.SELECT
        and read is not None
        and read.refusal is None
        and not script.hints.off
    )


def opens_transaction(script: Script) -> bool:
    """Whether this is BEGIN: questions that may be hits will follow inside."""
    return len(script.statements) == 1 and script.statements[0].kind is Kind.BEGIN


def ask(
    state: State, script: Script, prepared: Prepared | None = None, bind: Bind | None = None
) -> Ask | Refusal:
    """What to look up for ``script``, run as a Query or by ``bind``; or why nothing is."""
    refusal = _refuse_text(script)
    if refusal is None:
        refusal = state.gate()
    if refusal is not None:
        return refusal
    settings, database = state.settings, state.database
    snapshot = state.snapshot
    assert settings is not None and database is not None and snapshot is not None
    if prepared is not None and bind is not None:
        refusal = refuse_prepared(state, prepared) or _refuse_parameters(bind)
        if refusal is not None:
            return refusal
    plan = database.plan(script, state.view, snapshot, state.rules)
    refusal = _refuse_plan(plan, state, script)
    if refusal is not None:
        return refusal
    key = _key_of(database, settings.fingerprint, plan, script, prepared, bind)
    wish = settings.options.ttl
    lifetime = plan.ttl if wish is None else min(plan.ttl, wish)
    mode = state.mode
    refresh = mode == "refresh" or script.hints.refresh
    is_alone = database.space is None
    grace = plan.grace if wish is None else 0.0
    tags = (*plan.tags, *plan.labels)
    shadow, strict = mode == "shadow", plan.strict and not is_alone
    question = Ask(database, plan, key, tags, lifetime, grace, refresh, script, shadow)
    return question._replace(strict=strict, described=bind is None) if not is_alone else question


def _key_of(
    database: Database,
    fingerprint: bytes,
    plan: ReadPlan,
    script: Script,
    prepared: Prepared | None,
    bind: Bind | None,
) -> bytes:
    if bind is None or prepared is None:
        return build_key(database.key, fingerprint, script.key_text, labels=plan.own_labels)
    return build_key(
        database.key,
        fingerprint,
        script.key_text,
        parse_fingerprint=prepared.fingerprint,
        labels=plan.own_labels,
        parameter_types=prepared.types,
        parameter_formats=bind.parameter_formats,
        parameters=bind.parameters,
        result_formats=bind.result_formats,
    )


def refuse(state: State, script: Script) -> Refusal | None:
    """Why ``script`` is not looked up in this session, whatever its parameters."""
    refusal = _refuse_text(script) or state.gate()
    if refusal is not None:
        return refusal
    database = state.database
    snapshot = state.snapshot
    assert database is not None and snapshot is not None
    plan = database.plan(script, state.view, snapshot, state.rules)
    return _refuse_plan(plan, state, script)


def _refuse_text(script: Script) -> Refusal | None:
    if len(script.statements) != 1:
        return Refusal(Reason.MULTI_STATEMENT if script.statements else Reason.EMPTY)
    if script.hints.off:
        return Refusal(Reason.HINT)
    statement = script.statements[0]
    read = statement.read
    if read is not None and read.refusal is not None and statement.kind is Kind.SELECT:
        return read.refusal
    if statement.kind is not Kind.SELECT or read is None:
        return Refusal(Reason.NOT_A_SELECT, statement.verb)
    return None


def _refuse_plan(plan: ReadPlan, state: State, script: Script) -> Refusal | None:
    settings, database = state.settings, state.database
    assert settings is not None and database is not None
    if plan.refusal is not None:
        return plan.refusal
    if database.quarantine and database.quarantine.holds(script.key_text):
        return Refusal(Reason.QUARANTINE)
    for name in plan.settings:
        if not settings.knows(name):
            return Refusal(Reason.SESSION_FUNCTION, f"current_setting('{name}')")
    return None


def refuse_prepared(state: State, prepared: Prepared) -> Refusal | None:
    """Why executions of a statement cannot be looked up, whatever its parameters."""
    settings, database = state.settings, state.database
    assert settings is not None and database is not None
    if not prepared.trusted:
        return Refusal(Reason.UNKNOWN_STATEMENT)
    if prepared.noticed:
        return Refusal(Reason.UNCACHEABLE_REPLY)
    if not prepared.fingerprint:
        return Refusal(Reason.PARSE_CONTEXT)
    if prepared.types and _has_unsafe_types(state, prepared.types):
        return Refusal(Reason.USER_TYPE, "of a parameter")
    if prepared.at_origin and _is_frozen(prepared.script):
        return Refusal(Reason.MAGIC_LITERAL)
    if prepared.epoch != database.epoch:
        return Refusal(Reason.STALE_STATEMENT)
    if prepared.temp_epoch != settings.temporary_epoch:
        return Refusal(Reason.TEMPORARY_TABLE)
    return None


def _has_unsafe_types(state: State, types: tuple[int, ...]) -> bool:
    """Whether Bind may do more than read a value: check a domain, or look a name up."""
    snapshot = state.snapshot
    return snapshot is None or snapshot.any_unsafe_types(types)


def fits(entry: Entry, lifetime: float) -> bool:
    """Whether the entry ends before this question's lifetime does: then its end is all to check."""
    return entry.expires_at <= entry.stored_at + lifetime


def proof_of(question: Ask, entry: Entry) -> Proof | None:
    """What a Query that was answered with ``entry`` proves for the fast lane."""
    if not fits(entry, question.lifetime):
        return None
    return Proof(entry, b"", lifetime=question.lifetime, strict=question.strict)


def _is_frozen(script: Script) -> bool:
    """Whether the text holds 'now' or its kin, which a prepared statement keeps as they were."""
    read = script.statements[0].read
    return read is not None and read.magic_literals


def _refuse_parameters(bind: Bind) -> Refusal | None:
    """A text parameter may be such a word as well; nobody here knows its type (C-13)."""
    for index, value in enumerate(bind.parameters):
        if value is None or not MAGIC.search(value):
            continue
        if not is_magic_text(value.decode("latin-1")):
            continue
        formats = bind.parameter_formats
        if (formats[index] if len(formats) > 1 else (formats[0] if formats else 0)) == 0:
            return Refusal(Reason.MAGIC_LITERAL, f"${index + 1}")
    return None


def find(state: State, question: Ask, limit: int) -> Entry | None:
    """What answers ``question``: the live entry, or a stale one that may be served now."""
    if question.shadow:
        return None
    stale = look_up_kept if state.is_cut_off else look_up_stale
    return look_up(state, question, limit) or stale(state, question, limit)


def look_up(state: State, question: Ask, limit: int) -> Entry | None:
    """The live entry for ``question`` with enough rows for ``limit`` (0: all), and young enough."""
    engine = state.engine
    now = engine.clock()
    entry = state.fetched.get(question.key) if state.fetched else None
    if entry is not None and question.grace > 0 and now >= entry.expires_at:
        return None  # it is stale, and to be called so
    if entry is None:
        space = question.database.space
        if question.refresh or (
            space is not None and (question.strict or not space.is_trusted(now))
        ):
            return None
        entry = engine.store.get(question.key, question.database.generations, now)
    if entry is None or not entry.holds(limit):
        return None
    if now >= entry.stored_at + question.lifetime:
        return None
    return entry


def look_up_stale(state: State, question: Ask, limit: int) -> Entry | None:
    """What ``look_up`` would have given had it not come of age, within the question's grace.

    Only while its refreshing is seen to: by whoever is fetching it already, or by the caller.
    Beside a shared store, which has to say that nothing has moved (P3), it is what that has just
    confirmed.
    """
    if question.refresh or question.grace <= 0:
        return None
    database, now = question.database, state.engine.clock()
    if database.space is not None:
        entry = state.fetched.get(question.key)
    else:
        entry = state.engine.store.get_stale(question.key, database.generations, now)
    if entry is None or not may_be_stale(question, entry, limit, now):
        return None
    key = flight_key(question, 0 if entry.complete else entry.row_count)
    is_seen_to = database.flights.is_flying(key, question.tags, database.generations)
    if database.space is None and not is_seen_to and must_be_fetched(question, key):
        return None
    return entry


def may_be_stale(question: Ask, entry: Entry, limit: int, now: float) -> bool:
    """Whether an entry is stale, within its own grace and the question's, with rows enough."""
    end = min(entry.stale_until, entry.stored_at + question.lifetime + question.grace)
    return entry.expires_at <= now < end and entry.holds(limit)


def must_be_fetched(question: Ask, key: bytes) -> bool:
    """Whether a stale result would not be refreshed in the background: true once, where that was
    tried in vain. ``key``: what it is called in the air."""
    flights = question.database.flights
    return flights.is_forgone(question.key) or flights.is_insisted(key)


def look_up_kept(state: State, question: Ask, limit: int) -> Entry | None:
    """What ``look_up`` would have given had it not come of age, while the origin is lost (P6).

    As long as the operator allows, or less if a hint or the session wants it so. What is known
    to have been changed since is not served: that is no matter of age.
    """
    engine, database, settings = state.engine, question.database, state.settings
    now, space = engine.clock(), question.database.space
    if settings is None or question.refresh:
        return None
    if space is not None and (question.strict or not space.is_trusted(now)):
        return None
    hints, options = question.script.hints, settings.options
    longest = within_wishes(question.plan.stale_if_error, hints.ttl, hints.stale_if_error)
    longest = within_wishes(longest, options.ttl, options.stale_if_error)
    entry = engine.store.get_kept(question.key, database.generations, now)
    if entry is None or not entry.holds(limit):
        return None
    end = min(entry.expires_at, entry.stored_at + question.lifetime)
    return entry if now < end + longest else None


def flight_key(question: Ask, limit: int) -> bytes:
    """What a question is called in the air: results of different row limits are different."""
    return question.key + limit.to_bytes(4, "big") if limit else question.key

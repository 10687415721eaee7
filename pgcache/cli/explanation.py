"""What would become of a text, for a fresh session of the service role.

The same analysis, planning and key as in the proxy, with a session's settings asked for over a
connection of the service role's own. Counterpart: ``proxy/decide.py`` does this for real sessions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pgcache.catalog.connect import build_connect
from pgcache.catalog.loader import Connection, load_snapshot
from pgcache.catalog.options import build_options
from pgcache.catalog.snapshot import Snapshot
from pgcache.cli.failure import FAILURES, describe_failure
from pgcache.config import Config
from pgcache.errors import StartError
from pgcache.errors.reasons import EXPLANATIONS, Reason, Refusal
from pgcache.errors.remedies import REMEDIES
from pgcache.policy.context import SessionSettings
from pgcache.policy.key import build_key
from pgcache.policy.plan import ReadPlan, View, plan_read
from pgcache.policy.probe import Question, build_login_question
from pgcache.policy.ttl import build_lifetimes
from pgcache.proxy.verdicts import key_name
from pgcache.sql.model import Kind, Script
from pgcache.sql.script import read_script
from pgcache.sql.shape import fingerprint

# What PostgreSQL reports of its own accord; asyncpg keeps that to itself.
_REPORTED = (
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer. ``ttl`` is in seconds; it and ``key`` are None where nothing is looked up."""

    verdict: str  # 'miss' (looked up, stored) or 'bypass'
    reason: str | None
    detail: str
    key: str | None
    relations: tuple[str, ...]
    tags: tuple[str, ...]  # relations, then names that the operator made up
    ttl: float | None
    fingerprint: str
    statement: str = ""  # the fingerprint of the text, whatever its literals
    rule: str = ""  # the operator's rule that fits, '' for none
    clock: bool = False  # the result depends on the time, for which there is a lifetime of its own
    problems: tuple[str, ...] = ()  # what is wrong with the text's hints

    @property
    def is_cacheable(self) -> bool:
        """Whether it would be looked up and stored."""
        return self.reason is None

    @property
    def sentence(self) -> str:
        """The reason in words, '' where there is none."""
        return EXPLANATIONS[Reason(self.reason)] if self.reason is not None else ""

    @property
    def remedy(self) -> str:
        """What can be done about the reason, '' where there is none."""
        return REMEDIES.get(Reason(self.reason), "") if self.reason is not None else ""

    def as_object(self) -> dict[str, Any]:
        """For ``--json``; keys are public and stable."""
        return {
            "key": self.key,
            "verdict": self.verdict,
            "reason": self.reason,
            "detail": self.detail,
            "remedy": self.remedy,
            "relations": list(self.relations),
            "tags": list(self.tags),
            "ttl": self.ttl,
            "clock": self.clock,
            "fingerprint": self.fingerprint,
            "statement": self.statement,
            "rule": self.rule,
        }


async def explain_text(config: Config, sql: str) -> Explanation:
    """Ask the origin for its catalogs and a session's settings, and decide. Executes nothing."""
    origin = config.origin
    try:
        connection = await build_connect(**build_options(origin))(origin.dbname)
        try:
            snapshot = await load_snapshot(connection, config.declared)
            settings = await read_settings(connection)
        finally:
            await connection.close(timeout=origin.connect_timeout)
    except FAILURES as error:
        found, advice = describe_failure(error, origin)
        raise StartError(f"cannot read the catalogs of {origin}: {found}", hint=advice) from None
    return explain_in(config, sql, snapshot, settings)


async def read_settings(connection: Connection) -> SessionSettings:
    """A session's settings as the proxy would learn them after its login (S-02)."""
    question = build_login_question()
    settings = SessionSettings()
    settings.learn(question.parse(await _ask(connection, question)))
    for name in _REPORTED:
        value = await connection.fetchval("SELECT pg_catalog.current_setting($1, true)", name)
        if value is not None:
            settings.report(name, value)
    return settings


async def _ask(connection: Connection, question: Question) -> list[list[bytes | None]]:
    """The question's rows; asyncpg returns none for several statements, so one by one."""
    rows = []
    for statement in question.sql.split(";"):
        rows += [
            [None if cell is None else str(cell).encode() for cell in record.values()]
            for record in await connection.fetch(statement)
        ]
    return rows


def explain_in(
    config: Config, sql: str, snapshot: Snapshot, settings: SessionSettings
) -> Explanation:
    """The decision itself, from facts."""
    script = read_script(
        sql.encode("utf-8", "surrogateescape"),
        standard_conforming_strings=settings.standard_conforming_strings,
    )
    view = View(path=settings.search_path, user=settings.current_user)
    plan = _plan(config, script, view, snapshot, settings.session_user)
    refusal = _refuse_text(script) or settings.refusal
    if refusal is None and plan is not None:
        refusal = plan.refusal or _refuse_settings(plan, settings)
    key = build_key(
        snapshot.database.encode(),
        settings.fingerprint,
        script.key_text,
        labels=plan.own_labels if plan else (),
    )
    return Explanation(
        verdict="miss" if refusal is None else "bypass",
        reason=None if refusal is None else refusal.reason.value,
        detail="" if refusal is None else refusal.detail,
        key=key_name(key) if refusal is None else None,
        relations=plan.relations if plan else (),
        tags=(*_names(plan, snapshot), *plan.labels) if plan else (),
        ttl=plan.ttl if plan and refusal is None else None,
        fingerprint=settings.fingerprint.hex(),
        statement=fingerprint(script.key_text),
        rule=plan.rule if plan else "",
        clock=plan is not None and plan.clock,
        problems=script.hints.problems,
    )


def _names(plan: ReadPlan, snapshot: Snapshot) -> Iterator[str]:
    for oid in plan.tags:
        relation = snapshot.relation(oid)
        yield str(oid) if relation is None else relation.display


def _plan(
    config: Config, script: Script, view: View, snapshot: Snapshot, user: str
) -> ReadPlan | None:
    if len(script.statements) != 1 or script.statements[0].read is None:
        return None
    lifetimes = build_lifetimes(config)
    return plan_read(
        script.statements[0],
        script.hints,
        view,
        snapshot,
        lifetimes,
        key_text=script.key_text,
        rules=lifetimes.rules.narrow(snapshot.database, user, ""),
    )


def _refuse_settings(plan: ReadPlan, settings: SessionSettings) -> Refusal | None:
    for name in sorted(plan.settings):
        if not settings.knows(name):
            return Refusal(Reason.SESSION_FUNCTION, f"current_setting('{name}')")
    return None


def _refuse_text(script: Script) -> Refusal | None:
    if not script.statements:
        return Refusal(Reason.EMPTY)
    if len(script.statements) > 1:
        return Refusal(Reason.MULTI_STATEMENT)
    statement = script.statements[0]
    if statement.kind is not Kind.SELECT or statement.read is None:
        return Refusal(Reason.NOT_A_SELECT, statement.verb)
    return Refusal(Reason.HINT) if script.hints.off else statement.read.refusal

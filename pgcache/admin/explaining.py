"""``EXPLAIN sql`` on the console: what would become of a query, for a session with no wishes.

The plan is the proxy's own, names resolve in ``public``; nothing is executed, nobody is asked.
Counterpart: ``pgcache explain`` asks the origin for a session's settings first.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgcache.admin.view import Row
from pgcache.errors.reasons import EXPLANATIONS, Reason, Refusal
from pgcache.errors.remedies import REMEDIES
from pgcache.policy.key import read_key
from pgcache.policy.plan import View as Names
from pgcache.proxy.engine import Database, Engine
from pgcache.sql.model import Kind, Script
from pgcache.sql.shape import fingerprint

_ENCODING = "UTF8"


def explain(engine: Engine, sql: str) -> Iterator[Row]:
    """Names and values, for every database in use."""
    script = engine.script(sql.encode("utf-8", "replace"), True, _ENCODING)
    yield ("fingerprint", fingerprint(script.key_text))
    databases = [each for each in engine.databases() if each.snapshot is not None]
    if not databases:
        yield from _explain_refusal(_refuse(script) or Refusal(Reason.NO_CATALOG))
    for database in databases:
        if len(databases) > 1:
            yield ("database", database.name)
        yield from _explain_in(engine, database, script)
    for problem in script.hints.problems:
        yield ("hint", problem)


def _explain_in(engine: Engine, database: Database, script: Script) -> Iterator[Row]:
    refusal = _refuse(script)
    snapshot = database.snapshot
    if refusal is not None or snapshot is None:
        yield from _explain_refusal(refusal or Refusal(Reason.NO_CATALOG))
        return
    user = engine.config.origin.user
    rules = engine.lifetimes.rules.narrow(database.name, user, "")
    plan = database.plan(script, Names(("public",), user), snapshot, rules)
    if plan.refusal is not None:
        yield from _explain_refusal(plan.refusal)
    else:
        yield ("verdict", "cacheable")
        yield ("ttl_s", plan.ttl)
        if plan.clock:
            yield ("depends on the time", True)
    if plan.rule:
        yield ("rule", plan.rule)
    yield ("relations", ", ".join(plan.relations))
    if plan.labels:
        yield ("tags", ", ".join(plan.labels))
    if plan.settings:
        yield ("depends on settings", ", ".join(sorted(plan.settings)))
    now = engine.clock()
    wanted = (database.key, script.key_text)
    held = [
        entry
        for entry in engine.entries()
        if read_key(entry.key) == wanted and not entry.is_dead(database.generations, now)
    ]
    yield ("entries now", len(held))
    if held:
        yield ("hits of these", sum(entry.hits for entry in held))


def _explain_refusal(refusal: Refusal) -> Iterator[Row]:
    about = f" ({refusal.detail})" if refusal.detail else ""
    yield ("verdict", "bypass")
    yield ("reason", f"{refusal.reason.value}{about}")
    yield ("explanation", EXPLANATIONS[refusal.reason])
    yield ("remedy", REMEDIES.get(refusal.reason, ""))


def _refuse(script: Script) -> Refusal | None:
    """What the text alone tells, in the order in which the proxy looks at it."""
    if len(script.statements) != 1:
        return Refusal(Reason.MULTI_STATEMENT if script.statements else Reason.EMPTY)
    if script.hints.off:
        return Refusal(Reason.HINT)
    statement = script.statements[0]
    if statement.kind is not Kind.SELECT or statement.read is None:
        return Refusal(Reason.NOT_A_SELECT, statement.verb)
    return statement.read.refusal

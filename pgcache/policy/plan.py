"""How one query is cached: the relations it depends on, its lifetime, or why not at all.

One pure function from the text's analysis, the session's view of names, the catalog snapshot and
the configured lifetimes. Counterpart: ``effects.py`` says what a statement may change. Must not
know: the cache, the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pgcache.catalog.snapshot import Snapshot
from pgcache.errors.reasons import Reason, Refusal
from pgcache.policy.facts import ReadFacts, View, build_facts
from pgcache.policy.matching import NO_RULES, Narrowed, Rule
from pgcache.policy.rules import Request, judge
from pgcache.policy.ttl import Lifetimes, Steps, step_of
from pgcache.sql.model import Hints, Kind, Statement
from pgcache.sql.shape import fingerprint

__all__ = ["ReadPlan", "View", "plan_read"]


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What to do with a query.

    ``tags``: OIDs whose change makes its result stale, sorted. ``labels``: the operator's names
    for it; ``own_labels`` are those that a hint or a rule gave, not its relations. ``ttl``:
    seconds, the longest that a result may live, 0 when refused; ``steps`` shorten it by cost.
    ``grace``: seconds that it may be served past its lifetime; ``stale_if_error``: while the
    origin cannot be reached. ``least_cost``: milliseconds that a result must have cost to be
    kept. ``clock``: the result depends on the time. ``relations``:
    'schema.name' of what it reads, those named in the text first. ``settings``: names that it
    asks current_setting() for. ``rule``: the name of the operator's rule that fits, '' for none.
    ``strict``: a shared store has to confirm each hit.
    """

    refusal: Refusal | None
    tags: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    ttl: float = 0.0
    clock: bool = False
    relations: tuple[str, ...] = ()
    settings: frozenset[str] = frozenset()
    rule: str = ""
    own_labels: tuple[str, ...] = ()
    steps: Steps = ()
    grace: float = 0.0
    least_cost: float = 0.0
    strict: bool = False
    stale_if_error: float = 0.0

    def lifetime(self, cost: float) -> float:
        """The longest lifetime of a result that took the origin ``cost`` seconds, in seconds."""
        return min(self.ttl, step_of(self.steps, cost)) if self.steps else self.ttl


def plan_read(
    statement: Statement,
    hints: Hints,
    view: View,
    snapshot: Snapshot | None,
    lifetimes: Lifetimes,
    *,
    prepared: bool = True,
    key_text: bytes = b"",
    rules: Narrowed = NO_RULES,
) -> ReadPlan:
    """Plan one statement. ``prepared`` False: its text is certainly parsed when it runs.

    ``key_text`` is its normalised text, and ``rules`` are those that may fit the session.
    A hint can shorten a lifetime, never lengthen it.
    """
    if hints.off:
        return ReadPlan(Refusal(Reason.HINT, "off"))
    if statement.kind is not Kind.SELECT or statement.read is None:
        return ReadPlan(Refusal(Reason.NOT_A_SELECT, statement.verb))
    if snapshot is None:
        return ReadPlan(statement.read.refusal or Refusal(Reason.NO_CATALOG))
    facts = build_facts(statement.read, view, snapshot)
    named = tuple(relation.display for relation in facts.relations)
    behind = _displays(facts, snapshot, named)
    text = key_text.decode("utf-8", "surrogateescape") if rules.rules else ""
    rule = rules.find(text, (*named, *behind), partial(fingerprint, key_text))
    return _conclude(facts, (named, behind), hints, lifetimes, rule, prepared=prepared)


def _conclude(
    facts: ReadFacts,
    relations: tuple[tuple[str, ...], tuple[str, ...]],
    hints: Hints,
    lifetimes: Lifetimes,
    rule: Rule | None,
    *,
    prepared: bool,
) -> ReadPlan:
    named, behind = relations
    lifetime = lifetimes.of_data(named, behind, rule)
    clock_bound = lifetimes.of_clock(named, behind, rule) if facts.clock else None
    refusal = judge(Request(facts, prepared, lifetime, clock_bound, hints.ttl, rule))
    bounds = [lifetime.seconds]
    bounds += [] if clock_bound is None else [clock_bound.seconds]
    bounds += [] if hints.ttl is None else [hints.ttl]
    own_labels = (*(() if rule is None else rule.tags), *hints.tags)
    labels = dict.fromkeys((*lifetimes.tags((*named, *behind)), *own_labels))
    return ReadPlan(
        refusal=refusal,
        tags=tuple(sorted(facts.tags)),
        labels=tuple(labels),
        ttl=min(bounds) if refusal is None else 0.0,
        clock=facts.clock,
        relations=(*named, *behind),
        settings=facts.settings,
        strict=lifetimes.is_strict((*named, *behind)),
        rule="" if rule is None else rule.name,
        own_labels=own_labels,
        steps=lifetimes.steps_of(rule),
        # A hint's lifetime is a client's word on how old an answer may be.
        grace=lifetimes.of_grace(named, behind, rule, clock=facts.clock)
        if hints.ttl is None
        else 0.0,
        least_cost=lifetimes.least_cost(rule),
        # Kept for all who ask the same; what a hint or a session wants is looked at when asked.
        stale_if_error=lifetimes.of_stale_if_error(named, behind, rule, clock=facts.clock),
    )


def _displays(facts: ReadFacts, snapshot: Snapshot, named: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the relations behind those that the text names."""
    found = (snapshot.relation(oid) for oid in facts.tags)
    names = {relation.display for relation in found if relation is not None}
    return tuple(sorted(names.difference(named)))

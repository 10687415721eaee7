"""Why a query is not looked up: small rules, asked in order, the first verdict wins.

Each docstring is the sentence users read about it (``EXPLANATIONS`` has the same by reason code).
These are the rules about the text and the schema; the session's are in ``context.py``, the reply's
in ``proxy/capture.py``. Must not know: the cache, the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pgcache.errors.reasons import Reason, Refusal
from pgcache.policy.facts import ReadFacts
from pgcache.policy.matching import Rule as OperatorsRule
from pgcache.policy.ttl import Lifetime

__all__ = ["REQUEST_RULES", "Request", "judge"]


@dataclass(frozen=True, slots=True)
class Request:
    """A query with all that its judgement needs.

    ``prepared``: its text was parsed earlier than it runs, or may have been. ``clock_bound`` is
    None where the query does not read the clock. ``rule``: the operator's that fits it.
    """

    facts: ReadFacts
    prepared: bool
    lifetime: Lifetime
    clock_bound: Lifetime | None
    hinted_ttl: float | None = None
    rule: OperatorsRule | None = None


Rule = Callable[[Request], Refusal | None]


def has_refused_structure(request: Request) -> Refusal | None:
    """Row locks, writes, samples and syntax that pgcache does not know are left to PostgreSQL."""
    return request.facts.read.refusal


def reads_unknown_relation(request: Request) -> Refusal | None:
    """A relation of the query is not in the catalog snapshot."""
    unknown = request.facts.unknown
    if not unknown:
        return None
    is_temporary = unknown[0].startswith("pg_temp")
    reason = Reason.TEMPORARY_TABLE if is_temporary else Reason.UNKNOWN_RELATION
    return Refusal(reason, unknown[0])


def reads_unsafe_relation(request: Request) -> Refusal | None:
    """Catalogs, foreign tables, and views or policies that are not known to be safe."""
    return request.facts.closure.refusal


def calls_unsafe_function(request: Request) -> Refusal | None:
    """The query calls a function whose result is not known to depend on the key and the tables."""
    for verdict in request.facts.functions:
        if verdict.refusal is not None:
            return verdict.refusal
    return None


def calls_by_attribute(request: Request) -> Refusal | None:
    """What looks like a column may be the call of a function that is not safe."""
    attributes = request.facts.attributes
    return Refusal(Reason.USER_FUNCTION, attributes[0]) if attributes else None


def uses_unsafe_operator(request: Request) -> Refusal | None:
    """The query may use an operator whose function is not IMMUTABLE."""
    operators = request.facts.unsafe_operators
    return Refusal(Reason.USER_OPERATOR, operators[0]) if operators else None


def uses_unsafe_type(request: Request) -> Refusal | None:
    """The query may use a type or cast whose functions are not IMMUTABLE."""
    types = request.facts.unsafe_types
    return Refusal(Reason.USER_TYPE, types[0]) if types else None


def freezes_the_clock(request: Request) -> Refusal | None:
    """'now', 'today' and the like are frozen when a statement is prepared."""
    is_frozen = request.prepared and request.facts.read.magic_literals
    return Refusal(Reason.MAGIC_LITERAL) if is_frozen else None


def has_no_lifetime(request: Request) -> Refusal | None:
    """A table of the query has a lifetime of zero."""
    lifetime = request.lifetime
    return Refusal(Reason.TTL_ZERO, lifetime.relation) if lifetime.seconds <= 0 else None


def reads_forbidden_clock(request: Request) -> Refusal | None:
    """The query reads the clock, and the configuration gives that no time."""
    bound = request.clock_bound
    if bound is None or bound.seconds > 0:
        return None
    return Refusal(Reason.CLOCK_DISABLED, bound.relation)


def is_hinted_off(request: Request) -> Refusal | None:
    """A hint in the query gives it a lifetime of zero."""
    ttl = request.hinted_ttl
    return Refusal(Reason.HINT, "ttl") if ttl is not None and ttl <= 0 else None


def is_ruled_off(request: Request) -> Refusal | None:
    """A rule of the configuration says off."""
    rule = request.rule
    return Refusal(Reason.RULE, rule.name) if rule is not None and rule.off else None


REQUEST_RULES: tuple[Rule, ...] = (
    has_refused_structure,
    is_hinted_off,
    is_ruled_off,
    reads_unknown_relation,
    reads_unsafe_relation,
    calls_unsafe_function,
    calls_by_attribute,
    uses_unsafe_operator,
    uses_unsafe_type,
    freezes_the_clock,
    has_no_lifetime,
    reads_forbidden_clock,
)


def judge(request: Request) -> Refusal | None:
    """The first rule's refusal; None: the query may be looked up and stored."""
    for rule in REQUEST_RULES:
        refusal = rule(request)
        if refusal is not None:
            return refusal
    return None

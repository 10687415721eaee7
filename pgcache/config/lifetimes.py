"""The options that say what is kept and how long: general ones, a table's own, rules.

Counterpart: ``policy/ttl.py`` and ``policy/matching.py`` obey them. Knows nothing of files.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from pgcache.config.section import Section, check_qualified, option
from pgcache.config.values import (
    DURATION_HELP,
    Duration,
    PositiveDuration,
    parse_duration,
)

STEPS_HELP = "a list such as ['10s: 30min', '5s: 10min', '1s: 5min', '0s: 1min']"
FINGERPRINT_HELP = "a list of 16 hexadecimal digits each, what 'pgcache explain' calls statement"
NAMES_HELP = "a name or a list of names; * stands for anything"


def parse_step(text: str) -> tuple[float, float]:
    """Read 'COST: TTL', two durations, as seconds. Raises ValueError."""
    cost, colon, ttl = text.partition(":")
    if not colon:
        raise ValueError(f"{text!r} is no step; give {STEPS_HELP}")
    return parse_duration(cost), parse_duration(ttl)


def _check_steps(steps: tuple[str, ...]) -> tuple[str, ...]:
    costs = [parse_step(step)[0] for step in steps]
    if costs != sorted(set(costs), reverse=True):
        raise ValueError(f"the steps do not fall; give the highest cost first, {STEPS_HELP}")
    return steps


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Steps = Annotated[tuple[str, ...], AfterValidator(_check_steps)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class CacheConfig(Section):
    """What is kept, and how long."""

    enabled: bool = option(
        True, "false: a plain proxy; nothing is looked up or kept.", "true or false"
    )
    mode: Literal["on", "off", "shadow"] = option(
        "on",
        "What pgcache.mode is at the start of each session; 'off' asks sessions to opt in by "
        "SET pgcache.mode = on. 'shadow' decides and measures, and serves nothing.",
        "'on', 'off' or 'shadow'",
    )
    ttl: Duration = option(
        "300s",
        "How long a result may be served. A query over several tables takes the shortest; "
        "0 means never.",
        DURATION_HELP,
    )
    clock_ttl: Duration = option(
        "300s",
        "Upper bound for queries that read the clock (now(), CURRENT_DATE); 0 means never.",
        DURATION_HELP,
    )
    ttl_by_cost: Steps = option(
        (),
        "Lifetimes by what a result cost PostgreSQL: the first step whose cost was reached gives "
        "it. They take the place of ttl; a table's own ttl stays the most that it gets. Empty: "
        "ttl, whatever the cost.",
        STEPS_HELP,
    )
    ttl_jitter: float = option(
        0.0,
        "Each lifetime is shortened by a random part of it, up to this one, so that what was "
        "stored together does not end together.",
        "0 to 0.5",
        ge=0,
        le=0.5,
        allow_inf_nan=False,
    )
    grace: Duration = option(
        0,
        "How long a result is served past its lifetime, marked as stale, while one execution "
        "refreshes it. 0: never. Never for what was invalidated.",
        DURATION_HELP,
    )
    stale_if_error: Duration = option(
        0,
        "How long a result is served past its lifetime while PostgreSQL cannot be reached, to "
        "sessions that were there before. 0: never. Never for what was invalidated.",
        DURATION_HELP,
    )
    refresh_ahead: float = option(
        0.0,
        "How eagerly results that are asked for often are refreshed before their end (beta of "
        "XFetch; 1 is usual, more is earlier). 0: never.",
        "0 to 10",
        ge=0,
        le=10,
        allow_inf_nan=False,
    )
    verify_ratio: float = option(
        0.0,
        "Part of the hits that are asked again in the background and compared. Each result at "
        "most once a second.",
        "0 to 1",
        ge=0,
        le=1,
        allow_inf_nan=False,
    )
    verify_quarantine: Duration = option(
        "1h",
        "How long a query is forwarded whose cached result differed without a reason; 0: it is "
        "only counted.",
        DURATION_HELP,
    )
    refresh_limit: int = option(
        8, "Executions in the background at the same time, of all databases.", "1 or more", ge=1
    )
    min_query_ms: float = option(
        0.0,
        "A result that PostgreSQL gave in less time is not kept. Milliseconds.",
        "0 or more",
        ge=0,
        allow_inf_nan=False,
    )
    flight_wait: Duration = option(
        "30s",
        "How long a query waits for the same query of another client before it runs itself.",
        DURATION_HELP,
    )
    max_analysis_entries: int = option(
        10_000, "Query texts whose analysis is remembered.", "1 or more", ge=1
    )
    catalog_refresh: PositiveDuration = option(
        "60s",
        "How often the catalogs are compared with the snapshot, for schema changes that did not "
        "come through pgcache.",
        DURATION_HELP,
    )


class TableConfig(Section):
    """One table's own lifetime."""

    ttl: Duration | None = option(
        None, "Lifetime of results that read this table; 0 means never.", DURATION_HELP
    )
    clock_ttl: Duration | None = option(
        None, "The same for queries that also read the clock.", DURATION_HELP
    )
    grace: Duration | None = option(
        None,
        "How long they are served past their lifetime. By default cache.grace, or 0 for a table "
        "that has a lifetime of its own.",
        DURATION_HELP,
    )
    stale_if_error: Duration | None = option(
        None,
        "The same while PostgreSQL cannot be reached. By default cache.stale_if_error, or 0 for "
        "a table that has a lifetime of its own.",
        DURATION_HELP,
    )
    tags: tuple[str, ...] = option(
        (), "Names to invalidate its results by, beside the table's own.", "a list of names"
    )
    consistency: Literal["eventual", "strict"] | None = option(
        None,
        "store.consistency for results that read this table; one strict table is enough.",
        "'eventual' or 'strict'",
    )


class RuleConfig(Section):
    """A rule: what all its conditions fit is kept as it says. The first rule that fits counts."""

    name: str | None = option(
        None, "What explanations call it; its number by default.", "a text", min_length=1
    )
    relation: Names = option((), "Fits queries that read one of these tables.", NAMES_HELP)
    fingerprint: tuple[Fingerprint, ...] = option(
        (), "Fits queries of these fingerprints (their literals do not count).", FINGERPRINT_HELP
    )
    query: str | None = option(
        None,
        "Fits queries that this regular expression is found in. It looks at the normalised text: "
        "no comments, single blanks, unquoted letters lower case.",
        "a regular expression",
    )
    user: Names = option((), "Fits sessions that logged in as one of these.", NAMES_HELP)
    database: Names = option((), "Fits sessions of one of these databases.", NAMES_HELP)
    application_name: Names = option(
        (), "Fits sessions that call themselves one of these.", NAMES_HELP
    )
    off: bool = option(False, "true: the query is forwarded.", "true or false")
    ttl: Duration | None = option(
        None,
        "Takes the place of cache.ttl and cache.ttl_by_cost; a table's own ttl stays the most.",
        DURATION_HELP,
    )
    clock_ttl: Duration | None = option(None, "Takes the place of cache.clock_ttl.", DURATION_HELP)
    grace: Duration | None = option(None, "Takes the place of cache.grace.", DURATION_HELP)
    stale_if_error: Duration | None = option(
        None, "Takes the place of cache.stale_if_error.", DURATION_HELP
    )
    min_query_ms: float | None = option(
        None,
        "Takes the place of cache.min_query_ms. Milliseconds.",
        "0 or more",
        ge=0,
        allow_inf_nan=False,
    )
    tags: tuple[str, ...] = option(
        (), "Names to invalidate its results by, beside the tables' own.", "a list of names"
    )

    @field_validator("relation")
    @classmethod
    def _qualified(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            check_qualified(name, "table")
        return names

    @field_validator("query")
    @classmethod
    def _compiles(cls, text: str | None) -> str | None:
        try:
            re.compile(text or "")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return text

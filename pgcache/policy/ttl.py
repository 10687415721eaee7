"""How long a result lives: the configuration's lifetimes, the clock's bound, hints (P4).

Counterpart: ``config`` holds the wishes, ``plan.py`` asks for a query's relations, ``matching``
finds its rule. Must not know: the session, the cache. All times are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pgcache.config import Config
from pgcache.config.lifetimes import parse_step
from pgcache.policy.matching import Rule, Rules, build_rules

__all__ = [
    "Lifetime",
    "Lifetimes",
    "Steps",
    "TableLifetime",
    "build_lifetimes",
    "step_of",
    "within_wishes",
]

Steps = tuple[tuple[float, float], ...]  # (cost, lifetime), the highest cost first

_NO_TABLES: Final[Mapping[str, TableLifetime]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TableLifetime:
    """What is configured for one relation; None: nothing, the general value holds."""

    ttl: float | None = None
    clock_ttl: float | None = None
    tags: tuple[str, ...] = ()
    grace: float | None = None
    strict: bool | None = None
    stale_if_error: float | None = None


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The answer for one query: ``seconds``, 0 for never; ``relation`` is the one that set it."""

    seconds: float
    relation: str = ""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Lifetimes as configured. ``tables`` maps 'schema.name', as PostgreSQL shows names.

    ``clock_ttl`` bounds queries that read the clock. ``steps`` give the general lifetime by cost
    where there are any. ``grace`` is how long results are served past their lifetime, and
    ``stale_if_error`` how long while the origin cannot be reached. ``jitter`` is the part that
    chance takes off a lifetime at most. A table's own values are the most that its results get,
    whatever rules, steps and hints say.
    """

    ttl: float = 300.0
    clock_ttl: float = 300.0
    tables: Mapping[str, TableLifetime] = field(default_factory=lambda: _NO_TABLES)
    steps: Steps = ()
    grace: float = 0.0
    jitter: float = 0.0
    min_query_ms: float = 0.0
    rules: Rules = field(default_factory=Rules)
    strict: bool = False
    stale_if_error: float = 0.0

    @property
    def outlast_origin(self) -> bool:
        """Whether anything at all may be served while the origin cannot be reached."""
        own = [table.stale_if_error for table in self.tables.values()]
        own += [rule.stale_if_error for rule in self.rules]
        return self.stale_if_error > 0 or any(own)

    def is_strict(self, relations: Iterable[str]) -> bool:
        """Whether a shared store has to confirm every hit of a query over these relations."""
        found = []
        for name in relations:
            table = self.tables.get(name)
            found.append(self.strict if table is None or table.strict is None else table.strict)
        return any(found) if found else self.strict

    def of_data(
        self, named: Iterable[str], behind: Iterable[str], rule: Rule | None = None
    ) -> Lifetime:
        """The longest lifetime of a query over the relations it names and those behind them.

        The shortest wins. What stands behind a name (the tables of a view, the partitions of a
        table) counts only with a lifetime of its own.
        """
        own = {name: table.ttl for name, table in self.tables.items()}
        if rule is not None and rule.ttl is not None:
            general = rule.ttl
        else:
            general = max((ttl for _, ttl in self.steps_of(rule)), default=self.ttl)
        return _shortest(own, general, named, behind)

    def of_clock(
        self, named: Iterable[str], behind: Iterable[str], rule: Rule | None = None
    ) -> Lifetime:
        """The bound for a query over these relations that reads the clock."""
        own = {name: table.clock_ttl for name, table in self.tables.items()}
        general = rule.clock_ttl if rule is not None else None
        return _shortest(own, self.clock_ttl if general is None else general, named, behind)

    def of_grace(
        self,
        named: Iterable[str],
        behind: Iterable[str],
        rule: Rule | None = None,
        *,
        clock: bool = False,
    ) -> float:
        """How long a result of these relations may be served past its lifetime.

        Whoever gives a table a lifetime of its own means it: the general grace is not added to
        that. ``clock``: the query reads the clock, whose bound is meant as well.
        """
        own = {name: table.grace for name, table in self.tables.items()}
        general = rule.grace if rule is not None else None
        general = self.grace if general is None else general
        return self._excess(own, general, named, behind, clock=clock)

    def of_stale_if_error(
        self,
        named: Iterable[str],
        behind: Iterable[str],
        rule: Rule | None = None,
        *,
        clock: bool = False,
    ) -> float:
        """The same while the origin cannot be reached."""
        own = {name: table.stale_if_error for name, table in self.tables.items()}
        general = rule.stale_if_error if rule is not None else None
        general = self.stale_if_error if general is None else general
        return self._excess(own, general, named, behind, clock=clock)

    def _excess(
        self,
        wishes: Mapping[str, float | None],
        general: float,
        named: Iterable[str],
        behind: Iterable[str],
        *,
        clock: bool,
    ) -> float:
        """How far results may outlive their lifetime, where tables have ``wishes`` of their own."""
        own = {
            name: _own_excess(table, wishes[name], clock=clock)
            for name, table in self.tables.items()
        }
        return _shortest(own, general, named, behind).seconds

    def steps_of(self, rule: Rule | None) -> Steps:
        """The steps that hold under ``rule``: none where it says a lifetime itself."""
        if not self.steps or (rule is not None and rule.ttl is not None):
            return ()
        # What costs less than the lowest step gets what there would be without steps.
        return self.steps if not self.steps[-1][0] else (*self.steps, (0.0, self.ttl))

    def least_cost(self, rule: Rule | None) -> float:
        """What a result must have cost to be kept, in milliseconds."""
        own = None if rule is None else rule.min_query_ms
        return self.min_query_ms if own is None else own

    def tags(self, relations: Iterable[str]) -> tuple[str, ...]:
        """The names by which the operator can invalidate what reads these relations."""
        found: dict[str, None] = {}
        for name in relations:
            table = self.tables.get(name)
            if table is not None:
                found.update(dict.fromkeys(table.tags))
        return tuple(sorted(found))


def within_wishes(longest: float, ttl: float | None, stale_if_error: float | None) -> float:
    """How long past its end a client takes a result while the origin is lost: ``longest`` at most.

    A ``ttl`` of its own is its word on how old an answer may be, unless it says this as well.
    """
    if stale_if_error is None:
        return longest if ttl is None else 0.0
    return min(longest, stale_if_error)


def step_of(steps: Steps, cost: float) -> float:
    """The lifetime of a result that cost so much; without end where there are no steps."""
    for least, ttl in steps:
        if cost >= least:
            return ttl
    return float("inf")


def build_lifetimes(config: Config) -> Lifetimes:
    """Take the lifetimes out of the configuration."""
    tables = {
        name: TableLifetime(
            table.ttl,
            table.clock_ttl,
            table.tags,
            table.grace,
            None if table.consistency is None else table.consistency == "strict",
            table.stale_if_error,
        )
        for name, table in config.tables.items()
    }
    cache = config.cache
    return Lifetimes(
        cache.ttl,
        cache.clock_ttl,
        MappingProxyType(tables),
        steps=tuple(map(parse_step, cache.ttl_by_cost)),
        grace=cache.grace,
        jitter=cache.ttl_jitter,
        min_query_ms=cache.min_query_ms,
        rules=build_rules(config.rules),
        strict=config.store.consistency == "strict",
        stale_if_error=cache.stale_if_error,
    )


def _own_excess(table: TableLifetime, wish: float | None, *, clock: bool) -> float | None:
    """How far a table's results may outlive their lifetime: as it says itself, None: as all."""
    is_bound = table.ttl is not None or (clock and table.clock_ttl is not None)
    return 0.0 if wish is None and is_bound else wish


def _shortest(
    own: Mapping[str, float | None], general: float, named: Iterable[str], behind: Iterable[str]
) -> Lifetime:
    found: list[tuple[float, str]] = []
    for name in named:
        seconds = own.get(name)
        found.append((general, "") if seconds is None else (seconds, name))
    for name in behind:
        seconds = own.get(name)
        if seconds is not None:
            found.append((seconds, name))
    seconds, relation = min(found, default=(general, ""))
    return Lifetime(seconds, relation)

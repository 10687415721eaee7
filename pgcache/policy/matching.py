"""The operator's rules: which of them fits a query, and what it says (``[[rules]]``).

Half of a rule's conditions are about the session (user, database, application), half about the
query (relations, fingerprint, text). A session's half is judged once for all its queries
(``narrow``), so that a plan can be remembered for all sessions that have the same rules left.
Counterpart: ``config/lifetimes.py``. Must not know: what the rules' values lead to.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pgcache.config import RuleConfig

__all__ = ["NO_RULES", "Narrowed", "Rule", "Rules", "build_rules"]

# Sessions may call themselves anything: what is remembered of them is bounded.
_MAX_NARROWED: Final = 1_000


@dataclass(frozen=True)
class Rule:
    """One rule. Empty conditions fit everything; None values leave the general ones in force.

    ``ttl``, ``clock_ttl``, ``grace`` and ``stale_if_error`` in seconds, ``min_query_ms`` in
    milliseconds.
    """

    name: str
    relation: tuple[str, ...] = ()
    fingerprint: tuple[str, ...] = ()
    query: str | None = None
    user: tuple[str, ...] = ()
    database: tuple[str, ...] = ()
    application_name: tuple[str, ...] = ()
    off: bool = False
    ttl: float | None = None
    clock_ttl: float | None = None
    grace: float | None = None
    stale_if_error: float | None = None
    min_query_ms: float | None = None
    tags: tuple[str, ...] = ()

    def fits_session(self, database: str, user: str, application: str) -> bool:
        """Whether the conditions on the session hold."""
        return (
            _fits(self.database, database)
            and _fits(self.user, user)
            and _fits(self.application_name, application)
        )

    def fits_query(
        self, text: str, relations: Iterable[str], fingerprint: Callable[[], str]
    ) -> bool:
        """Whether the conditions on the query hold."""
        if self.relation and not any(_fits(self.relation, name) for name in relations):
            return False
        if self._pattern is not None and not self._pattern.search(text):
            return False
        return not self.fingerprint or fingerprint() in self.fingerprint

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return None if self.query is None else re.compile(self.query)


class Narrowed:
    """The rules that may fit queries of some sessions, in order; equal only to itself."""

    __slots__ = ("rules",)

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self.rules = rules

    def find(
        self, text: str, relations: Sequence[str], fingerprint: Callable[[], str]
    ) -> Rule | None:
        """The first rule that fits a query: its normalised text, 'schema.name' of what it reads."""
        for rule in self.rules:
            if rule.fits_query(text, relations, fingerprint):
                return rule
        return None


NO_RULES: Final = Narrowed()


class Rules:
    """All rules, in order."""

    __slots__ = ("_by_rules", "_by_session", "_rules")

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self._rules = rules
        self._by_session: dict[tuple[str, str, str], Narrowed] = {}
        self._by_rules: dict[tuple[int, ...], Narrowed] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rules) and self._rules == other._rules

    __hash__ = None  # type: ignore[assignment]  # compared by value, never a key

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def narrow(self, database: str, user: str, application: str) -> Narrowed:
        """The rules that may fit queries of such a session; the same object for the same rules."""
        if not self._rules:
            return NO_RULES
        session = database, user, application
        found = self._by_session.get(session)
        if found is None:
            fit = [rule.fits_session(*session) for rule in self._rules]
            numbers = tuple(number for number, fits in enumerate(fit) if fits)
            found = self._by_rules.get(numbers)
            if found is None:
                found = Narrowed(tuple(self._rules[number] for number in numbers))
                self._by_rules[numbers] = found
            if len(self._by_session) >= _MAX_NARROWED:
                self._by_session.clear()
            self._by_session[session] = found
        return found


def build_rules(configured: Iterable[RuleConfig]) -> Rules:
    """Take the rules out of the configuration; one without a name is called by its number."""
    return Rules(
        tuple(
            Rule(**{**dict(rule), "name": rule.name or f"rule {number}"})
            for number, rule in enumerate(configured, 1)
        )
    )


def _fits(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

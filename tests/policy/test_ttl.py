"""Lifetimes: the shortest table wins, zero is never, what stands behind a name (P4)."""

from __future__ import annotations

import pytest

from pgcache.config.model import Config
from pgcache.policy.matching import Rule, Rules
from pgcache.policy.ttl import (
    Lifetime,
    Lifetimes,
    TableLifetime,
    build_lifetimes,
    step_of,
    within_wishes,
)

# over 10 s: 30 min, over 5 s: 10 min, over 1 s: 5 min, else 1 min
STEPS = ((10.0, 1800.0), (5.0, 600.0), (1.0, 300.0), (0.0, 60.0))

TABLES = {
    "public.a": TableLifetime(ttl=10, clock_ttl=5, tags=("x", "y")),
    "public.b": TableLifetime(ttl=1000, tags=("x",)),
    "public.never": TableLifetime(ttl=0, clock_ttl=0),
    "public.tagged": TableLifetime(tags=("z",)),
}
LIFETIMES = Lifetimes(ttl=300, clock_ttl=60, tables=TABLES)


def test_the_shortest_table_wins() -> None:
    assert LIFETIMES.of_data(["public.c"], []) == Lifetime(300)
    assert LIFETIMES.of_data(["public.a", "public.c"], []) == Lifetime(10, "public.a")
    assert LIFETIMES.of_data(["public.b"], []) == Lifetime(1000, "public.b")
    assert LIFETIMES.of_data(["public.b", "public.c"], []) == Lifetime(300)
    assert LIFETIMES.of_data(["public.a", "public.never"], []) == Lifetime(0, "public.never")
    assert LIFETIMES.of_data([], []) == Lifetime(300)


def test_what_stands_behind_a_name_counts_with_a_lifetime_of_its_own() -> None:
    assert LIFETIMES.of_data(["public.b"], ["public.part"]) == Lifetime(1000, "public.b")
    assert LIFETIMES.of_data(["public.view"], ["public.b"]) == Lifetime(300)
    assert LIFETIMES.of_data(["public.view"], ["public.a"]) == Lifetime(10, "public.a")
    assert LIFETIMES.of_data(["public.view"], ["public.tagged"]) == Lifetime(300)


def test_the_clock_has_its_own_bound() -> None:
    assert LIFETIMES.of_clock(["public.a"], []) == Lifetime(5, "public.a")
    assert LIFETIMES.of_clock(["public.b"], []) == Lifetime(60)
    assert LIFETIMES.of_clock(["public.b"], ["public.never"]) == Lifetime(0, "public.never")


def test_tags_are_the_union() -> None:
    assert LIFETIMES.tags(["public.a", "public.b", "public.c", "public.tagged"]) == ("x", "y", "z")
    assert LIFETIMES.tags([]) == ()


def test_built_from_the_configuration() -> None:
    config = Config.model_validate(
        {
            "upstream": {"url": "postgresql://app@localhost/app"},
            "cache": {
                "ttl": "2min",
                "clock_ttl": "30s",
                "ttl_by_cost": ["10s: 30min", "5s: 10min", "1s: 5min", "0s: 1min"],
                "ttl_jitter": 0.1,
                "grace": "1h",
                "min_query_ms": 5,
            },
            "tables": {"public.a": {"ttl": "1h", "clock_ttl": 0, "tags": ["x"]}},
            "rules": [{"ttl": 1, "user": "a"}, {"name": "mine", "off": True}],
        }
    )
    assert build_lifetimes(config) == Lifetimes(
        ttl=120,
        clock_ttl=30,
        tables={"public.a": TableLifetime(3600, 0, ("x",))},
        steps=STEPS,
        jitter=0.1,
        grace=3600,
        min_query_ms=5,
        strict=True,
        rules=Rules((Rule("rule 1", ttl=1.0, user=("a",)), Rule("mine", off=True))),
    )


@pytest.mark.parametrize(
    ("cost", "seconds"),
    [(0.0, 60), (0.999, 60), (1.0, 300), (5.0, 600), (9.9, 600), (10.0, 1800), (900.0, 1800)],
)
def test_what_cost_more_lives_longer(cost: float, seconds: float) -> None:
    assert step_of(STEPS, cost) == seconds


def test_without_steps_the_cost_does_not_matter() -> None:
    assert step_of((), 5.0) == float("inf")
    assert LIFETIMES.steps_of(None) == ()


def test_below_the_lowest_step_the_general_lifetime_holds() -> None:
    lifetimes = Lifetimes(ttl=20, steps=((1.0, 300.0),))
    assert step_of(lifetimes.steps_of(None), 0.5) == 20
    assert step_of(lifetimes.steps_of(None), 1.5) == 300
    assert Lifetimes(ttl=20, steps=STEPS).steps_of(None) == STEPS


def test_steps_never_pass_what_a_table_allows() -> None:
    lifetimes = Lifetimes(ttl=20, steps=STEPS, tables=TABLES)
    assert lifetimes.of_data(["public.c"], []) == Lifetime(1800)
    assert lifetimes.of_data(["public.a", "public.c"], []) == Lifetime(10, "public.a")
    assert lifetimes.of_data(["public.b"], []) == Lifetime(1000, "public.b")


def test_a_rule_takes_the_place_of_the_general_values_and_of_no_tables() -> None:
    rule = Rule("r", ttl=7200.0, clock_ttl=100.0, min_query_ms=3.0)
    lifetimes = Lifetimes(ttl=300, clock_ttl=60, tables=TABLES, steps=STEPS, min_query_ms=1)
    assert lifetimes.of_data(["public.c"], [], rule) == Lifetime(7200)
    assert lifetimes.of_data(["public.a"], [], rule) == Lifetime(10, "public.a")
    assert lifetimes.of_data(["public.c"], ["public.b"], rule) == Lifetime(1000, "public.b")
    assert lifetimes.of_data(["public.never"], [], rule) == Lifetime(0, "public.never")
    assert lifetimes.of_clock(["public.c"], [], rule) == Lifetime(100)
    assert lifetimes.of_clock(["public.a"], [], rule) == Lifetime(5, "public.a")
    assert lifetimes.steps_of(rule) == ()
    assert (lifetimes.least_cost(rule), lifetimes.least_cost(None)) == (3.0, 1.0)


def test_what_a_rule_does_not_say_stays() -> None:
    rule = Rule("r", tags=("x",))
    lifetimes = Lifetimes(ttl=300, clock_ttl=60, tables=TABLES, steps=STEPS, min_query_ms=1)
    assert lifetimes.of_data(["public.c"], [], rule) == Lifetime(1800)
    assert lifetimes.of_clock(["public.c"], [], rule) == Lifetime(60)
    assert lifetimes.steps_of(rule) == STEPS
    assert lifetimes.least_cost(rule) == 1.0


def test_a_table_with_a_lifetime_of_its_own_has_no_grace_but_its_own() -> None:
    tables = {
        "public.own": TableLifetime(ttl=10),
        "public.both": TableLifetime(ttl=10, grace=5),
        "public.grace": TableLifetime(grace=7),
        "public.clock": TableLifetime(clock_ttl=10),
        "public.tagged": TableLifetime(tags=("x",)),
    }
    lifetimes = Lifetimes(grace=60, tables=tables)
    graces = {"public.own": 0, "public.both": 5, "public.grace": 7, "public.clock": 60}
    for name, grace in (graces | {"public.tagged": 60, "public.none": 60}).items():
        assert lifetimes.of_grace([name], []) == grace
    assert lifetimes.of_grace(["public.clock"], [], clock=True) == 0
    assert lifetimes.of_grace(["public.none", "public.both"], []) == 5
    assert lifetimes.of_grace(["public.none"], ["public.own"]) == 0
    rule = Rule("r", grace=100.0)
    assert lifetimes.of_grace(["public.none"], [], rule) == 100
    assert lifetimes.of_grace(["public.none"], ["public.both"], rule) == 5


def test_stale_if_error_follows_the_rules_of_grace() -> None:
    tables = {
        "public.own": TableLifetime(ttl=10),
        "public.both": TableLifetime(ttl=10, stale_if_error=5),
        "public.clock": TableLifetime(clock_ttl=10),
    }
    lifetimes = Lifetimes(stale_if_error=60, tables=tables)
    assert lifetimes.of_stale_if_error(["public.none"], []) == 60
    assert lifetimes.of_stale_if_error(["public.own"], []) == 0
    assert lifetimes.of_stale_if_error(["public.both"], []) == 5
    assert lifetimes.of_stale_if_error(["public.none"], ["public.own"]) == 0
    assert lifetimes.of_stale_if_error(["public.clock"], [], clock=True) == 0
    rule = Rule("r", stale_if_error=100.0)
    assert lifetimes.of_stale_if_error(["public.none"], [], rule) == 100
    assert lifetimes.of_stale_if_error(["public.both"], [], rule) == 5
    assert lifetimes.of_stale_if_error(["public.none"], [], Rule("r")) == 60


@pytest.mark.parametrize(
    ("lifetimes", "outlasts"),
    [
        (Lifetimes(), False),
        (Lifetimes(grace=60), False),
        (Lifetimes(stale_if_error=60), True),
        (Lifetimes(tables={"public.a": TableLifetime(stale_if_error=5)}), True),
        (Lifetimes(tables={"public.a": TableLifetime(stale_if_error=0)}), False),
        (Lifetimes(rules=Rules((Rule("r", stale_if_error=5),))), True),
        (Lifetimes(rules=Rules((Rule("r"),))), False),
    ],
)
def test_sessions_outlast_the_origin_only_where_something_asks_for_it(
    lifetimes: Lifetimes, outlasts: bool
) -> None:
    assert lifetimes.outlast_origin is outlasts


def test_a_client_can_only_want_less() -> None:
    assert within_wishes(60, None, None) == 60
    assert within_wishes(60, None, 10) == 10
    assert within_wishes(60, None, 600) == 60
    assert within_wishes(60, 5, None) == 0, "its own ttl is its word on the age"
    assert within_wishes(60, 5, 10) == 10

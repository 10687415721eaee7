"""Rules: what they fit, that the first counts, that sessions with the same rules share."""

from __future__ import annotations

import pytest

from pgcache.config import Config
from pgcache.policy.matching import NO_RULES, Narrowed, Rule, Rules, build_rules

TEXT = "select a from orders where b = 'X'"
RELATIONS = ("public.paid", "sales.orders")


def never() -> str:
    raise AssertionError("the fingerprint was asked for")


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule("all"), True),
        (Rule("r", relation=("sales.orders",)), True),
        (Rule("r", relation=("sales.*",)), True),
        (Rule("r", relation=("nothing.*", "public.paid")), True),
        (Rule("r", relation=("sales.order",)), False),
        (Rule("r", relation=("Sales.Orders",)), False),
        (Rule("r", query="from orders"), True),
        (Rule("r", query="^from"), False),
        (Rule("r", query=r"b = '\w'$"), True),
        (Rule("r", query="from orders", relation=("public.other",)), False),
    ],
)
def test_what_fits_a_query(rule: Rule, fits: bool) -> None:
    assert rule.fits_query(TEXT, RELATIONS, never) is fits


def test_the_fingerprint_is_found_only_where_it_is_asked_for() -> None:
    rule = Rule("r", fingerprint=("a" * 16, "b" * 16))
    assert rule.fits_query(TEXT, RELATIONS, lambda: "b" * 16)
    assert not rule.fits_query(TEXT, RELATIONS, lambda: "c" * 16)
    assert not Rule("r", fingerprint=("a",), query="no").fits_query(TEXT, RELATIONS, never)


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule("all"), True),
        (Rule("r", user=("bi",)), True),
        (Rule("r", user=("b?",)), True),
        (Rule("r", user=("BI",)), False),
        (Rule("r", database=("shop", "other")), True),
        (Rule("r", application_name=("Meta*",)), True),
        (Rule("r", application_name=("",)), False),
        (Rule("r", user=("bi",), database=("other",)), False),
    ],
)
def test_what_fits_a_session(rule: Rule, fits: bool) -> None:
    assert rule.fits_session("shop", "bi", "Metabase") is fits


def test_the_first_that_fits_counts() -> None:
    rules = Narrowed((Rule("1", query="nowhere"), Rule("2", query="a"), Rule("3")))
    found = rules.find(TEXT, RELATIONS, never)
    assert found is not None
    assert found.name == "2"
    assert Narrowed((Rule("1", query="nowhere"),)).find(TEXT, RELATIONS, never) is None


def test_sessions_with_the_same_rules_left_have_the_same_object() -> None:
    rules = Rules((Rule("1", user=("bi",)), Rule("2", application_name=("psql",)), Rule("3")))
    bi = rules.narrow("shop", "bi", "Metabase")
    assert [rule.name for rule in bi.rules] == ["1", "3"]
    assert rules.narrow("other", "bi", "Superset") is bi
    assert [rule.name for rule in rules.narrow("shop", "ann", "psql").rules] == ["2", "3"]
    assert Rules().narrow("shop", "bi", "") is NO_RULES


def test_what_is_remembered_of_sessions_is_bounded() -> None:
    rules = Rules((Rule("1"),))
    first = rules.narrow("shop", "bi", "0")
    for number in range(5_000):
        assert rules.narrow("shop", "bi", str(number)) is first
    assert len(rules._by_session) <= 1_000


def test_built_from_the_configuration() -> None:
    config = Config.model_validate(
        {
            "upstream": {"url": "postgresql://app@localhost/app"},
            "rules": [
                {"relation": "a.b", "off": True, "tags": ["x"]},
                {"name": "n", "application_name": ["p"], "query": "q", "ttl": "1min"},
            ],
        }
    )
    assert build_rules(config.rules) == Rules(
        (
            Rule("rule 1", relation=("a.b",), off=True, tags=("x",)),
            Rule("n", application_name=("p",), query="q", ttl=60.0),
        )
    )
    assert build_rules(config.rules) != Rules()

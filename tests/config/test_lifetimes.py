"""What may be said about lifetimes, and what may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pgcache.config import Config
from pgcache.config.lifetimes import parse_step


def _config(**sections: Any) -> Config:
    return Config.model_validate({"upstream": {"url": "postgresql://svc@db/app"}, **sections})


def test_a_step_is_a_cost_and_a_lifetime() -> None:
    assert parse_step("10s: 30min") == (10.0, 1800.0)


def test_one_name_is_a_list_of_one() -> None:
    (rule,) = _config(rules=[{"relation": "public.orders", "user": ["a", "b"]}]).rules
    assert (rule.relation, rule.user) == (("public.orders",), ("a", "b"))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"cache": {"ttl_by_cost": ["1s"]}}, "'1s' is no step"),
        ({"cache": {"ttl_by_cost": ["1s: 5min", "10s: 30min"]}}, "the highest cost first"),
        ({"cache": {"ttl_by_cost": ["1s: soon"]}}, "is not a duration"),
        ({"cache": {"ttl_jitter": 0.6}}, "less than or equal to 0.5"),
        ({"rules": [{"relation": "orders"}]}, "'orders' is no table"),
        ({"rules": [{"query": "("}]}, "is no regular expression"),
        ({"rules": [{"fingerprint": ["x"]}]}, "match pattern"),
    ],
)
def test_what_cannot_be(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _config(**section)

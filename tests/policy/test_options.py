"""pgcache's own settings."""

from __future__ import annotations

import pytest

from pgcache.policy.options import Options, find_problem, parse_ttl, read_options


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60.0),
        (" 60s ", 60.0),
        ("500ms", 0.5),
        ("1.5 min", 90.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("0", 0.0),
        ("", None),
        ("-1", None),
        ("1 year", None),
        ("1s2", None),
    ],
)
def test_lifetimes(text: str, seconds: float | None) -> None:
    assert parse_ttl(text) == seconds


def test_options_are_read_and_what_is_invalid_is_the_default() -> None:
    assert read_options(None, None, None) == Options()
    assert read_options("", "", "") == Options()
    assert read_options("nonsense", "nonsense", "nonsense") == Options()
    assert read_options("Refresh", "60s", "on") == Options("refresh", 60.0, True)
    assert read_options("shadow", "", "").mode == "shadow"
    assert read_options("false", "0", "no") == Options("off", 0.0, False)
    assert read_options("true", None, None).mode == "on"
    assert read_options(None, None, None, "1min").stale_if_error == 60.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pgcache.mode", "sometimes"),
        ("pgcache.ttl", "a while"),
        ("pgcache.notices", "loud"),
        ("pgcache.stale_if_error", "for ever"),
        ("pgcache.speed", "11"),
    ],
)
def test_problems_name_the_setting_and_what_to_do(name: str, value: str) -> None:
    problem = find_problem(name, value)
    assert problem is not None
    assert name in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [("pgcache.mode", "OFF"), ("pgcache.ttl", "5min"), ("pgcache.notices", "1")],
)
def test_what_is_right_is_no_problem(name: str, value: str) -> None:
    assert find_problem(name, value) is None

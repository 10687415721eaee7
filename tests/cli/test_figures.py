from __future__ import annotations

import pytest

from pgcache.cli.figures import Figures, _value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("12", 12),
        ("-3", -3),
        ("0.25", 0.25),
        ("", ""),
        ("127.0.0.1", "127.0.0.1"),
        ("1e", "1e"),
        ("infinite", "infinite"),
        (None, None),
    ],
)
def test_values(text: str | None, value: object) -> None:
    found = _value(text)
    assert (found, type(found)) == (value, type(value))


def test_numbers_that_are_not_there_are_none_at_all() -> None:
    figures = Figures(stats={"hits": 3, "locked": "all"})
    assert (figures.number("hits"), figures.number("locked"), figures.number("x")) == (
        3.0,
        0.0,
        0.0,
    )

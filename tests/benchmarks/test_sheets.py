"""Tables and the digits of figures."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks.samples import Series
from benchmarks.sheets import Sheet, number, times

SHEET = Sheet("Speed", ("case", "a|b"), (("one [x]", "2.0x"),), "medians of 3 rounds")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123, "0.12 ms"),
        (12.34, "12.3 ms"),
        (123.4, "123 ms"),
        (45678.9, "45,679 ms"),
        (float("inf"), "never"),
        (float("nan"), ""),
    ],
)
def test_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value, " ms") == text


def test_a_ratio_shows_its_range_if_there_is_one() -> None:
    assert times(Series.of((1.0, 3.0, 2.0))) == "2.00x (1.00–3.00)"
    assert times(Series.of((2.0,))) == "2.00x"
    assert times(Series.of(())) == ""


def test_markdown_keeps_its_columns() -> None:
    assert SHEET.as_markdown() == (
        "### Speed\n\n| case | a\\|b |\n|---|---:|\n| one [x] | 2.0x |\n\nMedians of 3 rounds.\n"
    )


def test_brackets_are_no_markup_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), width=60)
    console.print(SHEET.as_rich())
    assert isinstance(console.file, io.StringIO)
    assert "one [x]" in console.file.getvalue()

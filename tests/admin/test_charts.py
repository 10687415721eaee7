from __future__ import annotations

from xml.etree import ElementTree

import pytest

from pgcache.admin.charts import line_chart, round_up


def _lines(markup: str) -> list[list[tuple[float, float]]]:
    found = []
    for element in ElementTree.fromstring(markup).iter("polyline"):
        pairs = (point.split(",") for point in element.attrib["points"].split())
        found.append([(float(x), float(y)) for x, y in pairs])
    return found


def test_the_line_goes_from_left_to_right_and_up() -> None:
    markup = line_chart("A & B", [(3600.0, 0.0), (1800.0, 50.0), (0.0, 100.0)], top=100.0, unit="%")
    (line,) = _lines(markup)
    assert line == [(56.0, 138.0), (344.0, 75.0), (632.0, 12.0)]
    assert "A &amp; B" in markup


def test_gaps_part_the_line() -> None:
    markup = line_chart("x", [(30.0, 1.0), (20.0, None), (10.0, 1.0), (0.0, 2.0)], top=1.0, unit="")
    assert [len(line) for line in _lines(markup)] == [1, 2]
    assert markup.count("<circle") == 1
    assert min(y for line in _lines(markup) for _, y in line) == 12.0, "never above the top"


def test_nothing_to_draw() -> None:
    assert _lines(line_chart("x", [], top=1.0, unit="")) == []


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (-1, 1), (0.03, 0.05), (1, 1), (1.1, 2), (40, 50), (51, 100)]
)
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    assert round_up(value) == pytest.approx(top)

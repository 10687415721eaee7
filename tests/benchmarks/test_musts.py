"""Verdicts on what has to be shown."""

from __future__ import annotations

import pytest

from benchmarks.musts import MUSTS, Bound, Must, Verdict, judge, verdict_sheet

FAST = Must("fast", "speed", 2.0)
SMALL = Must("small", "size", 40.0, " kB", Bound.AT_MOST)


@pytest.mark.parametrize(
    ("must", "measured", "holds", "said"),
    [
        (FAST, 2.0, True, "holds"),
        (FAST, 1.5, False, "falls short by 25 %"),
        (SMALL, 40.0, True, "holds"),
        (SMALL, 50.0, False, "over by 25 %"),
        (FAST, None, None, "not measured: no peer"),
    ],
)
def test_each_side_of_a_bound(
    must: Must, measured: float | None, holds: bool | None, said: str
) -> None:
    verdict = Verdict(must, measured, "no peer")
    assert verdict.holds is holds
    assert str(verdict) == said
    assert verdict.as_json()["holds"] is holds


def test_figures_are_found_by_their_names() -> None:
    verdicts = judge({MUSTS[0].figure: 3.5, "something else": 1.0})
    assert [verdict.must for verdict in verdicts] == list(MUSTS)
    assert [verdict.measured for verdict in verdicts[:2]] == [3.5, None]


def test_the_table_counts_only_what_was_measured() -> None:
    sheet = verdict_sheet([Verdict(FAST, 3.0), Verdict(SMALL, 90.0), Verdict(FAST, None, "why")])
    assert sheet.caption.startswith("1 of 2 measured hold")
    assert sheet.rows[1] == ("small", "at most 40 kB", "90.0 kB", "over by 125 %")


def test_names_of_figures_are_unique() -> None:
    assert len({must.figure for must in MUSTS}) == len(MUSTS)

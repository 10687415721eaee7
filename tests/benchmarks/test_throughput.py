"""Rounds in which targets take turns."""

from __future__ import annotations

from itertools import count
from math import isnan

import pytest

from benchmarks.pgbench import Job, Sample
from benchmarks.throughput import DIRECT, HIT, Measured, Shape, Work, measure

JOB = Job("SELECT 1;\n", clients=4)
RATES = {DIRECT: 1000.0, HIT: 4000.0}


class Servers:
    """Answers at known rates and remembers who was asked, how often for each client."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def run(self, name: str, work: Work, times: int) -> Sample:
        self.asked.append((name, times))
        return Sample(RATES[name], 1.0, 1.0, 0.0)


def play(rounds: int, budget: float = 1e9) -> tuple[Servers, list[Measured]]:
    """By a clock on which a round takes 10 seconds."""
    servers, moments = Servers(), count(0, 10)
    measured = measure(
        servers.run,
        [Shape("one", JOB, (DIRECT, HIT))],
        rounds=rounds,
        seconds=0.5,
        budget=budget,
        report=lambda _: None,
        clock=lambda: float(next(moments)),
    )
    return servers, measured


def test_targets_take_turns_and_the_first_run_only_finds_the_rate() -> None:
    servers, measured = play(3)
    trial, filled = 1200 // 4, {DIRECT: 125, HIT: 500}
    assert servers.asked == [
        (DIRECT, trial),
        (DIRECT, filled[DIRECT]),
        (HIT, trial),
        (HIT, filled[HIT]),
        (HIT, filled[HIT]),
        (DIRECT, filled[DIRECT]),
        (DIRECT, filled[DIRECT]),
        (HIT, filled[HIT]),
    ]
    assert measured[0].ratio(HIT).values == (4.0, 4.0, 4.0)


def test_slow_targets_are_still_asked_often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, DIRECT, 1.0)
    servers, _ = play(1)
    assert servers.asked[1] == (DIRECT, JOB.least)


def test_no_round_begins_that_would_not_end_in_time() -> None:
    _, measured = play(5, budget=25.0)
    assert len(measured[0].rates(DIRECT).values) == 1


def test_the_first_round_always_runs() -> None:
    _, measured = play(2, budget=0.0)
    assert len(measured[0].rates(DIRECT).values) == 1


def test_a_missing_target_has_no_ratio() -> None:
    _, measured = play(1)
    assert measured[0].ratio("pgpool").values == ()
    assert isnan(measured[0].ratio(HIT, "pgpool").median)


def test_rounds_are_in_the_file_of_results() -> None:
    _, measured = play(2)
    told = measured[0].as_json()
    assert isinstance(told["targets"], dict)
    assert told["targets"][HIT]["per_second"]["rounds"] == [4000.0, 4000.0]

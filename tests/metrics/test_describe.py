from __future__ import annotations

import re
from dataclasses import dataclass

from pgcache.cache.store import StoreStats
from pgcache.errors import Reason
from pgcache.metrics.counters import Counters, Source
from pgcache.metrics.describe import About, by, counter, described, gauge, histogram
from pgcache.metrics.histogram import Histogram


@dataclass
class Numbers:
    """Some of each kind."""

    asked: int = counter("How often it was asked.")
    there: int = gauge("How many are there.", metric="present")
    moved: dict[Source, int] = by("source", Source, "By source.")
    took: Histogram = histogram("How long it took.", 1.0)
    bare: int = 3


def test_one_line_is_all_that_a_number_needs() -> None:
    found = {name: (about, value) for name, about, value in described(Numbers(asked=2))}
    assert found["asked"] == (About("counter", "How often it was asked."), 2)
    assert found["present"][0].kind == "gauge"
    assert found["moved"][0].label == "source"
    assert found["moved"][1] == dict.fromkeys(Source, 0)
    assert found["took"][1].bounds == (1.0,)
    assert found["bare"] == (About("gauge", "bare"), 3)


def test_a_type_is_described_without_values() -> None:
    assert next((name, value) for name, _, value in described(Counters)) == ("hits", None)


def test_two_objects_share_nothing() -> None:
    first, second = Numbers(), Numbers()
    first.moved[Source.WRITE] += 1
    first.took.observe(0.5)
    assert second.moved[Source.WRITE] == 0
    assert second.took.count == 0


def test_all_of_our_numbers_say_what_they_are() -> None:
    for numbers in (Counters, StoreStats):
        for name, about, _ in described(numbers):
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
            assert about.help[0].isupper(), name
            assert about.help.endswith("."), name


def test_reasons_are_labels() -> None:
    counters = Counters()
    counters.passes[Reason.PAUSED] += 1
    shown = {name: value for name, about, value in described(counters) if about.label == "reason"}
    assert set(shown) == {"bypass", "unstored"}
    assert shown["bypass"][Reason.PAUSED] == 1

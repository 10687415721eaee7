"""Beats that come back prove what was heard, from when they were sent."""

from __future__ import annotations

from pgcache.cache.shared.beats import Beats
from pgcache.cache.shared.link import Times

TIMES = Times(2.0)


def test_T12_trust_is_counted_from_the_sending() -> None:
    beats = Beats(TIMES)
    first, second = beats.send(10.0), beats.send(10.4)
    beats.hear(first)
    assert beats.trusted_until == 10.0 + TIMES.trust
    beats.hear(second)
    beats.hear(first)
    assert beats.trusted_until == 10.4 + TIMES.trust


def test_T12_a_beat_of_before_proves_nothing() -> None:
    beats = Beats(TIMES)
    number = beats.send(10.0)
    beats.forget()
    beats.hear(number)
    assert beats.trusted_until < 0
    assert beats.send(11.0) != number


def test_a_channel_that_brings_none_back_is_lost() -> None:
    beats = Beats(TIMES)
    found = []
    for number in range(9):
        beats.send(10.0 + number)
        found.append(beats.is_silent)
    beats.hear(9)
    assert [*found, beats.is_silent] == [False] * 8 + [True, False]

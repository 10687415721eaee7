"""Quarantine: for a while, and bounded."""

from __future__ import annotations

from pgcache.cache import quarantine as module
from pgcache.cache.quarantine import Quarantine


def test_it_lasts_a_while() -> None:
    now = [1000.0]
    quarantine = Quarantine(lambda: now[0])
    assert not quarantine
    quarantine.confine(b"text", 10.0)
    assert quarantine
    assert quarantine.holds(b"text")
    assert not quarantine.holds(b"other")
    now[0] += 10.0
    assert not quarantine.holds(b"text")
    assert not quarantine


def test_it_can_be_lifted() -> None:
    quarantine = Quarantine(lambda: 0.0)
    quarantine.confine(b"a", 10.0)
    quarantine.confine(b"b", 10.0)
    quarantine.release(b"a")
    quarantine.release(b"never")
    assert not quarantine.holds(b"a")
    assert quarantine.holds(b"b")


def test_it_is_bounded() -> None:
    quarantine = Quarantine(lambda: 0.0)
    for number in range(module._MAX + 5):
        quarantine.confine(b"%d" % number, 10.0)
    assert len(quarantine._until) == module._MAX
    assert not quarantine.holds(b"4")
    assert quarantine.holds(b"5")

from __future__ import annotations

import math

import pytest

from pgcache.proxy.verdicts import Outcome, Verdict

NOW = 100.0


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict(Outcome.HIT, expires_at=NOW + 287.4), "pgcache; hit; ttl=287"),
        (Verdict(Outcome.HIT, expires_at=NOW - 1), "pgcache; hit; ttl=0"),
        (Verdict(Outcome.STALE, expires_at=NOW - 30), "pgcache; hit; ttl=-30; detail=stale"),
        (Verdict(Outcome.STALE, expires_at=NOW), "pgcache; hit; ttl=-1; detail=stale"),
        (Verdict(Outcome.SHARED, expires_at=NOW + 9), "pgcache; fwd=miss; collapsed; ttl=9"),
        (Verdict(Outcome.MISS), "pgcache; fwd=miss"),
        (
            Verdict(Outcome.MISS, expires_at=NOW + 9, stored=True),
            "pgcache; fwd=miss; stored; ttl=9",
        ),
        (Verdict(Outcome.BYPASS), "pgcache; fwd=bypass"),
    ],
)
def test_in_one_line(verdict: Verdict, said: str) -> None:
    assert verdict.describe(NOW) == said


@pytest.mark.parametrize("outcome", Outcome)
def test_an_entry_that_was_dropped_while_it_answered_has_no_time_left(outcome: Outcome) -> None:
    said = Verdict(outcome, expires_at=-math.inf, stored=True).describe(NOW)
    assert ("ttl" not in said) or ("ttl=0" in said) or ("ttl=-1" in said)

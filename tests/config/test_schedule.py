from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from pgcache.config.schedule import next_moment, parse_schedules

ZONE = timezone(timedelta(hours=2))
MONDAY = datetime(2026, 11, 23, 5, 30, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("schedule", "moment"),
    [
        ("start", None),
        ("15min", MONDAY + timedelta(minutes=15)),
        ("0 6 * * mon", MONDAY.replace(hour=6, minute=0)),
        ("30 5 * * mon", MONDAY + timedelta(days=7)),
        ("*/20 * * * *", MONDAY.replace(minute=40)),
    ],
)
def test_the_next_moment(schedule: str, moment: datetime | None) -> None:
    assert next_moment(schedule, MONDAY) == moment


def test_lists_and_single_ones() -> None:
    assert parse_schedules("start") == ("start",)
    assert parse_schedules(["1h", " 0  6 * * * ", "1h"]) == ("1h", "0 6 * * *")
    assert parse_schedules([]) == ()


@pytest.mark.parametrize(
    "given", ["never", "0 6 * *", "99 6 * * *", "0s", "10ms", 7, ["start", 7], {"a": 1}, ""]
)
def test_what_is_no_schedule_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="is no schedule"):
        parse_schedules(given)

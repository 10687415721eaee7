"""When something is to be done: at start, at an interval, or as a cron expression says.

Counterpart: ``warm.py`` names the options that hold schedules. Knows no clock: moments are given.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator

from pgcache.config.values import parse_duration

START = "start"
SCHEDULE_HELP = (
    "a list of 'start', intervals such as '15min', and cron expressions such as '0 6 * * mon'"
)


def next_moment(schedule: str, now: datetime) -> datetime | None:
    """The first moment after ``now`` (aware); None for 'start', which does not come again."""
    if schedule == START:
        return None
    if _is_cron(schedule):
        moment: datetime = next(CronSim(schedule, now))
        return moment
    return now + timedelta(seconds=parse_duration(schedule))


def parse_schedules(value: Any) -> tuple[str, ...]:
    """Check a list of schedules, or one. Raises ValueError."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(one, str) for one in given):
        raise ValueError(f"is no schedule; give {SCHEDULE_HELP}")
    return tuple(dict.fromkeys(_parse(one) for one in given))


def _parse(text: str) -> str:
    text = " ".join(text.split())
    if text == START:
        return text
    try:
        if _is_cron(text):
            CronSim(text, datetime(2000, 1, 1))  # noqa: DTZ001  looked at, not used
        elif parse_duration(text) < 1:
            raise ValueError("an interval is a second or more")
    except (CronSimError, ValueError):
        raise ValueError(f"{text!r} is no schedule; give {SCHEDULE_HELP}") from None
    return text


def _is_cron(text: str) -> bool:
    return len(text.split()) == 5


Schedules = Annotated[tuple[str, ...], BeforeValidator(parse_schedules)]

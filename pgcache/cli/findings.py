"""What a check found: values that ``checks.py`` makes and ``check.py`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Grade(Enum):
    """How a finding is meant."""

    GOOD = "ok"
    NOTE = "note"  # nothing to do, but good to know
    WARNING = "warning"  # it works, with a limit worth removing
    FAILURE = "failed"  # caching, or everything, does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    matter: str
    grade: Grade
    found: str
    advice: str = ""

"""How a database's snapshot stands, for display.

Counterpart: ``service`` keeps it. Must not know: connections, tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """Where a database's snapshot stands."""

    UNKNOWN = "unknown"  # never asked for
    LOADING = "loading"  # asked for, not there or not known to be right
    READY = "ready"
    FAILING = "failing"  # the last attempt failed; see ``problem``
    IDLE = "idle"  # no session uses the database: no connection is held


@dataclass(frozen=True, slots=True)
class CatalogState:
    """One database's snapshot, for display."""

    database: str
    phase: Phase
    problem: str = ""  # what happened and what to do about it
    digest: str = ""
    relations: int = 0
    loads: int = 0  # times that the schema was read in full
    checks: int = 0  # times that the origin was asked whether it changed
    load_seconds: float = 0.0  # the last full read

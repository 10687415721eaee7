"""What a running proxy's console tells, fetched at once: the base of ``stats`` and ``top``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pgcache.catalog.loader import Connection

VIEWS = ("stats", "queries", "tables", "reasons", "sources")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """The views, by name; values are numbers, booleans, texts or None."""

    stats: Row = field(default_factory=dict)
    queries: list[Row] = field(default_factory=list)
    tables: list[Row] = field(default_factory=list)
    reasons: list[Row] = field(default_factory=list)
    sources: list[Row] = field(default_factory=list)

    def number(self, name: str) -> float:
        """One of the stats; 0 where there is none, or none that is a number."""
        value = self.stats.get(name, 0)
        return float(value) if isinstance(value, (int, float)) else 0.0

    def as_object(self) -> dict[str, Any]:
        """For ``--json``; keys are public and stable."""
        return {name: getattr(self, name) for name in VIEWS}


async def fetch_figures(connection: Connection) -> Figures:
    """Ask the console for all of it."""
    found: dict[str, Any] = {}
    for name in VIEWS:
        records = await connection.fetch(f"SHOW {name.upper()}")
        rows = [{key: _value(text) for key, text in record.items()} for record in records]
        found[name] = rows
    found["stats"] = {row["name"]: row["value"] for row in found["stats"]}
    return Figures(**found)


def _value(text: str | None) -> Any:
    """The console shows everything as text."""
    if text in ("true", "false"):
        return text == "true"
    if text is None or not text or text[0] not in "-0123456789":
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text

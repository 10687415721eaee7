"""What pgcache hears of changes from, and how well it hears it at the moment.

A change source keeps one ``SourceState`` up to date; the console, the page and the metrics show
it. Knows nothing of how changes arrive.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SourceState:
    """One way in which changes arrive, for one database ('' for all).

    ``is_up``: it hears. ``lag``: seconds that what it hears may be late, None where nobody can
    know. ``changes``: how many it has brought. ``detail``: why it is down, or where it is.
    """

    kind: str
    database: str = ""
    is_up: bool = False
    lag: float | None = None
    changes: int = 0
    detail: str = ""

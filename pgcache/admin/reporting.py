"""What shadow mode has measured, as a line of the log: on a schedule and at the end.

An operator reads there what caching would have saved, without asking. Decides nothing.
"""

from __future__ import annotations

from typing import Final

import structlog

from pgcache.proxy.engine import Engine

log = structlog.get_logger("pgcache.shadow")

EVENT: Final = "shadow mode: what would have been served"


class Report:
    """One process's lines. ``tell_if_due`` is to be called now and then."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told = 0  # statements that the last line was about
        self._since = engine.clock()

    def tell_if_due(self) -> None:
        """Write a line, if the time for the next has come and there is something new."""
        interval, now = self._engine.config.log.shadow_report, self._engine.clock()
        if interval and now >= self._since + interval:
            self._since = now
            self.tell()

    def tell(self) -> None:
        """Write a line, if there is something new."""
        counters = self._engine.counters
        if counters.shadow_statements == self._told:
            return
        self._told = counters.shadow_statements
        log.info(
            EVENT,
            hit_ratio=round(counters.shadow_hit_ratio, 4),
            hits=counters.shadow_hits,
            misses=counters.shadow_misses,
            saved_seconds=round(counters.shadow_saved_seconds, 3),
        )

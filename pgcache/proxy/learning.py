"""What a session waits for before its questions can be decided: the catalogs, its own settings.

Counterpart: ``probes`` asks the session, ``catalog.service`` reads the catalogs.
"""

from __future__ import annotations

from collections.abc import Callable

from pgcache.proxy.engine import Database
from pgcache.proxy.probes import Prober
from pgcache.proxy.runs import Run
from pgcache.proxy.state import State
from pgcache.wire import codes

# How long a query waits for the catalogs to be read before it passes, in seconds.
_CATALOG_PATIENCE = 1.0


class Learner:
    """One session's learning; ``go_on`` decides the waiting runs again."""

    __slots__ = ("_go_on", "_prober", "_state", "is_waiting")

    def __init__(self, state: State, prober: Prober, go_on: Callable[[], None]) -> None:
        self._state = state
        self._prober = prober
        self._go_on = go_on
        self.is_waiting = False  # for the catalogs to be read

    def wants(self, run: Run) -> bool:
        """Whether the session or its database has to be learnt first; sees to it if so."""
        state = self._state
        database = state.database
        if database is None or state.status == codes.FAILED:
            return False
        if database.snapshot is None and database.is_loading and not run.waited:
            run.waited = True
            self.is_waiting = True
            state.engine.background(self._await_catalog(database))
            return True
        return self._prober.wants()

    def is_due(self, opens: bool) -> bool:
        """Whether the session has to be known before what ``opens`` something.

        A statement prepared in an unknown context could never be executed from the cache (W-56),
        and inside a transaction it is too late to ask.
        """
        settings = self._state.settings
        if not opens or settings is None or settings.known or settings.is_lost:
            return False
        return self._state.status == codes.IDLE

    async def _await_catalog(self, database: Database) -> None:
        try:
            await database.settled(_CATALOG_PATIENCE)
        finally:
            self.is_waiting = False
        self._go_on()

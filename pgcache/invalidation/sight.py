"""Which change sources are heard, and what follows where one is not (P6).

What a source tells of is served from the cache only while the source is heard: while it is not,
statements pass, and when it is heard (again) what was stored before is given up, because it may
have missed something.

Counterpart: ``listen`` and ``stream`` report here; ``proxy/state`` asks before it looks anything
up. Must not know: how changes arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from pgcache.cache.generations import Generations
from pgcache.metrics.sources import SourceState

__all__ = ["ORIGINS_OWN", "Sight"]

# The kind of source that is heard over a connection to the origin itself.
ORIGINS_OWN: Final = "notify"


class _Database(Protocol):
    name: str
    generations: Generations


class Sight:
    """One process's sources. ``states`` are kept up to date for whoever shows them.

    A source is named by its kind and the database it tells of, '' for all of them.
    """

    __slots__ = ("_databases", "_lost", "_states")

    def __init__(
        self, states: list[SourceState], databases: Callable[[], Iterable[_Database]]
    ) -> None:
        self._states = states
        self._databases = databases
        self._lost: dict[tuple[str, str], str] = {}

    def problem(self, database: str, *, but: str = "") -> str | None:
        """Why something this database changes by may not be heard; None while all is well.

        ``but``: a kind of source that does not count.
        """
        if not self._lost:
            return None
        for (kind, where), problem in self._lost.items():
            if where in ("", database) and kind != but:
                return f"{kind}: {problem}"
        return None

    def lost(self, kind: str, database: str, problem: str) -> None:
        """A source hears nothing from now on, or not yet."""
        self._lost[kind, database] = problem
        state = self._state(kind, database)
        state.is_up, state.detail = False, problem
        for each in self._told_by(database):
            each.generations.touch()  # hits that were proved have to ask again

    def heard(self, kind: str, database: str, detail: str, *, missed: bool = True) -> None:
        """A source hears (again); ``missed``: it may have missed something meanwhile."""
        for each in self._told_by(database) if missed else ():
            each.generations.move(None)
        self._lost.pop((kind, database), None)
        state = self._state(kind, database)
        state.is_up, state.detail = True, detail

    def brought(self, kind: str, database: str) -> None:
        """A source has brought a change."""
        self._state(kind, database).changes += 1

    def _told_by(self, database: str) -> list[_Database]:
        return [each for each in self._databases() if database in ("", each.name)]

    def _state(self, kind: str, database: str) -> SourceState:
        for state in self._states:
            if (state.kind, state.database) == (kind, database):
                return state
        state = SourceState(kind, database)
        self._states.append(state)
        return state

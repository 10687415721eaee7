"""Values that obey transactions as PostgreSQL's settings do (S-04).

A value set for the session lasts when the transaction commits; one set LOCAL ends with it; both
end with a rollback, to the transaction's or the savepoint's beginning. States are immutable, so
that going back is taking the old one.

Counterpart: ``context`` gives the names a meaning. Must not know: what settings mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final


class Default(Enum):
    """The value of a name that was set back to its default."""

    DEFAULT = auto()


DEFAULT: Final = Default.DEFAULT
Value = str | Default


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What is set at one moment; ``temporary``: temporary relations may exist."""

    session: Mapping[str, Value]
    local: Mapping[str, Value]
    temporary: bool = False

    def get(self, name: str) -> Value | None:
        """The value in force, None where nothing was set."""
        value = self.local.get(name)
        return self.session.get(name) if value is None else value

    def names(self) -> set[str]:
        """All names that were set."""
        return {*self.session, *self.local}


class Layers:
    """The states of a session: the current one, and those a rollback goes back to."""

    __slots__ = ("_begin", "_savepoints", "state")

    def __init__(self) -> None:
        self.state = State({}, {})
        self._begin: State | None = None
        self._savepoints: list[tuple[str, State]] = []

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended."""
        return self._begin is not None

    def put(self, name: str, value: Value, *, local: bool = False) -> None:
        """Set ``name``. LOCAL outside of a transaction is without effect, as in PostgreSQL."""
        state = self.state
        if local:
            if self.in_transaction:
                self.state = replace(state, local={**state.local, name: value})
            return
        kept = state.local
        if name in kept:  # a later SET takes the place of a SET LOCAL
            kept = {other: value for other, value in kept.items() if other != name}
        self.state = replace(state, session={**state.session, name: value}, local=kept)

    def put_temporary(self, temporary: bool) -> None:
        """Note that temporary relations may exist, or that there are none."""
        if self.state.temporary is not temporary:
            self.state = replace(self.state, temporary=temporary)

    def reset_all(self, is_kept: Callable[[str], bool]) -> None:
        """RESET ALL: every name but those kept goes to its default (S-06).

        What is at its default already is passed over, even when a SET LOCAL put it there.
        """
        for name in self.state.names():
            if not is_kept(name) and self.state.get(name) is not DEFAULT:
                self.put(name, DEFAULT)

    def begin(self) -> None:
        """Begin a transaction; within one this does nothing, as in PostgreSQL."""
        if self._begin is None:
            self._begin = self.state

    def commit(self) -> None:
        """End the transaction and keep what was set for the session."""
        self._begin = None
        self._savepoints.clear()
        if self.state.local:
            self.state = replace(self.state, local={})

    def rollback(self) -> None:
        """End the transaction and undo all that was set in it."""
        if self._begin is not None:
            self.state = self._begin
        self._begin = None
        self._savepoints.clear()

    def fail(self) -> None:
        """An error: the innermost level is undone at once, though it still has to be ended."""
        if self._savepoints:
            self.state = self._savepoints[-1][1]
        elif self._begin is not None:
            self.state = self._begin

    def savepoint(self, name: str) -> None:
        """Set a savepoint; it hides an older one of the same name."""
        self._savepoints.append((name, self.state))

    def release(self, name: str) -> None:
        """Forget a savepoint and those after it. Raises KeyError if there is none."""
        del self._savepoints[self._find(name) :]

    def rollback_to(self, name: str) -> None:
        """Undo what was set since a savepoint, which stays. Raises KeyError if there is none."""
        index = self._find(name)
        self.state = self._savepoints[index][1]
        del self._savepoints[index + 1 :]

    def clear(self) -> None:
        """Forget everything that was set, and any transaction."""
        self.state = State({}, {})
        self._begin = None
        self._savepoints.clear()

    def _find(self, name: str) -> int:
        for index in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[index][0] == name:
                return index
        raise KeyError(name)

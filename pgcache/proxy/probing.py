"""A question of pgcache's own on a client's connection, between the client's turns (S-02, W-11).

Its reply is taken off the stream; the client sees nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable

from pgcache.wire.messages import parse_data_row

Row = list[bytes | None]


class Probing:
    """Collects the rows of one internal Query; ``done`` is called at its ReadyForQuery."""

    __slots__ = ("done", "failed", "rows")

    def __init__(self, done: Callable[[Probing], None]) -> None:
        self.done = done
        self.failed = False
        self.rows: list[Row] = []

    def row(self, message: bytes) -> None:
        """One DataRow of the answer."""
        self.rows.append(parse_data_row(message))

    def finish(self) -> None:
        """The answer is whole, or an error came."""
        self.done(self)

"""Console commands and metrics of all workers of this machine: each does its part, all are shown.

Without siblings everything is this process's own, and nothing waits.
"""

from __future__ import annotations

from typing import Any

from pgcache.admin.commands import Answer, CommandError, Commands
from pgcache.admin.merging import merge_answers, merge_columns
from pgcache.proxy.siblings import COMMAND, Part, Siblings

# What one worker does for all: it would only be done several times over.
_ONCE = frozenset({"EXPLAIN", "WARM"})


class Together:
    """The commands, on all workers."""

    def __init__(self, commands: Commands, siblings: Siblings | None) -> None:
        self._commands = commands
        self._siblings = siblings

    async def run(self, text: str) -> Answer | None:
        """Carry out one command; None for an empty text. Raises CommandError."""
        siblings = self._siblings
        words = text.split(None, 1)
        if siblings is None or not words or words[0].upper() in _ONCE:
            answer = self._commands.run(text)
            return None if answer is None else await answer.whole()
        parts = await siblings.ask(COMMAND, text)
        answers = {part.worker: _load(part.payload) for part in parts if part.error is None}
        found = {worker: answer for worker, answer in answers.items() if answer is not None}
        if found:
            return merge_answers(found, siblings.count)
        if answers:
            return None
        first = parts[0] if parts else Part(0, error="no worker answers")
        raise CommandError(str(first.error), hint=first.hint)

    def is_one(self, text: str) -> bool:
        """Whether ``text`` is a command."""
        return self._commands.is_one(text)

    def columns(self, text: str) -> tuple[str, ...]:
        """The columns that the answer to ``text`` will have. Raises CommandError."""
        columns = self._commands.columns(text)
        words = text.split(None, 1)
        if self._siblings is None or not words or words[0].upper() in _ONCE:
            return columns
        return merge_columns(columns)

    async def answer(self, text: Any) -> dict[str, Any] | None:
        """This worker's part of another one's ``run``. Raises CommandError."""
        found = self._commands.run(str(text))
        return None if found is None else _dump(await found.whole())


def _dump(answer: Answer) -> dict[str, Any]:
    return {"tag": answer.tag, "columns": answer.columns, "rows": answer.rows}


def _load(payload: dict[str, Any] | None) -> Answer | None:
    if payload is None:
        return None
    rows: tuple[tuple[str | None, ...], ...] = tuple(map(tuple, payload["rows"]))
    return Answer(payload["tag"], tuple(payload["columns"]), rows)

"""The other workers of this machine, as those who need them see them.

Counterpart: ``workers/`` runs them and carries what they say. Without workers there are none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

# What workers ask each other.
CANCEL = "cancel"  # a cancel request's packet, in hex; whether its session is there
COMMAND = "command"  # a console command's text; its answer
REQUEST = "request"  # a request by POST to the admin address; the response
METRICS = "metrics"  # nothing; the text of /metrics


@dataclass(frozen=True, slots=True)
class Part:
    """One worker's answer: ``payload``, or the ``error`` that kept it from answering."""

    worker: int
    payload: Any = None
    error: str | None = None
    hint: str | None = None


Answers = Mapping[str, Callable[[Any], Awaitable[Any]]]


class Siblings(Protocol):
    """All workers together."""

    count: int
    """How many there should be, this one included."""

    async def ask(self, what: str, payload: Any = None, *, others: bool = False) -> list[Part]:
        """Everybody's answers, one's own among them unless only ``others`` are asked.

        ``payload`` and answers are JSON. One who does not answer in time, or has ended, is a part
        with an error; never raises.
        """

    def answer_with(self, answers: Answers) -> None:
        """From now on answer what others ask, by its name."""

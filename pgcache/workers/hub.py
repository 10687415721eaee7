"""Asking all workers at once, for any of them: the supervisor's part of ``proxy.siblings``.

Nothing here waits for one that does not answer. Knows nothing of processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pgcache.admin.merging import merge_departed
from pgcache.errors import PgcacheError
from pgcache.proxy import siblings
from pgcache.workers.channel import Channel

# Seconds for an answer: a worker whose loop is busy for so long is as good as gone.
_PATIENCE = 5.0
# A cancel request is answered when the origin has closed its connection.
_LONG = {siblings.CANCEL: 60.0}


class Hub:
    """The channels to the workers that are up, by their numbers. ``patience`` is in seconds."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._channels: dict[int, Channel] = {}
        # Metrics only grow where workers come and go: what each said last, and the ended ones.
        self._metrics: dict[int, str] = {}
        self._departed = ""

    def enter(self, number: int, channel: Channel) -> None:
        """A worker is ready."""
        self._channels[number] = channel

    def leave(self, number: int) -> None:
        """It has ended."""
        self._channels.pop(number, None)
        told = self._metrics.pop(number, None)
        if told is not None:
            self._departed = merge_departed([self._departed, told])

    @property
    def numbers(self) -> list[int]:
        """The workers that are up."""
        return sorted(self._channels)

    async def ask_all(
        self, question: Mapping[str, Any], asker: int | None = None
    ) -> list[dict[str, Any]]:
        """The answers of all workers to ``question`` (what, payload), by number.

        ``asker`` is left out. Number 0 stands for workers that have ended.
        """
        asked = sorted(pair for pair in self._channels.items() if pair[0] != asker)
        answers = await asyncio.gather(*(self._ask(*pair, question) for pair in asked))
        if question["what"] == siblings.METRICS:
            return self._remember(answers)
        return answers

    def _remember(self, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Keep what was said; who said nothing stands with what it said last."""
        for answer in answers:
            if "error" not in answer:
                self._metrics[answer["worker"]] = answer["payload"]
        told = [answer["worker"] for answer in answers if "error" not in answer]
        missing = self._metrics.keys() - set(told)
        departed = merge_departed([self._departed, *(self._metrics[n] for n in sorted(missing))])
        return [*answers, {"worker": 0, "payload": departed}]

    async def _ask(
        self, number: int, channel: Channel, question: Mapping[str, Any]
    ) -> dict[str, Any]:
        what = question["what"]
        answer: dict[str, Any] = {"worker": number}
        try:
            async with asyncio.timeout(_LONG.get(what, self._patience)):
                payload = await channel.ask(what, question["payload"])
        except TimeoutError:
            return {**answer, "error": f"worker {number} did not answer in time"}
        except PgcacheError as error:
            return {**answer, "error": error.message, "hint": error.hint}
        return {**answer, "payload": payload}

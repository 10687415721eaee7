"""What is looked at from time to time instead of on every hit.

Every second some clients' next turns are timed, so that hits have a latency without costing more;
every ten seconds the sums are put into the history that charts are drawn from. Decides nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable

from pgcache.admin.commands import CommandError
from pgcache.admin.reporting import Report
from pgcache.admin.together import Together
from pgcache.metrics.history import INTERVAL, History, Sample
from pgcache.proxy.client import ClientConnection
from pgcache.proxy.engine import Engine

_TIMED = 8  # clients whose next turn is timed, each second
_SECOND = 1.0


class Sampler:
    """Fills ``history``; run ``work`` beside the sessions."""

    def __init__(
        self,
        engine: Engine,
        together: Together,
        clients: Callable[[], Iterable[ClientConnection]],
    ) -> None:
        self.history = History()
        self.report = Report(engine)
        self._engine = engine
        self._together = together
        self._clients = clients

    async def work(self) -> None:
        """Until cancelled."""
        due = 0.0
        while True:
            now = self._engine.clock()
            if now >= due:
                await self.sample()
                due = now + INTERVAL
            self.time_some()
            self.report.tell_if_due()
            await asyncio.sleep(_SECOND)

    def time_some(self) -> None:
        """Have some clients' next turns timed."""
        clients = list(self._clients())
        for client in random.sample(clients, min(_TIMED, len(clients))):
            client.time_next()

    async def sample(self) -> None:
        """Put the sums of all workers into the history."""
        for _ in self._engine.settle():
            await asyncio.sleep(0)
        try:
            answer = await self._together.run("SHOW STATS")
        except CommandError:
            return  # no worker answers: a gap
        assert answer is not None
        found = {row[0]: row[1] for row in answer.rows}

        def number(name: str) -> float:
            return float(found.get(name) or 0)

        self.history.add(
            Sample(
                self._engine.clock(),
                int(number("hits") + number("followers")),
                int(number("misses")),
                int(number("bypass")),
                number("saved_seconds"),
            )
        )

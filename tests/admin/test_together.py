from __future__ import annotations

from typing import Any

import pytest

from pgcache import __version__
from pgcache.admin.commands import Answer, CommandError, Commands
from pgcache.admin.together import Together
from pgcache.admin.view import View
from pgcache.admin.warmth import Warmth
from pgcache.config import Address
from pgcache.config.reload import Reloaded
from pgcache.invalidation.bus import Bus
from pgcache.invalidation.events import Events
from pgcache.proxy.siblings import COMMAND, Answers, Part
from tests.proxy.rig import Rig


def _commands() -> Commands:
    engine = Rig().engine
    events = Events(Bus(engine), {}, window=60, clock=lambda: 0.0)
    warmth = Warmth(engine, lambda: Address("127.0.0.1", 1))
    return Commands(View(engine), events, Reloaded, warmth)


class Fleet:
    """Workers that answer as the test says; number 1 is asked for real."""

    def __init__(self) -> None:
        self.count = 3
        self.others: list[Part] = []
        self.asked: list[str] = []
        self.own: Together | None = None

    async def ask(self, what: str, payload: Any = None, *, others: bool = False) -> list[Part]:
        assert what == COMMAND
        self.asked.append(payload)
        own: list[Part] = []
        if self.own is not None:
            try:
                own = [Part(1, await self.own.answer(payload))]
            except CommandError as error:
                own = [Part(1, error=error.message, hint=error.hint)]
        return [*own, *self.others]

    def answer_with(self, answers: Answers) -> None:
        """It answers by itself."""


@pytest.fixture
def fleet() -> Fleet:
    made = Fleet()
    made.own = Together(_commands(), made)
    return made


async def test_alone_nobody_is_asked() -> None:
    together = Together(_commands(), None)
    answer = await together.run("show version")
    assert answer == Answer("SHOW", ("version",), ((f"pgcache {__version__}",),))
    assert await together.run(" ; ") is None


async def test_stats_are_of_all(fleet: Fleet) -> None:
    assert fleet.own is not None
    fleet.others = [Part(2, {"tag": "SHOW", "columns": ["name", "value"], "rows": [["hits", "4"]]})]
    answer = await fleet.own.run("SHOW STATS")
    assert answer is not None
    rows = {row[0]: row[1] for row in answer.rows}
    assert rows["hits"] == "4"
    assert rows["workers"] == "3"
    assert rows["workers_answering"] == "2"


async def test_one_that_cannot_does_not_fail_the_rest(fleet: Fleet) -> None:
    assert fleet.own is not None
    fleet.others = [Part(2, error="gone"), Part(3, {"tag": "PAUSE", "columns": [], "rows": []})]
    assert await fleet.own.run("PAUSE") == Answer("PAUSE")


async def test_where_nobody_can_the_first_says_why(fleet: Fleet) -> None:
    assert fleet.own is not None
    with pytest.raises(CommandError, match="takes no SQL") as caught:
        await fleet.own.run("select 1")
    assert caught.value.hint == "SHOW HELP lists its commands."
    fleet.own = Together(_commands(), fleet)
    asking, fleet.own = fleet.own, None
    with pytest.raises(CommandError, match="no worker answers"):
        await asking.run("show stats")


async def test_empty_and_single_commands_stay_here(fleet: Fleet) -> None:
    assert fleet.own is not None
    assert await fleet.own.run("") is None
    with pytest.raises(CommandError):
        await fleet.own.run("warm nothing that exists")
    assert fleet.asked == []

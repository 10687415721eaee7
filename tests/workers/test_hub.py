from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from pgcache.proxy import siblings
from pgcache.workers.channel import Channel, ChannelLost
from pgcache.workers.hub import Hub

QUESTION = {"what": "name", "payload": 7}


class FakeChannel(Channel):
    """A worker that says what it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    async def ask(self, what: str, payload: Any = None) -> Any:
        self.asked.append((what, payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer


def _hub(*answers: Any) -> tuple[Hub, list[FakeChannel]]:
    hub, channels = Hub(patience=0.05), [FakeChannel(answer) for answer in answers]
    for number, channel in enumerate(channels, 1):
        hub.enter(number, channel)
    return hub, channels


async def test_all_are_asked_and_named() -> None:
    hub, channels = _hub("a", "b")
    assert await hub.ask_all(QUESTION) == [
        {"worker": 1, "payload": "a"},
        {"worker": 2, "payload": "b"},
    ]
    assert [channel.asked for channel in channels] == [[("name", 7)]] * 2


async def test_the_asker_may_be_left_out() -> None:
    hub, channels = _hub("a", "b")
    assert await hub.ask_all(QUESTION, 1) == [{"worker": 2, "payload": "b"}]
    assert channels[0].asked == []


async def test_one_that_cannot_answer_is_a_part_with_an_error() -> None:
    hub, _ = _hub("a", ChannelLost("gone", hint="wait"), None)
    assert await hub.ask_all(QUESTION) == [
        {"worker": 1, "payload": "a"},
        {"worker": 2, "error": "gone", "hint": "wait"},
        {"worker": 3, "error": "worker 3 did not answer in time"},
    ]


async def test_one_that_has_left_is_not_asked() -> None:
    hub, _ = _hub("a", "b")
    hub.leave(2)
    assert hub.numbers == [1]
    assert await hub.ask_all(QUESTION) == [{"worker": 1, "payload": "a"}]


def _metrics(hits: int, clients: int) -> str:
    return (
        f"# HELP hits_total h\n# TYPE hits_total counter\nhits_total {hits}\n"
        f"# HELP clients c\n# TYPE clients gauge\nclients {clients}\n"
    )


async def _sums(hub: Hub) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in await hub.ask_all({"what": siblings.METRICS, "payload": None}):
        for family in text_string_to_metric_families(part.get("payload", "")):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


async def test_counts_outlive_workers_and_states_do_not() -> None:
    hub, _ = _hub(_metrics(5, 1), _metrics(7, 2))
    assert await _sums(hub) == {"hits_total": 12, "clients": 3}
    hub.leave(2)
    assert await _sums(hub) == {"hits_total": 12, "clients": 1}
    hub.enter(2, FakeChannel(_metrics(1, 0)))
    assert await _sums(hub) == {"hits_total": 13, "clients": 1}
    hub.leave(2)
    hub.leave(1)
    assert await _sums(hub) == {"hits_total": 13}


async def test_one_that_does_not_answer_stands_with_what_it_counted_last() -> None:
    hub, channels = _hub(_metrics(5, 1), _metrics(7, 2))
    await _sums(hub)
    channels[1].answer = None
    assert await _sums(hub) == {"hits_total": 12, "clients": 1}
    channels[1].answer = _metrics(9, 2)
    assert await _sums(hub) == {"hits_total": 14, "clients": 3}

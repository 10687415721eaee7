from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pgcache.errors import ConfigError
from pgcache.workers.channel import Channel, ChannelLost, RemoteFailure


async def _echo(what: str, payload: Any) -> Any:
    return [what, payload]


async def _refuse(what: str, payload: Any) -> Any:
    raise ConfigError(f"{what} is refused", hint="ask for something else")


async def _break(what: str, payload: Any) -> Any:
    raise ZeroDivisionError(what)


class Pair:
    """Both ends of a channel, each with a handler of the test's choice."""

    def __init__(self) -> None:
        self.here: Channel
        self.there: Channel

    async def open(self, here: Any = _echo, there: Any = _echo) -> Pair:
        one, other = socket.socketpair()
        self.here, self.there = await Channel.open(one, here), await Channel.open(other, there)
        return self

    async def close(self) -> None:
        await self.here.close()
        await self.there.close()


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    made = Pair()
    yield made
    await made.close()


async def test_both_ends_ask(pair: Pair) -> None:
    await pair.open()
    assert await pair.here.ask("a", {"b": [1, None]}) == ["a", {"b": [1, None]}]
    assert await pair.there.ask("c") == ["c", None]


async def test_answers_come_in_any_order(pair: Pair) -> None:
    gates = {name: asyncio.Event() for name in "ab"}

    async def slow(what: str, payload: Any) -> Any:
        await gates[what].wait()
        return what

    await pair.open(there=slow)
    loop = asyncio.get_running_loop()
    first, second = (loop.create_task(pair.here.ask(name)) for name in "ab")
    gates["b"].set()
    assert await second == "b"
    assert not first.done()
    gates["a"].set()
    assert await first == "a"


async def test_large_messages_pass(pair: Pair) -> None:
    await pair.open()
    text = "ä" * 3_000_000
    assert await pair.here.ask("a", text) == ["a", text]


async def test_a_refusal_comes_with_its_advice(pair: Pair) -> None:
    await pair.open(there=_refuse)
    with pytest.raises(RemoteFailure, match="a is refused") as caught:
        await pair.here.ask("a")
    assert caught.value.hint == "ask for something else"


async def test_a_bug_is_an_answer_too(pair: Pair) -> None:
    await pair.open(there=_break)
    with pytest.raises(RemoteFailure, match="ZeroDivisionError"):
        await pair.here.ask("a")
    assert not pair.here.closed.is_set()


async def test_the_end_fails_who_waits_and_who_asks_later(pair: Pair) -> None:
    asked = asyncio.Event()

    async def never(what: str, payload: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    await pair.open(there=never)
    waiting = asyncio.get_running_loop().create_task(pair.here.ask("a"))
    await asked.wait()
    await pair.there.close()
    with pytest.raises(ChannelLost):
        await waiting
    await pair.here.closed.wait()
    with pytest.raises(ChannelLost):
        await pair.here.ask("b")


async def test_who_loses_patience_is_not_answered(pair: Pair) -> None:
    gate = asyncio.Event()

    async def slow(what: str, payload: Any) -> Any:
        if what == "slow":
            await gate.wait()
        return what

    await pair.open(there=slow)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await pair.here.ask("slow")
    gate.set()
    assert await pair.here.ask("next") == "next"


async def test_what_is_no_message_ends_it() -> None:
    one, other = socket.socketpair()
    channel = await Channel.open(one, _echo)
    with other:
        other.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(other, struct.pack("!I", 1 << 31))
        await channel.closed.wait()

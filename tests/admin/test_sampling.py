"""Samples of an engine without an origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from pgcache.admin.commands import Commands
from pgcache.admin.sampling import Sampler
from pgcache.admin.together import Together
from pgcache.admin.view import View
from pgcache.admin.warmth import Warmth
from pgcache.config import Address
from pgcache.config.reload import Reloaded
from pgcache.invalidation.bus import Bus
from pgcache.invalidation.events import Events
from pgcache.proxy.client import ClientConnection
from pgcache.proxy.gate import Gate
from tests.proxy.rig import Line, Rig
from tests.support.frames import query


def build_sampler(rig: Rig, clients: Callable[[], list[ClientConnection]] = list) -> Sampler:
    """A sampler on a rig."""
    events = Events(Bus(rig.engine), {}, window=60, clock=lambda: rig.now)
    warmth = Warmth(rig.engine, lambda: Address("127.0.0.1", 1))
    commands = Commands(View(rig.engine), events, Reloaded, warmth)
    return Sampler(rig.engine, Together(commands, None), clients)


class _Gate:
    """As much of a gate as a client's stopwatch needs."""

    def __init__(self, rig: Rig) -> None:
        self.engine = rig.engine
        self.counters = rig.counters


def _client(rig: Rig, line: Line) -> ClientConnection:
    client = ClientConnection(cast(Gate, _Gate(rig)))
    client.session = line.session
    client.enter(line.session.from_client)
    return client


async def test_sums_become_a_history(rig: Rig) -> None:
    line, sampler = rig.line(), build_sampler(rig)
    await sampler.sample()
    line.origin.is_held = True
    line.says(query("select v from t"))
    rig.now += 4.0
    line.origin.release()
    for _ in range(3):
        line.says(query("select v from t"))
    rig.now += 6.0
    await sampler.sample()
    (span,) = sampler.history.spans()
    assert (span.hits, span.asked, span.seconds, span.saved) == (3, 4, 10.0, 12.0)


async def test_only_hits_are_timed_and_each_once(rig: Rig) -> None:
    line = rig.line()
    client = _client(rig, line)
    sampler = build_sampler(rig, lambda: [client])
    turn = query("select v from t")

    def ask() -> None:
        client.data_received(turn)
        line.settle()

    sampler.time_some()
    ask()
    assert rig.counters.hit_seconds.count == 0, "a miss"
    ask()
    assert rig.counters.hit_seconds.count == 0, "nobody asked for it"
    for number in (1, 2):
        sampler.time_some()
        sampler.time_some()
        ask()
        ask()
        assert rig.counters.hit_seconds.count == number


async def test_clients_that_log_in_are_left_alone(rig: Rig) -> None:
    client = ClientConnection(cast(Gate, _Gate(rig)))
    before = client._phase
    client.time_next()
    assert client._phase == before

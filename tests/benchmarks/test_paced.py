"""Clients that ask at given moments."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from math import isnan

import pytest

from benchmarks.canned import Canned
from benchmarks.paced import Due, Latencies, gather, plan_arrivals
from benchmarks.raw import Refused
from pgcache.wire.messages import build_query

TURN = build_query("SELECT 1")


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = tuple(float(value) for value in range(100, 0, -1))
    latencies = Latencies(values)
    shares = (0.0, 0.5, 0.95, 0.99, 1.0)
    assert [latencies.percentile(share) for share in shares] == [1.0, 50.0, 95.0, 99.0, 100.0]


def test_what_was_never_answered_is_the_slowest() -> None:
    latencies = Latencies((1.0, 2.0, 3.0), unanswered=1)
    assert latencies.percentile(0.75) == 3.0
    assert latencies.percentile(0.99) == float("inf")


def test_nothing_asked_has_no_percentile() -> None:
    assert isnan(Latencies(()).percentile(0.5))


def test_arrivals_are_random_but_the_same_for_everyone() -> None:
    plan = plan_arrivals([TURN, b"other"], per_second=100.0, seconds=50.0, clients=7, seed=1)
    assert plan == plan_arrivals([TURN, b"other"], 100.0, 50.0, 7, seed=1)
    assert plan != plan_arrivals([TURN, b"other"], 100.0, 50.0, 7, seed=2)
    assert len(plan) == pytest.approx(5000, rel=0.1)
    assert [due.at for due in plan] == sorted(due.at for due in plan)
    assert {due.client for due in plan} == set(range(7))
    assert {due.turn for due in plan} == {TURN, b"other"}
    assert plan[-1].at < 50.0
    assert isinstance(plan[0], Due)


async def test_clients_get_whole_replies() -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    async with server, AsyncExitStack() as stack:
        port = server.sockets[0].getsockname()[1]
        clients = await gather(stack, 10, port, "u", "d")
        replies = await asyncio.gather(*(client.ask(TURN) for client in clients))
        assert len(replies) == 10
        assert all(b"Account 57" in reply and reply.endswith(b"I") for reply in replies)


async def test_a_lost_connection_is_heard_of() -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", 0)
    async with server, AsyncExitStack() as stack:
        port = server.sockets[0].getsockname()[1]
        (client,) = await gather(stack, 1, port, "u", "d")
        with pytest.raises(Refused, match="closed"):
            await client.ask(b"X\0\0\0\4")  # Terminate

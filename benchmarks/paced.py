"""Clients that ask at given moments, whatever the answers take: latencies as users see them.

One event loop for all clients. A question that is due while its client still waits for the one
before is counted from when it was due: a slow server is not let off by being asked less.
Latencies are milliseconds.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

import uvloop

from benchmarks.raw import Refused, Walker, build_startup

_UNANSWERED = 60.0  # seconds after the last question that answers are waited for


class Client(asyncio.Protocol):
    """One session: one turn at a time, the reply's bytes as they come."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._walker = Walker()
        self._waiter: asyncio.Future[bytes] | None = None
        self._chunks: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Wake whoever asked when the reply is whole."""
        self._chunks.append(data)
        if not self._walker.feed(data):
            return
        walker, self._walker = self._walker, Walker()
        chunks, self._chunks = self._chunks, []
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            if walker.error:
                waiter.set_exception(Refused(repr(walker.error)))
            else:
                waiter.set_result(b"".join(chunks))

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits hears of it."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(Refused(f"connection closed: {self._walker.error!r} {exc or ''}"))

    async def ask(self, turn: bytes) -> bytes:
        """Send a turn and wait for its whole reply."""
        assert self._transport is not None
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(turn)
        return await self._waiter

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.abort()


async def connect(port: int, user: str, database: str) -> Client:
    """A session of a user who needs no password."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(Client, "127.0.0.1", port)
    try:
        await client.ask(build_startup(user, database))
    except BaseException:
        client.close()
        raise
    return client


async def gather(
    stack: AsyncExitStack, count: int, port: int, user: str, database: str
) -> list[Client]:
    """So many sessions, opened eight at a time and closed with ``stack``."""
    clients: list[Client] = []
    while len(clients) < count:
        several = min(8, count - len(clients))
        opened = [connect(port, user, database) for _ in range(several)]
        for client in await asyncio.gather(*opened):
            stack.callback(client.close)
            clients.append(client)
    return clients


@dataclass(frozen=True, slots=True)
class Due:
    """A turn that a client is to send, so many seconds after the start."""

    at: float
    client: int
    turn: bytes


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds of what was answered, and how many questions were not."""

    values: tuple[float, ...]
    unanswered: int = 0

    def percentile(self, share: float) -> float:
        """The least latency that this share (0.99 for p99) of the answers did not exceed.

        What was never answered took longer than anything else: infinity.
        """
        count = len(self.values) + self.unanswered
        if not count:
            return float("nan")
        rank = max(0, -(-round(share * count * 1e6) // 1_000_000) - 1)
        ordered = sorted(self.values)
        return ordered[rank] if rank < len(ordered) else float("inf")

    def as_json(self) -> dict[str, float]:
        """For the file of results."""
        shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "most_ms": 1.0}
        told = {name: self.percentile(share) for name, share in shares.items()}
        return {**told, "answered": len(self.values), "unanswered": self.unanswered}


def plan_arrivals(
    turns: Sequence[bytes], per_second: float, seconds: float, clients: int, seed: int
) -> list[Due]:
    """Independent users: exponential gaps, a client and a turn drawn at random for each."""
    chance = random.Random(seed)
    arrivals, at = [], chance.expovariate(per_second)
    while at < seconds:
        arrivals.append(Due(at, chance.randrange(clients), chance.choice(turns)))
        at += chance.expovariate(per_second)
    return arrivals


async def _follow(client: Client, plan: list[Due], start: float, taken: list[float]) -> None:
    clock = time.perf_counter
    for due in plan:
        begun = start + due.at
        if (ahead := begun - clock()) > 0:
            await asyncio.sleep(ahead)
            begun = clock()  # the loop's timers are late by up to a millisecond, which is ours
        await client.ask(due.turn)
        taken.append((clock() - begun) * 1000)


async def _play(
    port: int, user: str, database: str, clients: int, plan: Sequence[Due]
) -> Latencies:
    plans: list[list[Due]] = [[] for _ in range(clients)]
    for due in plan:
        plans[due.client].append(due)
    taken: list[float] = []
    async with AsyncExitStack() as stack:
        sessions = await gather(stack, clients, port, user, database)
        start = time.perf_counter() + 0.1
        following = [
            asyncio.ensure_future(_follow(session, mine, start, taken))
            for session, mine in zip(sessions, plans, strict=True)
        ]
        last = max((due.at for due in plan), default=0.0)
        done, late = await asyncio.wait(following, timeout=0.1 + last + _UNANSWERED)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            task.result()  # a refusal is a failure of the case
    return Latencies(tuple(taken), len(plan) - len(taken))


def play(port: int, user: str, database: str, clients: int, plan: Sequence[Due]) -> Latencies:
    """Ask everything that is due, with so many sessions."""
    return uvloop.run(_play(port, user, database, clients, plan))

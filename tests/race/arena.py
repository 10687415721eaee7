"""A race from its database to its end: sessions, a watcher past the proxies, a last comparison."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tests.race.client import Client
from tests.race.registers import Register
from tests.race.schema import SQL, TARGETS
from tests.race.worker import Worker, World
from tests.support.postgres import Server

SESSIONS = 8
_NUMBERS = itertools.count(1)
_DIRECT_READS: Mapping[str, str] = {
    "p0.1": "select v from p0 where id = 1",
    "p1.1": "select v from p1 where id = 1",
    "cascade": "select code from code_child",
    "trigger": "select v from target",
    "parted.1": "select v from parted where id = 1",
}

Trouble = Callable[[World], Awaitable[None]]


async def race(
    server: Server,
    addresses: Sequence[tuple[str, int]],
    seed: int,
    goal: int = sys.maxsize,
    trouble: Trouble | None = None,
    slack: float = 0.0,
    wide: float = 0.0,
) -> World:
    """Race through the proxies at ``addresses`` until so much is done, or ``trouble`` is over.

    Each session connects to one of them at random, and to another when it connects again. Raises
    StaleRead (in an ExceptionGroup), and AssertionError for errors that no client should see.
    ``slack``: seconds that reads may be behind. ``wide``: how often they bring much along.
    """
    database = _create_database(server)
    registers = {name: Register(name, slack) for name in TARGETS}
    world = World(tuple(addresses), database, goal, registers, wide)
    chance = random.Random(seed)
    workers = [
        Worker(f"session {number}", world, random.Random(chance.random()))
        for number in range(SESSIONS)
    ]
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(server, world))
        for worker in workers:
            group.create_task(worker.run())
        if trouble is not None:
            group.create_task(_make(trouble, world))
    await asyncio.sleep(slack)
    await _compare_at_the_end(server, world)
    server.execute(f"drop database {database} with (force)")
    return world


async def _make(trouble: Trouble, world: World) -> None:
    await trouble(world)
    world.goal = 0


def _create_database(server: Server) -> str:
    name = f"r{os.getpid()}_{next(_NUMBERS)}"
    server.execute(f"create database {name} owner app", "grant alice, bob to app")
    server.execute("alter schema public owner to app", database=name)
    with server.connect("app", name) as connection:
        connection.execute(SQL.encode())
    return name


async def _watch(server: Server, world: World) -> None:
    """Read past the proxies now and then: what was seen there must be seen everywhere."""
    client = await Client.connect((server.host, server.port), "app", world.database)
    try:
        while world.operations < world.goal:
            for name, statement in _DIRECT_READS.items():
                register = world.registers[name]
                floor = register.read_sent("watcher")
                reply = await client.query(statement)
                value = reply.rows[0][0]
                assert value is not None
                register.read("watcher", floor, int(value[1:]))
    finally:
        await client.close()


async def _compare_at_the_end(server: Server, world: World) -> None:
    """When all is quiet the proxies and PostgreSQL must say the same."""
    values = []
    for address in ((server.host, server.port), *world.addresses, *world.addresses):
        found = {}
        for number in (1, 2):
            options = f"-c app.tenant={number} -c search_path=s{number},public"
            client = await Client.connect(address, "app", world.database, options)
            for target in TARGETS.values():
                for statement in target.read:
                    reply = await client.query(statement.format(""))
                    texts = [(row[0] or b"").replace(b"#", b"x") for row in reply.rows]
                    found[number, statement] = texts, reply.errors
            await client.close()
        values.append(found)
    assert all(found == values[0] for found in values)

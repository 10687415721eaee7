"""What pgcache relies on in the library, though there is no public way to it."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Connection

from pgcache.cache.shared.client import RedisClient, _transport_of
from pgcache.cache.shared.contract import StoreLost, StoreRefused
from tests.support.process import free_port
from tests.support.redis import Redises, RedisServer

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.fixture
async def server(redises: Redises) -> AsyncIterator[RedisServer]:
    made = redises.server()
    yield made
    redises.discard(made)


async def test_the_installed_library_keeps_its_connection_where_it_is_looked_for(
    server: RedisServer,
) -> None:
    connection = Connection(host=server.host, port=server.port)
    connecting: Any = connection.connect()  # type: ignore[no-untyped-call]
    await connecting
    transport = _transport_of(connection)
    assert transport.get_extra_info("peername")[1] == server.port
    await connection.disconnect()
    with pytest.raises(StoreLost, match="lost at once"):
        _transport_of(connection)


def test_a_library_that_keeps_it_elsewhere_is_named() -> None:
    with pytest.raises(StoreLost, match=r"redis-py .* in another way"):
        _transport_of(object())


def test_no_version_is_allowed_that_was_not_looked_at() -> None:
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    (found,) = [one for one in project["dependencies"] if one.startswith("redis")]
    assert found == "redis[hiredis]>=8.0,<9"


async def test_a_callback_hears_of_a_script_that_is_not_known(server: RedisServer) -> None:
    client = RedisClient(server.url(), process="test", max_connections=2)
    with pytest.raises(StoreLost):
        await client.run("clock", [b"state"], b"m" * 16)
    await client.load()
    assert (await client.run("clock", [b"state"], b"m" * 16))[0] == b"ok"
    heard: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    assert client.run_soon("clock", [b"state"], [b"m" * 16], heard.set_result) is not None
    answer = await heard
    assert isinstance(answer, list)
    assert answer[0] == b"ok"
    await client.close()


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[RedisClient]:
    """A client whose scripts the server knows."""
    made = RedisClient(server.url(), process="test", max_connections=2)
    await made.load()
    yield made
    await made.close()


async def test_T13_what_a_replica_says_is_no_answer(
    server: RedisServer, client: RedisClient
) -> None:
    """It was the primary, and did not close its connections: what it holds may be old."""
    fields, _ = await client.peek(b"state", [b"p"])
    assert fields == [None]
    server.say("REPLICAOF", server.host, free_port())
    with pytest.raises(StoreRefused, match="READONLY"):
        await client.peek(b"state", [b"p"])
    for script in ("clock", "fetch", "peek"):  # they come to write nothing
        with pytest.raises(StoreRefused, match="READONLY"):
            await client.run(script, [b"state"], b"m" * 16)
    server.say("REPLICAOF", "NO", "ONE")
    assert await client.peek(b"state", [b"p"])


async def test_T13_nor_is_what_a_primary_says_that_is_short_of_replicas(
    server: RedisServer, client: RedisClient
) -> None:
    server.say("CONFIG", "SET", "min-replicas-to-write", 1)
    with pytest.raises(StoreRefused, match="NOREPLICAS"):
        await client.peek(b"state", [b"p"])
    with pytest.raises(StoreRefused, match="NOREPLICAS"):
        await client.run("clock", [b"state"], b"m" * 16)


async def test_P6_a_full_server_refuses_values_alone(
    server: RedisServer, client: RedisClient
) -> None:
    server.say("CONFIG", "SET", "maxmemory", 1)
    assert (await client.run("clock", [b"state"], b"m" * 16))[0] == b"ok"
    with pytest.raises(StoreRefused, match="OOM"):
        await client.run("fill", [b"state"], b"m" * 16)
    assert (await client.peek(b"state", [b"p"]))[0] == [None]

"""The same race where Sentinel or a Cluster is the store, and its servers change places.

Long, so only collected with PGCACHE_TEST_FAULT_SECONDS; PGCACHE_TEST_SEED is another run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import pytest
import redis

from tests.race.arena import race
from tests.race.registers import StaleRead
from tests.race.worker import World
from tests.shared.conftest import Start
from tests.shared.test_faults import PROXIES, SECONDS, SEED, WIDE, options
from tests.support.postgres import Server
from tests.support.raw import eventually
from tests.support.redis import RedisCluster, RedisSentinel, RedisServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180 + 3 * SECONDS),
    pytest.mark.usefixtures("shared_redis"),
]

_HITS = 50
Upset = Callable[[], Awaitable[None]]


def _run(server: Server, start: Start, url: str, upset: Upset) -> None:
    addresses = [start(url, **options("strict")).address for _ in range(PROXIES)]

    async def trouble(world: World) -> None:
        async def hits() -> None:
            wanted = world.counts["hits"] + _HITS
            await asyncio.to_thread(eventually, lambda: world.counts["hits"] >= wanted, 60.0)

        await hits()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            await upset()
            await hits()

    try:
        world = asyncio.run(race(server, addresses, SEED, trouble=trouble, wide=WIDE))
    except* StaleRead as stale:
        pytest.fail(f"seed {SEED}: {stale.exceptions[0]}")
    print(f"seed {SEED}: {dict(world.counts)}")  # noqa: T201 - shown with -s and on failure
    assert world.counts["errors"] < world.counts["reads"] / 20


def test_no_stale_read_while_primaries_change(
    start: Start, redis_sentinel: RedisSentinel, newest_postgres: Server
) -> None:
    """The primary stops, is killed, or hands over; the replica may lag."""
    sentinel, chance = redis_sentinel, random.Random(f"{SEED} sentinel")
    for one in sentinel.sentinels:  # they wait for twice that between two failovers
        one.say("SENTINEL", "SET", sentinel.name, "failover-timeout", 1000)

    def change() -> None:
        old = sentinel.leader()
        new = sentinel.replica if old is sentinel.primary else sentinel.primary
        how = chance.choice(("stop", "kill", "lag", "ask"))
        if how == "lag":
            new.pause()
            old.say("CLIENT", "KILL", "TYPE", "replica")
            time.sleep(chance.uniform(0.1, 0.4))
        if how == "kill":
            old.kill()
        elif how == "ask":
            sentinel.sentinels[0].say("SENTINEL", "FAILOVER", sentinel.name)
        else:
            old.pause()
        new.resume()
        sentinel.await_leader(new)
        if how == "kill":
            old.start()
        old.resume()
        old.say("REPLICAOF", new.host, new.port)
        eventually(lambda: is_up(old), 30.0)

    def is_up(server: RedisServer) -> bool:
        try:
            told = server.info("replication")
        except redis.ConnectionError:
            return False
        return bool(told.get("master_link_status") == "up")

    _run(newest_postgres, start, sentinel.url(), lambda: asyncio.to_thread(change))


def test_no_stale_read_while_nodes_fail(
    start: Start, redis_cluster: RedisCluster, newest_postgres: Server
) -> None:
    chance = random.Random(f"{SEED} cluster")

    def fail() -> None:
        node = chance.choice(redis_cluster.nodes)
        how = chance.choice(("stop", "restart", "flush", "scripts"))
        if how == "stop":
            node.pause()
            time.sleep(chance.uniform(0.1, 3.0))
            node.resume()
        elif how == "restart":
            node.restart()
        else:
            node.say(*{"flush": ["FLUSHALL"], "scripts": ["SCRIPT", "FLUSH"]}[how])
        time.sleep(chance.uniform(0.1, 1.0))

    _run(newest_postgres, start, redis_cluster.url(), lambda: asyncio.to_thread(fail))

"""A replica that lags takes over: what the old primary alone was told must not come back (T-13).

The replica is held back so that it misses what is written, and the primary stops before it can
catch up: tokens and results of before are the store's now. They are misses, never old rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.shared.asking import QUERY, await_hits_of, share_a_result, stats
from tests.shared.conftest import Start
from tests.support.proxy import Proxy
from tests.support.redis import RedisSentinel, RedisServer, await_so


@contextmanager
def lagging(primary: RedisServer, replica: RedisServer) -> Iterator[None]:
    """Let the replica miss what is written in the block; then the primary stops (SIGSTOP)."""
    await_so(lambda: _is_in_step(primary, replica), "the replica did not catch up")
    replica.pause()
    primary.say("CLIENT", "KILL", "TYPE", "replica")
    yield
    primary.pause()
    replica.resume()


def _is_in_step(primary: RedisServer, replica: RedisServer) -> bool:
    try:
        told = replica.info("replication")
        there = int(primary.info("replication")["master_repl_offset"])
    except redis.ConnectionError:
        return False  # a sentinel closes the connections of who changes its role
    is_up = (told["role"], told.get("master_link_status")) == ("slave", "up")
    return is_up and int(told["slave_repl_offset"]) >= there


def losses(proxies: list[Proxy]) -> list[int]:
    """How often each proxy has lost its store."""
    return [int(stats(proxy)["shared_losses"]) for proxy in proxies]


@pytest.mark.slow
@pytest.mark.usefixtures("shared_redis")
def test_T13_writes_that_the_new_primary_never_heard_of(
    start: Start, redis_sentinel: RedisSentinel, newest_database: str
) -> None:
    """There, and back again: the second time the server has seen these proxies before."""
    for sentinel in redis_sentinel.sentinels:  # they wait for twice that between two failovers
        sentinel.say("SENTINEL", "SET", redis_sentinel.name, "failover-timeout", 1000)
    first, second = redis_sentinel.primary, redis_sentinel.replica
    proxies = [start(redis_sentinel.url()) for _ in range(2)]
    one, two = (proxy.connect("app", newest_database) for proxy in proxies)
    share_a_result(one, two)
    number = 1
    for primary, replica in ((first, second), (second, first)):
        with lagging(primary, replica):
            number += 1
            one.execute("update t set v = %s", (f"x{number}",))
            await_hits_of(two, QUERY, number)
        redis_sentinel.await_leader(replica)
        await_hits_of(two, QUERY, number)
        await_hits_of(one, QUERY, number)
        assert all(count >= number - 1 for count in losses(proxies))
        primary.resume()
        primary.say("REPLICAOF", replica.host, replica.port)  # sooner than sentinels would
    for connection in (one, two):
        connection.close()

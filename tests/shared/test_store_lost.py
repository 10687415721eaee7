"""The store is lost, empty, slow, or a proxy is gone: slower, never wrong (P6, T-14)."""

from __future__ import annotations

import time
from dataclasses import replace

import psycopg
import pytest

from tests.shared.asking import (
    QUERY,
    await_hits,
    await_hits_of,
    see_a_write,
    share_a_result,
    stats,
    values,
)
from tests.shared.conftest import Start
from tests.support.link import Link
from tests.support.proxy import SERVICE, Proxy
from tests.support.raw import eventually
from tests.support.redis import RedisCluster, Redises, RedisServer

# Seconds in which what must not happen would: several beats.
OBSERVED = 0.8


@pytest.fixture
def pair(start: Start, shared_redis: RedisServer) -> list[Proxy]:
    return [start(shared_redis.url()) for _ in range(2)]


def test_T14_writes_while_redis_is_away_are_seen_when_it_is_back(
    pair: list[Proxy], shared_redis: RedisServer, newest_database: str
) -> None:
    one, two = (proxy.connect("app", newest_database) for proxy in pair)
    share_a_result(one, two)
    shared_redis.kill()
    one.execute("update t set v = 'x2'")
    assert values(two, QUERY) == ["x2"]
    one.execute("update t set v = 'x3'")
    assert values(two, QUERY) == ["x3"]
    shared_redis.start()
    assert await_hits(two, QUERY) == await_hits(one, QUERY) == ["#3"]
    shared_redis.flush()
    one.execute("update t set v = 'x4'")
    assert str(values(two, QUERY)[0])[1:] == "4"
    assert await_hits(two, QUERY) == ["#4"]
    for connection in (one, two):
        connection.close()


def test_the_state_of_the_store_is_shown(
    start: Start, shared_redis: RedisServer, newest_database: str
) -> None:
    proxy = start(shared_redis.url())
    client = proxy.connect("app", newest_database)
    client.execute("create table t (v text)")
    client.execute("insert into t values ('x1')")
    assert await_hits(client, QUERY) == ["#1"]
    told = shown(proxy)
    assert told["store_state"] == "healthy"
    assert int(str(told["shared_fills"])) >= 1
    assert int(str(told["shared_compress_input_bytes:none"])) >= 1, "it is too small"
    assert "shared_compress_input_bytes:zstd" not in told
    shared_redis.kill()
    client.execute("update t set v = 'x2'")
    assert shown(proxy)["store_state"] == "degraded"
    shared_redis.start()
    assert await_hits(client, QUERY) == ["#2"]
    told = shown(proxy)
    assert (told["store_state"], int(str(told["shared_losses"])) >= 1) == ("healthy", True)
    client.close()


def test_P6_a_server_that_cannot_be_used_may_come_later_and_go_again(
    start: Start, redises: Redises, newest_database: str
) -> None:
    """After a failover, say: nothing fails, nothing is served, and the state says so."""
    settings = {"rename-command SSUBSCRIBE": '""', "rename-command SPUBLISH": '""'}
    good = redises.server()
    proxy = start(good.url())
    with proxy.connect("app", newest_database) as client:
        client.execute("create table t (v text)")
        client.execute("insert into t values ('x1')")
        assert await_hits(client, QUERY) == ["#1"]
        good.kill()
        bad = replace(good, settings=settings)
        bad.start()
        eventually(lambda: stats(proxy)["store_state"] == "degraded")
        for number in (2, 3):
            client.execute(f"update t set v = 'x{number}'")
            assert values(client, QUERY) == [f"x{number}"]
        assert stats(proxy)["store_state"] == "degraded"
        bad.kill()
        good.start()
        assert await_hits(client, QUERY) == ["#3"]
        assert stats(proxy)["store_state"] == "healthy"


def test_P6_a_full_server_costs_what_it_has_no_room_for(
    pair: list[Proxy], shared_redis: RedisServer, newest_database: str
) -> None:
    """Writes are heard and hits confirmed; results are kept in memory alone."""
    one, two = (proxy.connect("app", newest_database) for proxy in pair)
    share_a_result(one, two)
    shared_redis.say("CONFIG", "SET", "maxmemory-policy", "noeviction")
    shared_redis.say("CONFIG", "SET", "maxmemory", 1)
    losses = [stats(proxy)["shared_losses"] for proxy in pair]
    assert await_hits(two, QUERY) == ["#1"]
    see_a_write(one, two)
    assert await_hits(one, QUERY) == ["#2"]
    assert int(stats(pair[1])["shared_fills_without_room"]) >= 1
    assert [stats(proxy)["shared_losses"] for proxy in pair] == losses
    assert {stats(proxy)["store_state"] for proxy in pair} == {"healthy"}
    shared_redis.say("CONFIG", "SET", "maxmemory", 0)
    for connection in (one, two):
        connection.close()


@pytest.mark.parametrize("field", ["p", "q"])
def test_P6_a_state_that_makes_no_sense(
    field: str, pair: list[Proxy], shared_redis: RedisServer, newest_database: str
) -> None:
    """Somebody else writes there, or memory fails: nobody hangs, and it is used when it is gone."""
    one, two = (proxy.connect("app", newest_database) for proxy in pair)
    share_a_result(one, two)
    with shared_redis.client() as client:
        for state in list(client.scan_iter("*:state")):
            client.hset(state, field, "no such thing")
            client.hset(state, "x", "another version")
    for number in (2, 3):
        one.execute(f"update t set v = 'x{number}'")
        for connection in (one, two):
            assert str(values(connection, QUERY)[0])[1:] == str(number)
    shared_redis.flush()
    await_hits_of(two, QUERY, 3)
    await_hits_of(one, QUERY, 3)
    for connection in (one, two):
        connection.close()


def shown(proxy: Proxy) -> dict[object, object]:
    """What SHOW STATS tells."""
    with psycopg.connect(proxy.url(SERVICE, "pgcache"), autocommit=True) as console:
        return dict(console.execute("SHOW STATS").fetchall())


def test_a_proxy_that_is_killed_does_not_stop_the_other(
    pair: list[Proxy], newest_database: str
) -> None:
    one, two = (proxy.connect("app", newest_database) for proxy in pair)
    one.execute("create table t (v text)")
    one.execute("insert into t values ('x1')")
    values(two, QUERY)
    assert await_hits(two, QUERY) == ["#1"]
    pair[0].process.kill()
    pair[0].process.wait()
    two.execute("update t set v = 'x2'")
    assert values(two, QUERY) == ["x2"]
    assert await_hits(two, QUERY) == ["#2"]
    two.close()
    one.close()


def test_T14_a_sign_of_life_that_was_held_up_is_none(
    start: Start, shared_redis: RedisServer, newest_database: str
) -> None:
    """One proxy is cut off; what it sent before that arrives when it has long gone on unheard."""
    with Link(shared_redis.address) as link:
        proxies = [start(f"redis://{link.host}:{link.port}/0"), start(shared_redis.url())]
        one, two = (proxy.connect("app", newest_database) for proxy in proxies)
        share_a_result(one, two)
        link.stall()
        eventually(lambda: stats(proxies[0])["store_state"] == "degraded")
        one.execute("update t set v = 'x2'")  # it is not even tried to announce it
        assert values(two, QUERY) == ["x2"]
        link.deliver()
        end = time.monotonic() + OBSERVED
        while time.monotonic() < end:
            assert values(two, QUERY) == ["x2"]
        link.heal()
        await_hits_of(two, QUERY, 2)
        await_hits_of(one, QUERY, 2)
        for connection in (one, two):
            connection.close()


def test_a_cluster_is_a_store(
    start: Start, shared_redis: RedisServer, redis_cluster: RedisCluster, newest_database: str
) -> None:
    proxies = [start(redis_cluster.url()) for _ in range(2)]
    one, two = (proxy.connect("app", newest_database) for proxy in proxies)
    share_a_result(one, two)
    see_a_write(one, two)
    for connection in (one, two):
        connection.close()

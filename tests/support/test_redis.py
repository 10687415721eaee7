"""The tests' Redis servers are real ones, and end up in the states that they are put into."""

from __future__ import annotations

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.redis import (
    OLDEST,
    RedisCluster,
    Redises,
    RedisSentinel,
    RedisServer,
    redis_program,
    redis_version,
)


def test_the_version_is_told() -> None:
    assert redis_version("/bin/true") == ()
    program = redis_program()
    if program is not None:
        assert redis_version(str(program)) >= OLDEST


def test_it_keeps_what_it_is_given(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("a", "1")
    assert redis_server.say("GET", "a") == "1"
    assert redis_server.info("server")["tcp_port"] == redis_server.port
    with redis.Redis.from_url(redis_server.url(1)) as other:
        assert other.get("a") is None
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as local:
        assert local.get("a") == b"1"
    redis_server.flush()
    assert redis_server.say("DBSIZE") == 0


def test_settings_are_honoured(redises: Redises) -> None:
    server = redises.server(maxmemory="10mb", maxmemory_policy="allkeys-lru")
    try:
        assert server.info("memory")["maxmemory"] == 10 << 20
        with server.client() as client:
            for number in range(15):
                client.set(f"key{number}", "x" * (1 << 20))
        assert server.info()["evicted_keys"] > 0
    finally:
        redises.discard(server)


def test_a_crash_forgets_everything(redis_server: RedisServer) -> None:
    redis_server.say("SET", "a", "1")
    redis_server.kill()
    assert not redis_server.is_alive()
    assert not redis_server.is_answering()
    redis_server.start()
    assert redis_server.say("GET", "a") is None


def test_persistence_where_asked_for(redises: Redises) -> None:
    server = redises.server(appendonly="yes", appendfsync="always")
    try:
        server.say("SET", "a", "1")
        server.restart(with_data=True)
        assert server.say("GET", "a") == "1"
        server.restart()
        assert server.say("GET", "a") is None
    finally:
        redises.discard(server)


def test_a_paused_server_is_silent(redis_server: RedisServer) -> None:
    redis_server.pause()
    with (
        redis.Redis(
            port=redis_server.port, socket_timeout=0.2, retry=Retry(NoBackoff(), 0)
        ) as impatient,
        pytest.raises(redis.TimeoutError),
    ):
        impatient.ping()
    redis_server.resume()
    assert redis_server.is_answering()


def test_a_paused_server_can_be_stopped(redises: Redises) -> None:
    server = redises.server()
    server.pause()
    redises.discard(server)
    assert not server.is_alive()
    assert not server.folder.exists()


@pytest.mark.slow
def test_sentinels_fail_over(redis_sentinel: RedisSentinel) -> None:
    assert redis_sentinel.leader() is redis_sentinel.primary
    with redis_sentinel.primary.client() as client:
        client.set("a", "1")
        assert client.wait(1, 5000) == 1
    redis_sentinel.primary.kill()
    assert redis_sentinel.await_failover().say("GET", "a") == "1"
    assert redis_sentinel.replica.say("SET", "a", "2")


def test_a_cluster_shares_the_slots(redis_cluster: RedisCluster) -> None:
    keys = [f"{{{number}}}" for number in range(30)]
    keepers = [redis_cluster.node_of(key) for key in keys]
    assert len({keeper.port for keeper in keepers}) == 3
    for key, keeper in zip(keys, keepers, strict=True):
        keeper.say("SET", key, "1")
    elsewhere = next(one for one in redis_cluster.nodes if one is not keepers[0])
    with pytest.raises(redis.exceptions.MovedError):
        elsewhere.say("GET", keys[0])

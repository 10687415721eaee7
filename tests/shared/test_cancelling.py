"""A cancel request at another proxy, as it happens behind a load balancer (W-30, W-32)."""

from __future__ import annotations

import select
import socket
import time

from tests.shared.asking import await_hits, stats, values
from tests.shared.conftest import Start
from tests.support import frames
from tests.support.frames import query
from tests.support.link import Link
from tests.support.proxy import Proxy
from tests.support.raw import RawClient, eventually
from tests.support.redis import RedisServer

_SLEEP = 60.0
_SLEEPING = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"


def _cancel(proxy: Proxy, client: RawClient) -> None:
    """Cancel what the client waits for. A request that overtakes its query on the way to
    PostgreSQL is lost, as without pgcache: then ask again."""
    answered: list[socket.socket] = []
    while not answered:
        with RawClient.bare(proxy.address) as canceller:
            canceller.send(frames.cancel(client.pid, client.secret))
            assert canceller.rest() == b""
        answered, _, _ = select.select([client.socket], [], [], 2.0)


def test_W32_a_query_that_waits_for_anothers_execution_is_cancelled_alone(
    start: Start, shared_redis: RedisServer, newest_database: str
) -> None:
    home, elsewhere = (start(shared_redis.url()) for _ in range(2))
    with (
        home.connect("app", newest_database) as one,
        elsewhere.connect("app", newest_database) as two,
    ):
        one.execute("create table t (v text)")
        one.execute("insert into t values ('x1')")
        one.execute(
            "create function slow(text) returns text language plpgsql immutable as "
            f"$$ begin perform pg_sleep({_SLEEP}); return $1; end $$"
        )
        for connection in (one, two):
            await_hits(connection, "select v from t")
        with (
            RawClient(home.address, newest_database, "app") as leader,
            RawClient(home.address, newest_database, "app") as follower,
        ):
            began = time.monotonic()
            leader.send(query("select slow(v) from t"))
            eventually(lambda: values(one, _SLEEPING) == [1])
            follower.send(query("select slow(v) from t"))
            eventually(lambda: int(stats(home)["shared_waits"]) > 0)
            for client in (follower, leader):
                _cancel(elsewhere, client)
                assert [frame.kind for frame in client.replies()][-2:] == ["E", "Z"]
                # Nothing later is hit.
                assert client.rows("select 'after'") == [("after",)]
            assert time.monotonic() - began < _SLEEP, "it was not cancelled, but over"


def test_W32_what_waits_for_the_store_is_cancelled_when_it_goes_on(
    start: Start, shared_redis: RedisServer, newest_database: str
) -> None:
    """A write that is not announced yet: the request must not overtake it."""
    with Link(shared_redis.address) as link:
        home = start(f"redis://{link.host}:{link.port}/0", store__secret="sixteen characters")
        elsewhere = start(shared_redis.url(), store__secret="sixteen characters")
        with home.connect("app", newest_database) as one:
            one.execute("create table t (v text)")
            one.execute("insert into t values ('x1')")
            await_hits(one, "select v from t")
        with RawClient(home.address, newest_database, "app") as client:
            link.stall()
            client.send(query(f"update t set v = pg_sleep({_SLEEP})::text"))
            eventually(lambda: stats(home)["store_state"] == "degraded")
            began = time.monotonic()
            with RawClient.bare(home.address) as canceller:
                canceller.send(frames.cancel(client.pid, client.secret))
                assert canceller.rest() == b""
            assert [frame.kind for frame in client.replies()][-2:] == ["E", "Z"]
            assert time.monotonic() - began < _SLEEP, "it was not cancelled, but over"
            link.heal()
        with RawClient(home.address, newest_database, "app") as client:
            eventually(lambda: stats(home)["store_state"] == "healthy")
            client.send(query(f"select pg_sleep({_SLEEP})"))
            _cancel(elsewhere, client)  # by a digest that only the two of them can make
            assert [frame.kind for frame in client.replies()][-2:] == ["E", "Z"]

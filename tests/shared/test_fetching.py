"""Rows that only Redis has, fetched over and over because memory has no room for them."""

from __future__ import annotations

import pytest

from tests.shared.asking import Connection, await_hits, await_value, stats, values
from tests.shared.conftest import Start
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

QUERY = "select v from t"
ONE = "select v from t where k = %s"
NO_MEMORY = {"store__max_bytes": "100", "store__max_entry_bytes": "100"}
TIMES = 60


@pytest.fixture(params=["eventual", "strict"])
def proxies2(
    request: pytest.FixtureRequest, start: Start, shared_redis: RedisServer
) -> list[Proxy]:
    """One that has memory, and one that has none."""
    consistency = {"store__consistency": request.param}
    return [start(shared_redis.url(), **consistency, **more) for more in ({}, NO_MEMORY)]


def calls(redis: RedisServer, command: str) -> int:
    """How often Redis was asked so."""
    told = redis.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})
    return int(told["calls"])


def test_they_come_by_native_commands_and_are_as_new_as_any(
    proxies2: list[Proxy], newest_database: str, shared_redis: RedisServer
) -> None:
    one, two = (proxy.connect("app", newest_database) for proxy in proxies2)
    one.execute("create table t (k int, v text)")
    one.execute("insert into t values (1, 'xold')")
    values(two, QUERY)  # joins
    assert await_hits(one, QUERY) == await_hits(two, QUERY) == ["#old"]
    await_hits(two, QUERY)
    before = calls(shared_redis, "get"), calls(shared_redis, "evalsha")
    hits = int(stats(proxies2[1])["shared_hits"])
    assert [values(two, QUERY) for _ in range(TIMES)] == [["#old"]] * TIMES
    asked, scripts = calls(shared_redis, "get") - before[0], calls(shared_redis, "evalsha")
    assert asked >= TIMES
    assert scripts - before[1] < TIMES, "no more than signs of life"
    assert int(stats(proxies2[1])["shared_hits"]) >= hits + TIMES
    for number in range(5):
        one.execute("update t set v = %s", (f"x{number}",))
        await_value(one, QUERY, f"#{number}")
        assert values(two, QUERY) == [f"#{number}"]
    one.execute("update t set v = 'xlast'")
    assert str(values(two, QUERY)[0])[1:] == "last"
    for connection in (one, two):
        connection.close()


def _ask(connection: Connection, number: int) -> str:
    ((found,),) = connection.execute(ONE, (number,), prepare=True).fetchall()
    return str(found)


def test_other_parameters_come_in_the_same_way(
    proxies2: list[Proxy], newest_database: str, shared_redis: RedisServer
) -> None:
    one, two = (proxy.connect("app", newest_database) for proxy in proxies2)
    one.execute("create table t (k int, v text)")
    one.execute("insert into t select n, 'x' || n from generate_series(1, 100) n")
    values(two, QUERY)
    for connection in (one, two):
        for number in range(1, 101):  # stored by one or the other
            while not _ask(connection, number).startswith("#"):
                pass
    before = calls(shared_redis, "evalsha")
    for number in range(1, 101):
        assert _ask(two, number) == f"#{number}"
    assert calls(shared_redis, "evalsha") - before < 100
    one.execute("update t set v = 'xnew' where k = 50")
    assert _ask(two, 50)[1:] == "new"
    for connection in (one, two):
        connection.close()

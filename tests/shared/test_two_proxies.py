"""Two proxies, one store: what one has run the other serves, what one writes the other hears of."""

from __future__ import annotations

import threading

import pytest

from tests.shared.asking import await_hits, await_value, stats, values
from tests.shared.conftest import Start
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer


@pytest.fixture(params=["eventual", "strict"])
def consistency(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def proxies2(start: Start, shared_redis: RedisServer, consistency: str) -> list[Proxy]:
    return [start(shared_redis.url(), store__consistency=consistency) for _ in range(2)]


def test_one_fills_and_the_other_hits(
    proxies2: list[Proxy], newest_database: str, consistency: str
) -> None:
    one, two = (proxy.connect("app", newest_database) for proxy in proxies2)
    one.execute("create table t (v text)")
    one.execute("insert into t values ('xold')")
    query = "select v from t"
    values(two, query)  # joins
    assert await_hits(one, query) == ["#old"]
    assert await_hits(two, query) == ["#old"]
    assert int(stats(proxies2[0])["misses"]) + int(stats(proxies2[1])["misses"]) <= 2
    for number in range(20):
        one.execute("update t set v = %s", (f"x{number}",))
        if consistency == "strict":  # else it may not have read yet what it was told
            assert str(values(two, query)[0])[1:] == str(number)
        assert str(values(one, query)[0])[1:] == str(number)
        await_value(two, query, f"#{number}")
    for connection in (one, two):
        connection.close()


def test_a_definition_that_changes_is_seen_by_all(
    proxies2: list[Proxy], newest_database: str, consistency: str
) -> None:
    one, two = (proxy.connect("app", newest_database) for proxy in proxies2)
    one.execute("create table t (v text); create table u (v text)")
    one.execute("insert into t values ('xt')")
    one.execute("insert into u values ('xu')")
    one.execute("create view w as select v from t")
    query = "select v from w"
    values(two, query)
    assert await_hits(one, query) == ["#t"]
    assert await_hits(two, query) == ["#t"]
    one.execute("create or replace view w as select v from u")
    if consistency == "strict":
        assert str(values(two, query)[0])[1:] == "u"
    await_value(two, query, "#u")
    one.execute("update u set v = 'xnew'")
    if consistency == "strict":
        assert str(values(two, query)[0])[1:] == "new"
    await_value(two, query, "#new")
    for connection in (one, two):
        connection.close()


def test_many_clients_of_both_run_a_cold_query_once(
    proxies2: list[Proxy], newest_database: str, consistency: str
) -> None:
    one, two = (proxy.connect("app", newest_database) for proxy in proxies2)
    one.execute("create table t (v text)")
    one.execute("insert into t values ('xold')")
    one.execute(
        "create function slow(text) returns text language plpgsql immutable as "
        "$$ begin perform pg_sleep(1); return $1; end $$"
    )
    for connection in (one, two):
        values(connection, "select v from t")
        await_hits(connection, "select v from t")
    query = "select slow(v) from t"
    found: list[object] = []

    def ask(proxy: Proxy) -> None:
        with proxy.connect("app", newest_database) as connection:
            found.extend(values(connection, query))

    threads = [threading.Thread(target=ask, args=(proxies2[n % 2],)) for n in range(16)]
    before = sum(int(stats(proxy)["misses"]) for proxy in proxies2)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    misses = sum(int(stats(proxy)["misses"]) for proxy in proxies2) - before
    assert len(found) == 16
    assert {str(value)[1:] for value in found} == {"old"}
    assert misses == 1, [stats(proxy) for proxy in proxies2]
    for connection in (one, two):
        connection.close()

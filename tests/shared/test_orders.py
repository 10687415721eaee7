"""INVALIDATE MATCHING and QUERY beside a shared store: what they mean goes everywhere, alone."""

from __future__ import annotations

import psycopg
import pytest

from tests.shared.asking import await_hits, await_hits_of, values
from tests.shared.conftest import Start
from tests.support.postgres import Server
from tests.support.proxy import SERVICE, Proxy
from tests.support.raw import eventually
from tests.support.redis import RedisServer

MEANT, OTHER = "select v from t where true", "select v from t"


def _key(proxy: Proxy, query: str) -> str:
    """What SHOW ENTRIES calls the entry of ``query``."""
    with psycopg.connect(proxy.url(SERVICE, "pgcache"), autocommit=True) as console:
        rows = console.execute("SHOW ENTRIES").fetchall()
    (key,) = [str(row[0]) for row in rows if query in map(str, row)]
    return key


def _invalidate(proxy: Proxy, what: str) -> None:
    with psycopg.connect(proxy.url(SERVICE, "pgcache"), autocommit=True) as console:
        console.execute(f"INVALIDATE {what}".encode())


@pytest.mark.parametrize(("kind", "consistency"), [("MATCHING", "strict"), ("QUERY", "eventual")])
def test_what_an_order_means_is_forgotten_by_all_and_nothing_else(
    kind: str,
    consistency: str,
    start: Start,
    shared_redis: RedisServer,
    newest_postgres: Server,
    newest_database: str,
) -> None:
    proxies = [start(shared_redis.url(), store__consistency=consistency) for _ in range(2)]
    connections = [proxy.connect("app", newest_database) for proxy in proxies]
    one, two = connections
    one.execute("create table t (v text)")
    one.execute("insert into t values ('x1')")
    for number in (2, 3):
        for connection in connections:
            for query in (MEANT, OTHER):
                await_hits(connection, query)
        what = "'%where true'" if kind == "MATCHING" else _key(proxies[0], MEANT)
        # Nobody sees this but PostgreSQL.
        newest_postgres.execute(f"update t set v = 'x{number}'", database=newest_database)
        assert values(two, MEANT) == [f"#{number - 1}"]
        _invalidate(proxies[0], f"{kind} {what}")
        assert str(values(one, MEANT)[0])[1:] == str(number)
        if consistency == "strict":  # else it may not have read yet what it was told
            assert str(values(two, MEANT)[0])[1:] == str(number)
        eventually(lambda now=f"#{number}": values(two, MEANT) == [now])  # type: ignore[misc]
        for connection in connections:
            assert values(connection, OTHER) == ["#1"]
    # Who comes later serves what is in the store, and neither of those from before the orders.
    late = start(shared_redis.url(), store__consistency=consistency)
    with late.connect("app", newest_database) as three:
        await_hits_of(three, MEANT, 3)
        assert await_hits(three, OTHER)[0] == "#1"
    for connection in connections:
        connection.close()

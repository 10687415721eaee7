"""Grace beside a shared store: what has come of age is served at once, and renewed by one proxy."""

from __future__ import annotations

from tests.shared.asking import await_hits, stats, values
from tests.shared.conftest import Start
from tests.support.postgres import Server
from tests.support.raw import eventually
from tests.support.redis import RedisServer

QUERY = "select v from t"


def test_P3_P7_stale_results_are_shared_and_renewed_and_never_older_than_a_write(
    start: Start, shared_redis: RedisServer, newest_postgres: Server, newest_database: str
) -> None:
    options = {"cache__ttl": "700ms", "cache__grace": "10min"}
    proxies = [start(shared_redis.url(), **options) for _ in range(2)]
    one, two = (proxy.connect("app", newest_database) for proxy in proxies)
    one.execute("create table t (v text)")
    one.execute("insert into t values ('x1')")
    await_hits(one, QUERY)
    await_hits(two, QUERY)
    # Nobody sees this but PostgreSQL: with the old value only age can be the reason to ask it.
    newest_postgres.execute("update t set v = 'x2'", database=newest_database)
    eventually(lambda: values(one, QUERY) == values(two, QUERY) == ["#2"])
    told = [stats(proxy) for proxy in proxies]
    assert sum(int(one["stale"]) for one in told) > 0
    assert sum(int(one["refreshes"]) for one in told) > 0
    for number in (3, 4, 5):
        one.execute(f"update t set v = 'x{number}'")
        assert str(values(two, QUERY)[0])[1:] == str(number)
        eventually(lambda now=f"#{number}": values(two, QUERY) == [now])  # type: ignore[misc]
    one.close()
    two.close()

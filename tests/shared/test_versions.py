"""Two versions beside one store during an upgrade: another format of results, the same protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcache.cache.shared.keys import VALUES
from tests.shared.asking import await_hits, await_value, stats, values
from tests.shared.conftest import Start
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

OTHER = VALUES + 7
QUERY = "select v from t"


@pytest.fixture(params=["eventual", "strict"])
def consistency(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def proxies2(
    start: Start, shared_redis: RedisServer, tmp_path: Path, consistency: str
) -> list[Proxy]:
    """One of this version, and one whose results are of another format."""
    patch = f"import pgcache.cache.shared.keys as keys\nkeys.VALUES = {OTHER}\n"
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(patch)
    options = {"store__consistency": consistency}
    with pytest.MonkeyPatch.context() as context:
        new = start(shared_redis.url(), **options)
        context.setenv("PYTHONPATH", str(folder))
        return [new, start(shared_redis.url(), **options)]


def formats(redis: RedisServer) -> set[int]:
    """Of the results that are in the store."""
    names: list[str] = redis.say("KEYS", "pgcache:*:e*:*")
    return {int(name.split(":e")[1].split(":")[0]) for name in names}


def test_they_hear_each_other_and_do_not_read_each_others_results(
    proxies2: list[Proxy], newest_database: str, shared_redis: RedisServer, consistency: str
) -> None:
    one, two = (proxy.connect("app", newest_database) for proxy in proxies2)
    one.execute("create table t (v text)")
    one.execute("insert into t values ('xold')")
    values(two, QUERY)  # joins
    assert await_hits(one, QUERY) == await_hits(two, QUERY) == ["#old"]
    assert formats(shared_redis) == {VALUES, OTHER}
    for number in range(10):
        writer, reader = (one, two) if number % 2 else (two, one)
        writer.execute("update t set v = %s", (f"x{number}",))
        if consistency == "strict":
            assert str(values(reader, QUERY)[0])[1:] == str(number)
        await_value(reader, QUERY, f"#{number}")
        await_value(writer, QUERY, f"#{number}")
    for proxy in proxies2:
        said = stats(proxy)
        assert (said["shared_bad_values"], said["store_state"]) == ("0", "healthy")
        assert int(said["shared_fills"]) >= 5, "each has filled for itself"
    for connection in (one, two):
        connection.close()

"""A proxy is killed (-9) between COMMIT and its announcement (T-10).

What it wrote is never served old: its locks stand in the store until PostgreSQL no longer knows the
backends that they waited for, however long the proxy itself is dead. A commit is held in PostgreSQL
by a deferred constraint, which waits for whether a row of the test's own will be.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.shared.asking import QUERY, Connection, await_hits, stats, values
from tests.shared.conftest import Start
from tests.support.postgres import Server
from tests.support.proxy import Proxy, await_line
from tests.support.raw import eventually
from tests.support.redis import RedisServer

OTHER = "select v from other"

_SCHEMA = """
create table t (v text, number int unique deferrable initially deferred);
insert into t values ('x1', 1);
create table other (v text);
insert into other values ('x1');
"""
# How many commits wait for whether the asker's row will be.
_WAITING = """
select count(*) from pg_locks
where locktype = 'transactionid' and not granted and transactionid = pg_current_xact_id()::xid
"""


@pytest.fixture
def pair(
    start: Start, shared_redis: RedisServer, holder: Connection, newest_database: str
) -> list[Proxy]:
    """Two proxies that know the schema: without it a write locks everything."""
    proxies = [start(shared_redis.url()) for _ in range(2)]
    for proxy in proxies:
        with proxy.connect("app", newest_database) as connection:
            assert await_hits(connection, QUERY) == await_hits(connection, OTHER) == ["#1"]
    return proxies


@pytest.fixture
def holder(newest_postgres: Server, newest_database: str) -> Iterator[Connection]:
    """Yield a session past the proxies, which ``_hold`` and ``_let_go`` are for."""
    with newest_postgres.connect("app", newest_database) as connection:
        connection.autocommit = True
        connection.execute(_SCHEMA)
        yield connection


def _hold(holder: Connection) -> None:
    holder.execute("begin")
    holder.execute("insert into t values ('never', 2)")


def _let_go(holder: Connection) -> None:
    """The commits that wait go on."""
    holder.execute("rollback")


def _waiting(holder: Connection) -> int:
    found = holder.execute(_WAITING).fetchone()
    assert found is not None
    return int(str(found[0]))


def _kill_in_commit(killed: list[Proxy], database: str, holder: Connection) -> None:
    """Update ``t`` through the first of ``killed``, and kill all while the commit waits."""

    def update() -> None:
        with (
            contextlib.suppress(psycopg.OperationalError),  # the proxy is killed meanwhile
            killed[0].connect("app", database) as connection,
        ):
            connection.execute("update t set v = 'x2', number = 2")

    thread = threading.Thread(target=update)
    thread.start()
    eventually(lambda: _waiting(holder) == 1)
    for proxy in killed:
        proxy.process.kill()
        proxy.process.wait()
    thread.join()


def _cleared(proxy: Proxy) -> int:
    return int(stats(proxy)["shared_cleared"])


def _see_it_through(proxy: Proxy, reader: Connection, holder: Connection) -> None:
    """What is being committed is not served; once it is committed it is, and nothing older."""
    # The proxy is known to be gone, and its lock to be needed: the rest is served ...
    await_line(proxy, '"kept": 1')
    assert await_hits(reader, OTHER) == ["#1"]
    # ... but not what it was writing: the old row comes from PostgreSQL and is kept nowhere.
    for _ in range(20):
        assert values(reader, QUERY) == ["x1"]
    assert (_cleared(proxy), _waiting(holder)) == (0, 1)
    _let_go(holder)
    eventually(lambda: str(values(reader, QUERY)[0])[1:] == "2")
    for _ in range(20):
        assert str(values(reader, QUERY)[0])[1:] == "2"
    assert await_hits(reader, QUERY) == ["#2"]
    assert _cleared(proxy) == 1


@pytest.mark.slow
def test_T10_the_lock_outlives_its_proxy_until_the_backend_has_ended(
    pair: list[Proxy], holder: Connection, newest_database: str
) -> None:
    killed, alive = pair
    with alive.connect("app", newest_database) as reader:
        _hold(holder)
        _kill_in_commit([killed], newest_database, holder)
        _see_it_through(alive, reader, holder)


@pytest.mark.slow
def test_T10_a_proxy_that_starts_later_sees_to_the_lock(
    pair: list[Proxy],
    start: Start,
    shared_redis: RedisServer,
    holder: Connection,
    newest_database: str,
) -> None:
    """All proxies are killed; nobody was there when it happened."""
    _hold(holder)
    _kill_in_commit(pair, newest_database, holder)
    late = start(shared_redis.url())
    with late.connect("app", newest_database) as reader:
        _see_it_through(late, reader, holder)

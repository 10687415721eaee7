"""Asking through proxies that share a store, until what is asked for is so."""

from __future__ import annotations

import time

import psycopg

from tests.support.proxy import SERVICE, Proxy
from tests.support.raw import eventually

PATIENCE = 20.0
QUERY = "select v from t"
Connection = psycopg.Connection[tuple[object, ...]]


def stats(proxy: Proxy) -> dict[str, str]:
    """What SHOW STATS says."""
    with psycopg.connect(proxy.url(SERVICE, "pgcache"), autocommit=True) as console:
        return {str(name): str(value) for name, value in console.execute("SHOW STATS").fetchall()}


def values(connection: Connection, query: str) -> list[object]:
    """The first column."""
    return [row[0] for row in connection.execute(query).fetchall()]


def await_value(connection: Connection, query: str, value: str) -> None:
    """Ask until the answer is this."""
    deadline = time.monotonic() + PATIENCE
    while values(connection, query) != [value]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def await_hits(connection: Connection, query: str) -> list[object]:
    """Ask until the answer is a hit (its rows are marked), and return it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = values(connection, query)
        if str(found[0]).startswith("#"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"no hit, but {found}")


def await_hits_of(connection: Connection, query: str, number: int) -> None:
    """Ask until the answer is a hit; no answer on the way may have another number."""

    def is_hit() -> bool:
        (found,) = values(connection, query)
        assert str(found)[1:] == str(number)
        return str(found).startswith("#")

    eventually(is_hit)


def share_a_result(one: Connection, two: Connection) -> None:
    """Make a table and have both proxies serve its one value, x1, from the cache."""
    one.execute("create table t (v text)")
    one.execute("insert into t values ('x1')")
    values(two, QUERY)
    assert await_hits(one, QUERY) == await_hits(two, QUERY) == ["#1"]


def see_a_write(one: Connection, two: Connection) -> None:
    """After ``share_a_result``: the second hears of what the first writes, and serves that."""
    one.execute("update t set v = 'x2'")
    assert str(values(two, QUERY)[0])[1:] == "2"
    assert await_hits(two, QUERY) == ["#2"]

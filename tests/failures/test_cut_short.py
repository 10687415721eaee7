"""A client that vanishes in the middle of a message: the rest of it will never come."""

from __future__ import annotations

import struct

import pytest

from pgcache.wire.frames import MAX_ASSEMBLED
from tests.support import frames
from tests.support.postgres import SUPERUSER, Server
from tests.support.proxy import Proxy
from tests.support.raw import RawClient, errors_of, eventually


@pytest.mark.parametrize("kind", [b"Q", b"P", b"F"], ids=["query", "parse", "function call"])
def test_T10_half_a_large_message_locks_nothing_for_ever(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str, kind: bytes
) -> None:
    newest_postgres.execute("create table t (v text)", database=newest_database)
    begun = kind + struct.pack("!i", 2 * MAX_ASSEMBLED) + b"\0\0 a piece of it"
    with RawClient(newest_proxy.address, newest_database, SUPERUSER) as client:
        client.query("select v from t")
        client.send(begun)
    backends = f"select 1 from pg_stat_activity where datname = '{newest_database}'"
    ours = f"{backends} and application_name <> 'pgcache catalog'"
    with newest_postgres.connect() as direct:
        eventually(lambda: direct.execute(ours.encode()).fetchall() == [])
    with RawClient(newest_proxy.address, newest_database, SUPERUSER) as other:

        def is_hit() -> bool:
            other.query("select v from t")
            return "; hit" in str(other.rows("show pgcache.last")[0][0])

        eventually(is_hit)


def test_W44_a_write_before_half_a_message_is_seen(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    newest_postgres.execute("create table t (v text)", database=newest_database)
    with RawClient(newest_proxy.address, newest_database, SUPERUSER) as reader:
        for _ in range(3):
            assert reader.rows("select v from t") == []
        with RawClient(newest_proxy.address, newest_database, SUPERUSER) as writer:
            write = frames.query("insert into t values ('new')")
            writer.send(write + b"Q" + struct.pack("!i", 2 * MAX_ASSEMBLED) + b"select")
        with newest_postgres.connect(database=newest_database) as direct:
            eventually(lambda: direct.execute("select v from t").fetchall() != [])
        eventually(lambda: reader.rows("select v from t") == [("new",)])


@pytest.mark.parametrize("kind", [b"Q", b"F"], ids=["query", "function call"])
def test_T10_half_a_large_message_locks_nothing_while_its_client_waits(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str, kind: bytes
) -> None:
    newest_postgres.execute("create table t (v text)", database=newest_database)
    with (
        RawClient(newest_proxy.address, newest_database, SUPERUSER) as client,
        RawClient(newest_proxy.address, newest_database, SUPERUSER) as other,
    ):
        client.query("select v from t")
        client.send(kind + struct.pack("!i", 2 * MAX_ASSEMBLED) + b"\0\0 a piece of it")
        client.send(b"and another")

        def is_hit() -> bool:
            other.query("select v from t")
            return "; hit" in str(other.rows("show pgcache.last")[0][0])

        eventually(is_hit)
        eventually(is_hit)


def test_T10_a_large_write_is_seen_once_it_is_whole(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    newest_postgres.execute("create table t (v text)", database=newest_database)
    write = frames.query("insert into t values ('new')" + " " * (MAX_ASSEMBLED + 1024))
    with (
        RawClient(newest_proxy.address, newest_database, SUPERUSER) as writer,
        RawClient(newest_proxy.address, newest_database, SUPERUSER) as reader,
    ):
        writer.send(write[:4096])
        for _ in range(3):
            assert reader.rows("select v from t") == []
        writer.send(write[4096:])
        assert errors_of(writer.replies()) == []
        assert reader.rows("select v from t") == [("new",)]

"""Ways past the session in which a write could go unseen: all of them are watched or closed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import frames
from tests.support.frames import SSL_REQUEST, query, startup
from tests.support.postgres import Cluster, Server, installations
from tests.support.proxy import Proxy, start_proxy
from tests.support.raw import RawClient, errors_of, kinds

COUNT = "select count(*) from t"


@pytest.fixture
def reader(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> Iterator[RawClient]:
    """A session whose count of an empty table is served from the cache."""
    newest_postgres.execute("create table t (a int)", database=newest_database)
    with RawClient(newest_proxy.address, newest_database) as client:
        for _ in range(3):
            assert client.rows(COUNT) == [("0",)]
        assert "; hit;" in str(client.rows("show pgcache.last"))
        yield client


def test_sql_on_a_replication_connection(
    reader: RawClient, newest_proxy: Proxy, newest_database: str
) -> None:
    with RawClient(newest_proxy.address, newest_database, replication="database") as walsender:
        assert kinds(walsender.query("IDENTIFY_SYSTEM")) == "TDCZ"
        assert kinds(walsender.query("insert into t values (1)")) == "CZ"
        assert reader.rows(COUNT) == [("1",)]
        walsender.query("begin")
        walsender.query("insert into t values (2)")
        assert reader.rows(COUNT) == [("1",)]
        walsender.query("commit")
        assert reader.rows(COUNT) == [("2",)]
        assert errors_of(walsender.query("insert into nothing values (1)")) == ["42P01"]
    assert reader.rows(COUNT) == reader.rows(COUNT) == [("2",)]


def test_a_replication_connection_can_be_cancelled(
    newest_proxy: Proxy, newest_database: str
) -> None:
    with RawClient(newest_proxy.address, newest_database, replication="database") as walsender:
        walsender.send(query("select pg_sleep(60)"))
        with RawClient.bare(newest_proxy.address) as canceller:
            canceller.send(frames.cancel(walsender.pid, walsender.secret))
            assert canceller.rest() == b""
        assert errors_of(walsender.replies()) == ["57014"]


def test_a_second_request_for_encryption_does_not_reach_the_origin(newest_proxy: Proxy) -> None:
    """It would be encrypted between client and origin, and pgcache blind."""
    with RawClient.bare(newest_proxy.address) as client:
        client.send(SSL_REQUEST)
        assert client.socket.recv(1) == b"N"
        client.send(SSL_REQUEST)
        refused = client.read()
        assert frames.fields(refused.body)["C"] == "0A000"
        assert frames.fields(refused.body)["M"].startswith(
            "unsupported frontend protocol 1234.5679"
        )
        assert client.rest() == b""


@pytest.fixture(scope="module")
def trusting(cluster: Cluster) -> Iterator[tuple[Server, Proxy]]:
    """A server that asks nobody for a password, and a proxy before it."""
    server = cluster.server(max(installations()), start=False)
    hba = server.data / "pg_hba.conf"
    hba.write_text("host all all 127.0.0.1/32 trust\n" + hba.read_text())
    server.start()
    proxy = start_proxy(server, Path(cluster.root))
    yield server, proxy
    assert proxy.stop() == 0
    assert not proxy.complaints()
    cluster.discard(server)


def test_questions_sent_ahead_of_the_login(trusting: tuple[Server, Proxy]) -> None:
    """Where no password is asked for, startup and first query may come in one write."""
    server, proxy = trusting
    server.execute("create table t (a int)")
    with RawClient(proxy.address) as reader:
        for _ in range(3):
            assert reader.rows(COUNT) == [("0",)]
        hello = startup({"user": "postgres", "database": "postgres"})
        for packet in (hello + query("insert into t values (1)"), hello):
            with RawClient.bare(proxy.address) as client:
                client.send(packet)
                if packet is hello:
                    client.send(query("insert into t values (2)")[:7])
                    client.send(query("insert into t values (2)")[7:])
                assert kinds(client.replies(2)).endswith("ZCZ")
        assert reader.rows(COUNT) == [("2",)]


def test_a_query_instead_of_a_password(newest_proxy: Proxy, newest_postgres: Server) -> None:
    hello = startup({"user": "app", "database": "postgres"})
    told = []
    for address in (newest_proxy.address, ("127.0.0.1", newest_postgres.port)):
        with RawClient.bare(address) as client:
            client.send(hello, query("select 1"))
            found = [client.read(), client.read()]
            told.append(([frame.kind for frame in found], frames.fields(found[1].body)["M"]))
    assert told[0] == told[1]
    assert struct.unpack_from("!i", found[0].body) == (10,)

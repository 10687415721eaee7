"""Commits whose outcome nobody was told count as done (T-15).

A commit that waits for a standby that does not exist has happened on disk and is invisible. Ending
the wait, by a cancel or by ending the session, makes it visible without the client hearing a
COMMIT as usual.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import frames
from tests.support.frames import SYNC, bind, execute, parse, query
from tests.support.postgres import Cluster, Server
from tests.support.proxy import Proxy, start_proxy
from tests.support.raw import RawClient, eventually

COUNT = "select count(*) from t"


@pytest.fixture(scope="module")
def waiting(cluster: Cluster, newest_postgres: Server) -> Iterator[tuple[Server, Proxy]]:
    """A server whose sessions can be made to wait when they commit, and a proxy before it."""
    server = cluster.server(newest_postgres.major, synchronous_standby_names="nobody")
    server.execute(
        "set synchronous_commit = local; alter database postgres set synchronous_commit = local"
    )
    proxy = start_proxy(server, cluster.root)
    yield server, proxy
    assert proxy.stop() == 0
    assert not proxy.complaints()
    cluster.discard(server)


@pytest.mark.parametrize("how", ["cancelled", "terminated", "client gone"])
@pytest.mark.parametrize("form", ["autocommit", "commit", "prepared commit", "implicit"])
def test_T15_a_commit_in_doubt_is_seen(waiting: tuple[Server, Proxy], how: str, form: str) -> None:
    server, proxy = waiting
    with (
        RawClient(proxy.address) as reader,
        RawClient(proxy.address) as writer,
        server.connect() as watcher,
    ):
        writer.query("drop table if exists t")
        writer.query("create table t (a int)")
        _see(reader, "0")
        writer.query("set synchronous_commit = on")
        _start(writer, form)
        waits = f"pid = {writer.pid} and wait_event = 'SyncRep'"
        search = f"select 1 from pg_stat_activity where {waits}".encode()
        eventually(lambda: watcher.execute(search).fetchone() is not None)
        # Not visible yet, whoever is asked.
        assert reader.rows(COUNT) == [("0",)]
        if how == "cancelled":
            with RawClient.bare(proxy.address) as canceller:
                canceller.send(frames.cancel(writer.pid, writer.secret))
                assert canceller.rest() == b""
            assert {"C", "N"} <= {frame.kind for frame in writer.replies()}
            assert reader.rows(COUNT) == [("1",)]
        elif how == "terminated":
            watcher.execute(f"select pg_terminate_backend({writer.pid})".encode())
            writer.rest()
            assert reader.rows(COUNT) == [("1",)]
        else:
            writer.reset()
            watcher.execute(f"select pg_cancel_backend({writer.pid})".encode())
            direct = COUNT.encode()
            eventually(lambda: watcher.execute(direct).fetchone() == (1,))
            eventually(lambda: reader.rows(COUNT) == [("1",)])
        _see(reader, "1")


def _start(writer: RawClient, form: str) -> None:
    """Send a write up to its commit, and wait for nothing."""
    insert = "insert into t values (1)"
    if form == "autocommit":
        writer.send(query(insert))
    elif form == "implicit":
        writer.send(parse("", insert), bind("", ""), execute("", 1), SYNC)
    else:
        writer.query("begin")
        writer.query(insert)
        if form == "commit":
            writer.send(query("commit"))
        else:
            writer.ask(parse("s", "commit"), SYNC)
            writer.send(bind("", "s"), execute("", 1), SYNC)


def _see(reader: RawClient, count: str) -> None:
    """The count is so, and served from memory."""

    def is_hit() -> bool:
        assert reader.rows(COUNT) == [(count,)]
        return "; hit" in str(reader.rows("show pgcache.last"))

    eventually(is_hit)

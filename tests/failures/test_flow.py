"""Nobody's pace may be another's trouble: pipelines, stalled readers, stalled leaders (W-43)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.support.frames import query
from tests.support.postgres import Server
from tests.support.proxy import Proxy
from tests.support.raw import RawClient, eventually

MEGABYTE = 1 << 20
# Less than a follower waits for its leader, more than anything here takes.
IMPATIENT = 20.0

PIPELINES = {
    "many": (20_000, "select 1"),
    "large answers": (1_500, f"select repeat('x', 200000), '{'y' * 5_000}'"),
    "large questions": (200, f"select repeat('x', 1000000), '{'y' * 100_000}'"),
    "writes": (5_000, "insert into t values (1)"),
}


@pytest.mark.parametrize("kind", PIPELINES)
def test_a_pipeline_is_answered_to_its_end(
    kind: str, newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    """A client that reads while it sends is never stuck, however far ahead it sends."""
    newest_postgres.execute("create table t (a int)", database=newest_database)
    count, sql = PIPELINES[kind]
    with RawClient(newest_proxy.address, newest_database) as client:
        message = query(sql)

        def send() -> None:
            for _ in range(count):
                client.socket.sendall(message)

        sender = threading.Thread(target=send)
        sender.start()
        answered = 0
        while answered < count:
            answered += client.read().kind == "Z"
        sender.join()


def _big(server: Server, database: str) -> None:
    server.execute(
        "create table big as select g, repeat('x', 1000000) v from generate_series(1, 15) g",
        database=database,
    )


def test_hits_wait_for_a_client_that_does_not_read(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    """Thousands of questions for large hits, none of the answers read."""
    _big(newest_postgres, newest_database)
    memory = psutil.Process(newest_proxy.process.pid)
    with RawClient(newest_proxy.address, newest_database) as client:
        for _ in range(3):
            client.query("select v from big")
        assert "; hit;" in str(client.rows("show pgcache.last"))
    before = memory.memory_info().rss
    with RawClient(newest_proxy.address, newest_database, receive_buffer=4096) as client:
        client.query("select 1 from big limit 1")
        client.send(query("select v from big") * 1_000)
        with RawClient(newest_proxy.address, newest_database) as other:
            assert len(other.rows("select v from big")) == 15
        assert memory.memory_info().rss < before + 64 * MEGABYTE
        # It is only held: as soon as it reads, it gets what it asked for.
        assert sum(frame.kind == "D" for frame in client.replies(3)) == 45


def test_a_stalled_leader_does_not_stall_its_followers(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    _big(newest_postgres, newest_database)
    address = newest_proxy.address
    with (
        RawClient(address, newest_database, receive_buffer=4096) as leader,
        RawClient(address, newest_database) as first,
        RawClient(address, newest_database) as second,
    ):
        for client in (leader, first, second):
            client.query("select g from big")
        leader.send(query("select v from big"))
        blocked = f"select 1 from pg_stat_activity where pid = {leader.pid} and state = 'active'"
        with newest_postgres.connect() as watcher:
            eventually(lambda: watcher.execute(blocked.encode()).fetchone() is not None)
        for client in (first, second):
            client.socket.settimeout(IMPATIENT)
        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(lambda one: len(one.rows("select v from big")), [first, second])
            )
        assert answers == [15, 15]
        assert sum(frame.kind == "D" for frame in leader.replies()) == 15

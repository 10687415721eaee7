"""Cancel requests: whom they reach, and when they are over (W-30, W-31)."""

from __future__ import annotations

import psycopg

from tests.support import frames
from tests.support.frames import query
from tests.support.proxy import Proxy
from tests.support.raw import RawClient, eventually

_ROUNDS = 60


def _cancel(address: tuple[str, int], pid: int, secret: bytes) -> bytes:
    """Ask for a cancel and return what is said until the end of the connection."""
    with RawClient.bare(address) as canceller:
        canceller.send(frames.cancel(pid, secret))
        return canceller.rest()


def test_W30_a_key_that_nobody_has_is_met_with_silence(
    newest_proxy: Proxy, newest_database: str
) -> None:
    with RawClient(newest_proxy.address, newest_database) as client:
        client.send(query("select 'slept' from pg_sleep(0.2)"))
        for pid, secret in ((client.pid, b"\0\0\0\0"), (1, client.secret), (-1, b"\xff" * 4)):
            assert _cancel(newest_proxy.address, pid, secret) == b""
        assert frames.row_values(client.replies()[1].body) == [b"slept"]


def test_W31_after_its_end_a_cancel_hits_nothing(newest_proxy: Proxy, newest_database: str) -> None:
    """libpq takes the end of its request for "done" and uses the connection at once."""
    with RawClient(newest_proxy.address, newest_database) as client:
        client.query("create table t as select 1 as a")
        cancelled = 0
        for number in range(_ROUNDS):
            # Sometimes it comes in time, sometimes behind the end of its query.
            client.send(query(f"select a from t, pg_sleep({0.0005 * (number % 8)})"))
            assert _cancel(newest_proxy.address, client.pid, client.secret) == b""
            cancelled += "E" in [frame.kind for frame in client.replies()]
            told = client.query("select a from t, pg_sleep(0.002)")
            assert [frame.kind for frame in told] == ["T", "D", "C", "Z"]
        assert client.rows("select a from t") == [("1",)]
    assert cancelled, "no cancel came in time: the test has shown nothing"


def test_W30_a_cancel_reaches_the_session_of_its_key_alone(
    newest_proxy: Proxy, newest_database: str
) -> None:
    url = newest_proxy.url(database=newest_database)
    with (
        RawClient(newest_proxy.address, newest_database) as victim,
        RawClient(newest_proxy.address, newest_database) as bystander,
        psycopg.connect(url, autocommit=True) as watcher,
    ):
        for client in (bystander, victim):
            client.send(query("select 'done' from pg_sleep(30)"))
        running = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and pid in (%s, %s)"
        pids = (victim.pid, bystander.pid)
        eventually(lambda: len(watcher.execute(running, pids).fetchall()) == 2)
        _cancel(newest_proxy.address, victim.pid, victim.secret)
        assert victim.replies()[-2].kind == "E"
        assert len(watcher.execute(running, pids).fetchall()) == 1
        _cancel(newest_proxy.address, bystander.pid, bystander.secret)
        assert bystander.replies()[-2].kind == "E"

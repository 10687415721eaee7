"""What the origin says unasked while a client is served from memory (W-40, W-42)."""

from __future__ import annotations

import contextlib
import threading

from tests.support.frames import SYNC, Frame, bind, execute, parse, query
from tests.support.postgres import Server
from tests.support.proxy import Proxy
from tests.support.raw import RawClient, eventually, kinds, rows_of

_NEWS = 200


def _hot(client: RawClient, sql: str) -> None:
    def is_hit() -> bool:
        client.query(sql)
        return "; hit" in str(client.rows("show pgcache.last"))

    eventually(is_hit)


def test_W40_notifications_come_between_cached_replies(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    """Each in one piece, in their order, none inside of an answer, none lost."""
    sql = "select g, repeat('x', 100) from filler order by g"
    newest_postgres.execute(
        "create table filler as select g from generate_series(1, 100) g", database=newest_database
    )
    done = threading.Event()

    def tell() -> None:
        with newest_postgres.connect(database=newest_database) as connection:
            for number in range(_NEWS):
                connection.execute(f"select pg_notify('news', '{number}')".encode())
        done.set()

    with RawClient(newest_proxy.address, newest_database) as client:
        client.query("listen news")
        _hot(client, sql)
        hits = newest_proxy.count("hits")
        teller = threading.Thread(target=tell)
        teller.start()
        heard: list[Frame] = []
        asked = 0
        while not done.is_set() or len(heard) < _NEWS:
            turn = query(sql) if asked % 2 else parse("", sql) + bind("", "") + execute("") + SYNC
            client.send(turn)
            told = client.replies()
            heard += [frame for frame in told if frame.kind == "A"]
            answer = [frame for frame in told if frame.kind != "A"]
            assert kinds(answer) == ("TDCZ" if asked % 2 else "12DCZ")
            assert len(rows_of(answer)) == 100
            # Inside of an answer of the origin's own there may be some, before its ReadyForQuery.
            places = [index for index, frame in enumerate(told) if frame.kind == "A"]
            rows = [index for index, frame in enumerate(told) if frame.kind == "D"]
            assert not any(rows[0] < place < rows[-1] for place in places)
            asked += 1
        teller.join()
        payloads = [frame.body.split(b"\0")[-2] for frame in heard]
        assert payloads == [str(number).encode() for number in range(_NEWS)]
    assert newest_proxy.count("hits") > hits


def test_W42_a_session_that_only_hits_ends_when_the_origin_says_so(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    """The origin sees no work and ends the session by idle_session_timeout, in its own words."""
    newest_postgres.execute("create table t as select 1 as a", database=newest_database)
    with RawClient(newest_proxy.address, newest_database) as client:
        _hot(client, "select a from t")
        client.query("set idle_session_timeout = '300ms'")
        _hot(client, "select a from t")
        told: list[str] = []
        # Asking on and on is no work for the origin, which sees a session that idles.
        while "E" not in told:
            client.send(query("select a from t"))
            frame = client.read()
            told.append(frame.kind)
            while frame.kind not in "ZE":
                frame = client.read()
                told.append(frame.kind)
        assert b"C57P05\0" in frame.body
        # The connection ends, before or after what was asked just then has been answered.
        with contextlib.suppress(ConnectionResetError):
            rest = client.rest()
            assert rest == b"" or rest.endswith(b"Z\0\0\0\x05I")

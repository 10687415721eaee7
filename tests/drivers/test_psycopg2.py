"""psycopg2 through the proxy: transactions, named cursors, COPY, notices, notifications, cancel."""

from __future__ import annotations

import contextlib
import io
import threading
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
import pytest

from tests.drivers.conftest import Arena

pytestmark = pytest.mark.driver


def test_reads_in_transactions_and_in_autocommit(arena: Arena) -> None:
    def work(url: str) -> Any:
        with contextlib.closing(psycopg2.connect(url)) as connection:
            cursor = connection.cursor()
            # Not `select *`: bytea comes as memory views, whose looks hold addresses.
            cursor.execute("select id, i2, i8, n, f4, f8, ts, tz, iv, b, j, a, c, m from wide")
            rows = sorted(cursor.fetchall())
            cursor.execute("select * from t where id = any(%s) order by id", ([1, 5, 7],))
            rows += cursor.fetchall()
            described = repr(cursor.description)
            connection.commit()
            connection.autocommit = True
            cursor.execute("select id, v from t where id < %s order by id", (4,))
            rows += cursor.fetchall()
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            cursor.execute("select count(*) from t")
            return repr(rows), described, cursor.fetchone(), cursor.statusmessage

    arena.same_thrice(work)


def test_named_cursor(arena: Arena) -> None:
    def work(url: str) -> Any:
        with contextlib.closing(psycopg2.connect(url)) as connection:
            with connection.cursor("mine") as cursor:
                cursor.itersize = 300
                cursor.execute("select * from t order by id")
                rows = list(cursor)
            with connection.cursor("scrolls", scrollable=True, withhold=True) as cursor:
                cursor.execute("select id from t order by id")
                cursor.scroll(10)
                rows += cursor.fetchmany(3)
                connection.commit()
                rows += cursor.fetchmany(3)
            return rows

    assert len(arena.same_thrice(work)) == 1006


def test_copy_both_ways_and_errors(arena: Arena) -> None:
    def work(url: str) -> Any:
        with contextlib.closing(psycopg2.connect(url)) as connection:
            cursor = connection.cursor()
            out = io.StringIO()
            cursor.copy_expert("copy (select * from t order by id) to stdout", out)
            cursor.copy_expert(
                "copy empty from stdin", io.StringIO("".join(f"{n}\tx\n" for n in range(5000)))
            )
            cursor.execute("select count(*), max(id) from empty")
            counted = cursor.fetchone()
            connection.rollback()
            with pytest.raises(psycopg2.errors.UndefinedColumn) as caught:
                cursor.execute("select nothing from t")
            assert caught.value.diag.statement_position == "8"
            connection.rollback()
            cursor.execute("select count(*) from empty")
            return out.getvalue(), counted, cursor.fetchone()

    _, counted, after = arena.same_thrice(work)
    assert counted == (5000, 4999)
    assert after == (0,)


def test_notices_and_notifications(arena: Arena) -> None:
    def work(url: str) -> Any:
        with contextlib.closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("listen ch")
            cursor.execute("select noisy(v) from t where id < 3 order by id")
            cursor.execute("notify ch, 'news'")
            connection.poll()
            heard = [(n.channel, n.payload) for n in connection.notifies]
            assert [n.pid for n in connection.notifies] == [connection.info.backend_pid]
            return list(connection.notices), heard

    arena.same_thrice(work)


def test_the_pid_is_the_origins(arena: Arena) -> None:
    with contextlib.closing(psycopg2.connect(arena.proxy.url("app", arena.database))) as connection:
        cursor = connection.cursor()
        cursor.execute("select pg_backend_pid()")
        assert cursor.fetchone() == (connection.info.backend_pid,)


def test_cancel_reaches_the_statement(arena: Arena) -> None:
    url = arena.proxy.url("app", arena.database)
    with (
        contextlib.closing(psycopg2.connect(url)) as connection,
        contextlib.closing(psycopg2.connect(url)) as watcher,
    ):
        watcher.autocommit = True
        pid = connection.info.backend_pid

        def cancel_when_running() -> None:
            seen = watcher.cursor()
            while True:
                seen.execute(
                    "select 1 from pg_stat_activity where pid = %s and state = 'active'"
                    " and query ~ 'pg_sleep'",  # not the BEGIN that goes before it
                    (pid,),
                )
                if seen.fetchone():
                    connection.cancel()
                    return

        helper = threading.Thread(target=cancel_when_running)
        helper.start()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            connection.cursor().execute("select pg_sleep(60)")
        helper.join()
        connection.rollback()
        # The next statements are not hit by a late signal (W-31).
        cursor = connection.cursor()
        for _ in range(200):
            cursor.execute("select v from t where id = 1")
            assert cursor.fetchone() == ("v1",)


def test_hits(arena: Arena) -> None:
    def read(url: str) -> Any:
        with contextlib.closing(psycopg2.connect(url)) as connection:
            cursor = connection.cursor()
            cursor.execute("select v from t where id = %s", (1,))
            row = cursor.fetchone()
            assert row is not None
            return row[0]

    arena.comes_from_the_cache(read)


def test_superset_stops_a_query_by_its_pid(arena: Arena) -> None:
    url = arena.proxy.url("app", arena.database)
    with (
        contextlib.closing(psycopg2.connect(url)) as victim,
        contextlib.closing(psycopg2.connect(url)) as stopper,
    ):
        cursor = victim.cursor()
        cursor.execute("select pg_backend_pid()")
        (pid,) = cursor.fetchone() or (0,)
        stopper.cursor().execute("select pg_terminate_backend(%s, 5000)", (pid,))
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("select pg_sleep(0)")

"""psycopg 3 through the proxy: sync, async, pipelines, server cursors, binary, COPY."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import psycopg.errors
import pytest
from psycopg import sql

from tests.drivers.conftest import Arena
from tests.support.proxy import SERVICE

pytestmark = pytest.mark.driver


def test_parameters_past_the_prepare_threshold(arena: Arena) -> None:
    def work(url: str) -> Any:
        rows: list[Any] = []
        with psycopg.connect(url) as connection:
            for number in (1, 1, 70_000, 2, 2, 2, 2, 2, 3_000_000_000, 5):
                rows += connection.execute("select * from t where id = %s", [number]).fetchall()
            for prepare in (True, False):
                done = connection.execute(
                    "select v, %s::text from t where id = %t", ["x", "9"], prepare=prepare
                )
                rows += done.fetchall()
            return rows

    arena.same_thrice(work)


@pytest.mark.parametrize("binary", [False, True])
def test_every_type(arena: Arena, binary: bool) -> None:
    def work(url: str) -> Any:
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.cursor(binary=binary)
            # Infinite dates cannot be shown as Python's: the driver would refuse them.
            cursor.execute("select id, i2, i8, n, f4, f8, ts, tz, b, by, j, a, u from wide")
            return repr(sorted(cursor.fetchall())), cursor.statusmessage

    arena.same_thrice(work)


def test_pipeline_with_an_error(arena: Arena) -> None:
    def work(url: str) -> Any:
        rows: list[Any] = []
        with psycopg.connect(url, autocommit=True) as connection:
            with connection.pipeline() as pipeline:
                cursors = [
                    connection.execute("select v from t where id = %s", [n]) for n in range(1, 20)
                ]
                pipeline.sync()
                rows += [cursor.fetchone() for cursor in cursors]
            with pytest.raises(psycopg.errors.DivisionByZero):
                _fail_in_a_pipeline(connection)
            rows += connection.execute("select * from empty").fetchall()
            with connection.pipeline(), connection.transaction():
                connection.execute("insert into empty values (1, 'x')")
                inside = connection.execute("select count(*) from empty")
                rows.append(inside.fetchone())
                connection.execute("delete from empty")
            rows += connection.execute("select * from empty").fetchall()
        return rows

    assert arena.same_thrice(work)[-1] == (1,)


def _fail_in_a_pipeline(connection: psycopg.Connection[Any]) -> None:
    with connection.pipeline():
        connection.execute("select 1/%s", [0])
        connection.execute("insert into empty values (1, 'x')")


def _give_up(cursor: psycopg.Cursor[Any]) -> None:
    with cursor.copy("copy empty from stdin"):
        raise ValueError("no more")


def test_server_cursors_and_streams(arena: Arena) -> None:
    def work(url: str) -> Any:
        with psycopg.connect(url) as connection:
            with connection.cursor("sc") as cursor:
                cursor.itersize = 300
                rows = cursor.execute("select * from t order by id").fetchmany(10)
                rows += list(cursor)
            streamed = list(connection.cursor().stream("select * from t where id < 9 order by id"))
            with connection.cursor("held", withhold=True, scrollable=True) as cursor:
                cursor.execute("select id from t order by id")
                connection.commit()
                cursor.scroll(5)
                rows += cursor.fetchmany(2)
            return rows, streamed

    arena.same_thrice(work)


def test_copy(arena: Arena) -> None:
    def work(url: str) -> Any:
        with psycopg.connect(url) as connection:
            cursor = connection.cursor()
            with cursor.copy("copy (select * from t order by id) to stdout (format binary)") as out:
                data = b"".join(bytes(block) for block in out)
            with cursor.copy("copy empty from stdin") as into:
                for number in range(2000):
                    into.write_row((number, "x" * 50))
            counted = cursor.execute("select count(*) from empty").fetchone()
            connection.rollback()
            with pytest.raises(ValueError, match="no more"):
                _give_up(cursor)
            connection.rollback()
            return data, counted, connection.execute("select count(*) from empty").fetchone()

    arena.same_thrice(work)


def test_transactions_and_savepoints(arena: Arena) -> None:
    def work(url: str) -> Any:
        seen: list[Any] = []
        with psycopg.connect(url, autocommit=True) as connection:
            with connection.transaction():
                connection.execute("insert into empty values (1, 'kept')")
                with connection.transaction(force_rollback=True):
                    connection.execute("insert into empty values (2, 'undone')")
                    seen += connection.execute("select * from empty order by id").fetchall()
                seen += connection.execute("select * from empty order by id").fetchall()
            seen += connection.execute("select * from empty order by id").fetchall()
            connection.execute("delete from empty")
            seen += connection.execute("select * from empty order by id").fetchall()
        return seen

    arena.same_thrice(work)


def test_settings_and_composed_statements(arena: Arena) -> None:
    def work(url: str) -> Any:
        with psycopg.connect(url, options="-c timezone=Asia/Tokyo", autocommit=True) as connection:
            statement = sql.SQL("select {} from {} order by id").format(
                sql.Identifier("tz"), sql.Identifier("public", "wide")
            )
            rows = [repr(connection.execute(statement).fetchall())]
            connection.execute("set timezone to 'UTC'")
            rows.append(repr(connection.execute(statement).fetchall()))
            return rows, connection.info.parameter_status("TimeZone")

    arena.same_thrice(work)


async def test_async_concurrently(arena: Arena) -> None:
    async def one(url: str, number: int) -> Any:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            done = await connection.execute("select * from t where id <= %s", [number % 7])
            return sorted(await done.fetchall())

    async def work(url: str) -> Any:
        return await asyncio.gather(*(one(url, number) for number in range(20)))

    expected = await work(arena.server.url("app", arena.database))
    for _ in range(2):
        assert await work(arena.proxy.url("app", arena.database)) == expected


def test_two_phase_commit(arena: Arena) -> None:
    def work(url: str) -> Any:
        with psycopg.connect(url) as connection:
            xid = connection.xid(1, "gtrid", "bqual")
            connection.tpc_begin(xid)
            connection.execute("insert into empty values (5, 'prepared')")
            connection.tpc_prepare()
            connection.tpc_commit()
            rows = connection.execute("select * from empty").fetchall()
            connection.execute("delete from empty")
            connection.commit()
            return rows

    assert arena.same_thrice(work) == [(5, "prepared")]


@pytest.mark.parametrize("binary", [False, True])
def test_hits(arena: Arena, binary: bool) -> None:
    def read(url: str) -> Any:
        with psycopg.connect(url) as connection:
            cursor = connection.cursor(binary=binary)
            row = cursor.execute("select v from t where id = %s", [2]).fetchone()
            assert row is not None
            return row[0]

    arena.comes_from_the_cache(read)


def test_hits_in_a_pipeline(arena: Arena) -> None:
    def read(url: str) -> Any:
        with psycopg.connect(url, autocommit=True) as connection, connection.pipeline():
            row = connection.execute("select v from t where id = %s", [3]).fetchone()
            assert row is not None
            return row[0]

    arena.comes_from_the_cache(read)


@pytest.mark.parametrize("prepare", [False, True])
def test_what_dbeaver_asks_has_an_answer_on_the_console(arena: Arena, prepare: bool) -> None:
    """The file has DBeaver's own questions; `test_jdbc` plays them by its driver."""
    lines = Path(__file__).with_name("dbeaver.sql").read_text().splitlines()
    url = arena.proxy.url(SERVICE, "pgcache")
    with psycopg.connect(url, autocommit=True) as console:
        for line in lines:
            if not line.startswith("--"):
                console.execute(line.encode(), prepare=prepare)
        with pytest.raises(psycopg.Error, match="takes no SQL"):
            console.execute("SELECT nothing", prepare=prepare)
        names = [row[0] for row in console.execute("SHOW STATS", prepare=prepare)]
    assert "hits" in names

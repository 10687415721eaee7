"""psqlODBC through the proxy, set as Power BI, Tableau and Excel set it.

Needs the driver (Debian's package odbc-postgresql); skipped where it is absent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.drivers.conftest import Arena
from tests.support.proxy import SERVICE

pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)

_DRIVERS = sorted(Path("/usr/lib").glob("*/odbc/psqlodbcw.so"))
pytestmark = [
    pytest.mark.driver,
    pytest.mark.skipif(not _DRIVERS, reason="no psqlODBC (Debian: odbc-postgresql)"),
]

SETTINGS = {
    "defaults": "",
    "SQL cursors": "UseDeclareFetch=1;Fetch=100",
    "SQL cursors of unknown sizes": "UseDeclareFetch=1;Fetch=7;UnknownSizes=2;Parse=1",
    "text of parameters": "UseServerSidePrepare=0",
    "savepoints": "Protocol=7.4-2",  # each statement may fail on its own
    "bytea as long": "ByteaAsLongVarBinary=1;BoolsAsChar=0;MaxVarcharSize=4096",
}


@contextlib.contextmanager
def _connected(url: str, settings: str = "") -> Iterator[Any]:
    parts = urlsplit(url)
    connection = pyodbc.connect(
        f"DRIVER={_DRIVERS[0]};SERVER={parts.hostname};PORT={parts.port};UID={parts.username};"
        f"PWD={parts.password};"
        f"DATABASE={parts.path.lstrip('/')};{settings}"
    )
    with contextlib.closing(connection):
        yield connection


def _all(cursor: Any) -> str:
    """Return what a cursor says of its result, and the result."""
    return repr((cursor.description, [tuple(row) for row in cursor.fetchall()]))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_reads(arena: Arena, settings: str) -> None:
    def work(url: str) -> Any:
        seen = []
        with _connected(url, settings) as connection:
            cursor = connection.cursor()
            for _ in range(2):  # in a transaction, then in another
                cursor.execute("select id, i2, i8, n, f4, f8, d, ts, b, c, u from wide order by id")
                seen.append(_all(cursor))
                cursor.execute("select * from t where id < ? and v <> ? order by id", 9, "v3")
                seen.append(_all(cursor))
                cursor.execute("select id from t order by id")
                seen.append(repr(cursor.fetchmany(150)))
                seen.append(_all(cursor))
                connection.commit()
            connection.autocommit = True
            cursor.execute("select count(*), sum(id) from t")
            seen.append(_all(cursor))
        return seen

    assert "v8" in arena.same_thrice(work)[1]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_writes_and_errors(arena: Arena, settings: str) -> None:
    def work(url: str) -> Any:
        seen = []
        with _connected(url, settings) as connection:
            cursor = connection.cursor()
            cursor.execute("select count(*) from empty")
            seen.append(_all(cursor))
            cursor.executemany("insert into empty values (?, ?)", [(1, "a"), (2, "b")])
            cursor.execute("select * from empty order by id")
            seen.append(_all(cursor))
            with pytest.raises(pyodbc.Error) as caught:
                cursor.execute("insert into empty values (?, ?)", 1, "again")
            seen.append(str(caught.value))
            connection.rollback()
            cursor.execute("select count(*) from empty")
            seen.append(_all(cursor))
            cursor.execute("insert into empty values (?, ?)", 3, "c")
            connection.commit()
            cursor.execute("select * from empty")
            seen.append(_all(cursor))
            cursor.execute("delete from empty")
            seen.append(str(cursor.rowcount))
            connection.commit()
            cursor.execute("select count(*) from empty")
            seen.append(_all(cursor))
        return seen

    assert "(3, 'c')" in arena.same_thrice(work)[4]


def test_what_a_tool_asks_of_the_catalog(arena: Arena) -> None:
    def work(url: str) -> Any:
        with _connected(url) as connection:
            asked = [
                connection.cursor().tables(),
                connection.cursor().tables(schema="public", tableType="TABLE"),
                connection.cursor().columns(table="wide"),
                connection.cursor().primaryKeys("t", schema="public"),
                connection.cursor().foreignKeys("parent", schema="public"),
                connection.cursor().statistics("t", schema="public"),
                connection.cursor().getTypeInfo(),
                connection.cursor().procedures(),
            ]
            names = [pyodbc.SQL_DBMS_NAME, pyodbc.SQL_DBMS_VER, pyodbc.SQL_IDENTIFIER_QUOTE_CHAR]
            return [_all(cursor) for cursor in asked] + [connection.getinfo(n) for n in names]

    assert "wide" in arena.same_thrice(work)[0]


# What is read through SQL's own DECLARE and FETCH is forwarded.
@pytest.mark.parametrize("settings", [text for text in SETTINGS.values() if "Fetch" not in text])
def test_a_read_comes_from_the_cache(arena: Arena, settings: str) -> None:
    def read(url: str) -> str:
        with _connected(url, settings) as connection:
            connection.autocommit = True
            row = connection.cursor().execute("select v from t where id = ?", 5).fetchone()
            assert row is not None
            return str(row[0])

    arena.comes_from_the_cache(read)


def test_a_change_is_seen(arena: Arena) -> None:
    def read(connection: Any) -> str:
        return _all(connection.cursor().execute("select name from parent where id = ?", 1))

    url = arena.proxy.url("app", arena.database)
    with _connected(url) as reader, _connected(url) as writer:
        reader.autocommit = True
        assert read(reader) == read(reader)
        writer.execute("update parent set name = ? where id = 1", "renamed")
        assert "'one'" in read(reader)
        writer.commit()
        assert "'renamed'" in read(reader)


def test_the_console(arena: Arena) -> None:
    url = arena.proxy.url(SERVICE, "pgcache")
    with _connected(url) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SHOW VERSION")
        assert cursor.fetchall()
        cursor.execute("SHOW STATS")
        assert len(cursor.fetchall()) > 3
        with pytest.raises(pyodbc.Error, match="nothing is called"):
            cursor.execute("SHOW NOTHING")

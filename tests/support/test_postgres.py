"""The test servers themselves: each version starts, logs in by SCRAM, and speaks TLS if told."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.postgres import SUPERUSER, Server, password_of
from tests.support.tls import Certificates


def test_server_accepts_its_roles(postgres: Server, database: str) -> None:
    with postgres.connect("app", database) as connection:
        row = connection.execute("select current_user, current_database()").fetchone()
        assert row == ("app", database)
        assert connection.info.server_version // 10000 == postgres.major


def test_wrong_password_is_refused(newest_postgres: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(newest_postgres.url("app", password="wrong"))


def test_tls_verifies(postgres_tls: Server, certificates: Certificates) -> None:
    parts = f"sslmode=verify-full sslrootcert={certificates.authority}"
    with psycopg.connect(
        f"host=localhost hostaddr={postgres_tls.host} port={postgres_tls.port} user={SUPERUSER} "
        f"dbname=postgres password={password_of(SUPERUSER)} {parts}"
    ) as connection:
        row = connection.execute(
            "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        ).fetchone()
        assert row == (True,)

from __future__ import annotations

import asyncpg
import pytest

from pgcache.catalog.connect import build_connect
from pgcache.catalog.options import build_options
from pgcache.config.origin import parse_origin
from tests.support.postgres import Server
from tests.support.tls import Certificates


def test_everything_has_its_place() -> None:
    origin = parse_origin(
        "postgresql://u:p%40@h:1/d?sslmode=verify-ca&sslrootcert=/a b&sslcert=/c&sslkey=/k"
    )
    assert build_options(origin) == {
        "dsn": "postgresql://?sslmode=verify-ca&sslrootcert=%2Fa+b&sslcert=%2Fc&sslkey=%2Fk",
        "host": "h",
        "port": 1,
        "user": "u",
        "password": "p@",
        "login_limit": 10.0,
    }


async def _whoami(url: str, database: str) -> tuple[str, str, bool]:
    connection = await build_connect(**build_options(parse_origin(url)))(database)
    try:
        row = await connection.fetchrow(
            "select current_user::text, current_database()::text, ssl "
            "from pg_stat_ssl where pid = pg_backend_pid()"
        )
        assert row is not None
        return row[0], row[1], row[2]
    finally:
        await connection.close()


@pytest.mark.postgres
async def test_over_tcp_and_a_unix_socket(newest_postgres: Server) -> None:
    url = newest_postgres.url("app", "postgres")
    assert await _whoami(url, "template1") == ("app", "template1", False)
    local = f"postgresql://app:app-secret@/x?host={newest_postgres.folder}"
    local += f"&port={newest_postgres.port}&sslmode=require"  # libpq ignores it there, so do we
    assert await _whoami(local, "postgres") == ("app", "postgres", False)


@pytest.mark.postgres
async def test_without_a_password_none_is_made_up(
    newest_postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "app-secret")  # ours to read, not asyncpg's
    url = f"postgresql://app@127.0.0.1:{newest_postgres.port}/postgres"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _whoami(url, "postgres")


@pytest.mark.postgres
async def test_over_tls(postgres_tls: Server, certificates: Certificates) -> None:
    url = postgres_tls.url("app", "postgres")
    for mode in ("require", f"verify-full&sslrootcert={certificates.authority}"):
        assert await _whoami(f"{url}?sslmode={mode}", "postgres") == ("app", "postgres", True)
    assert await _whoami(f"{url}?sslmode=disable", "postgres") == ("app", "postgres", False)

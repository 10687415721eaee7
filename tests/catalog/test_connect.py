"""Connections for the catalogs, and what an operator is told when they fail."""

from __future__ import annotations

import asyncpg
import pytest

from pgcache.catalog.connect import APPLICATION_NAME, advise, build_connect
from tests.support.postgres import Server


@pytest.mark.postgres
async def test_the_database_is_named_at_each_call(
    newest_postgres: Server, newest_database: str
) -> None:
    connect = build_connect(newest_postgres.url("service", "postgres"))
    connection = await connect(newest_database)
    try:
        row = await connection.fetchrow(
            "select current_database(), current_user, current_setting('application_name')"
        )
    finally:
        await connection.close()
    assert row is not None
    assert tuple(row) == (newest_database, "service", APPLICATION_NAME)


@pytest.mark.postgres
async def test_the_password_may_come_from_the_environment(
    newest_postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "service-secret")
    connect = build_connect(host="127.0.0.1", port=newest_postgres.port, user="service")
    connection = await connect("postgres")
    await connection.close()


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("user", "password", "database", "words"),
    [
        ("service", "wrong", "postgres", "PGPASSWORD"),
        ("nobody", "wrong", "postgres", "role that may log in"),
        ("service", "service-secret", "absent", "may have been dropped"),
    ],
)
async def test_advice_after_real_failures(
    newest_postgres: Server, user: str, password: str, database: str, words: str
) -> None:
    connect = build_connect(newest_postgres.url(user, "postgres", password))
    with pytest.raises(asyncpg.PostgresError) as raised:
        await connect(database)
    advice = advise(raised.value, database)
    assert words in advice
    assert "secret" not in advice


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError("refused"), "is PostgreSQL running"),
        (TimeoutError(), "did not answer in time"),
        (asyncpg.InsufficientPrivilegeError("no"), 'grant CONNECT on database "db"'),
        (asyncpg.TooManyConnectionsError("full"), "max_connections"),
        (asyncpg.InterfaceError("closed"), "tries again"),
    ],
)
def test_advice_says_what_to_do(error: Exception, words: str) -> None:
    advice = advise(error, "db")
    assert words in advice
    assert advice[0] != "("

"""The proxy's own client against a real origin: logins, rows, errors."""

from __future__ import annotations

import asyncio

import pytest

from pgcache.admin.replay import Line, ReplayError
from pgcache.config import Address
from tests.support import frames
from tests.support.postgres import Server, password_of

pytestmark = pytest.mark.postgres


async def _open(server: Server, password: str | None, user: str = "app") -> Line:
    address = Address("127.0.0.1", server.port)
    return await Line.open(address, {"user": user, "database": "postgres"}, password)


async def test_scram_and_a_question(newest_postgres: Server) -> None:
    async with await _open(newest_postgres, password_of("app")) as line:
        assert await line.query("SELECT current_user, NULL, 'x'") == [[b"app", None, b"x"]]
        assert await line.run(frames.query("SELECT g FROM generate_series(1, 50000) g")) == []
        with pytest.raises(ReplayError, match='relation "nowhere" does not exist') as raised:
            await line.query("SELECT * FROM nowhere")
        assert raised.value.sqlstate == "42P01"
        assert await line.query("SELECT 1") == [[b"1"]], "and goes on"


async def test_a_wrong_password_is_the_origins_words(newest_postgres: Server) -> None:
    with pytest.raises(ReplayError, match="password authentication failed"):
        await _open(newest_postgres, "wrong")


async def test_no_password_is_advice(newest_postgres: Server) -> None:
    with pytest.raises(ReplayError, match='no password is known for role "app"') as raised:
        await _open(newest_postgres, None)
    assert "warm_up.passfile" in (raised.value.hint or "")


async def test_md5(newest_postgres: Server) -> None:
    """Its hash has PostgreSQL's own test: the login of a role that is stored so."""
    newest_postgres.execute(
        "SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'old-secret'"
    )
    answers: list[bytes] = []
    salt = b"\1\2\3\4"

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(size - 4)
        writer.write(frames.message("R", (5).to_bytes(4, "big") + salt))
        await reader.readexactly(5)
        answers.append((await reader.readuntil(b"\0"))[:-1])
        writer.write(frames.message("R", bytes(4)) + frames.message("Z", b"I"))
        writer.close()

    async with await asyncio.start_server(origin, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        parameters = {"user": "old", "database": "postgres"}
        line = await Line.open(Address("127.0.0.1", port), parameters, "old-secret")
        line.close()
    with newest_postgres.connect() as connection:
        stored = "SELECT rolpassword FROM pg_authid WHERE rolname = 'old'"
        row = connection.execute(
            f"SELECT 'md5' || md5(substr(({stored}), 4)::bytea || '\\x01020304')"
        ).fetchone()
        connection.execute("DROP ROLE old")
    assert row == (answers[0].decode(),)


async def test_a_proxy_that_hangs_up_is_an_error() -> None:
    async def origin(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(origin, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises((ReplayError, OSError)):
            await Line.open(Address("127.0.0.1", port), {"user": "u", "database": "d"}, None)

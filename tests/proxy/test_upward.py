"""Sessions that end are freed by their reference counts alone: no collector has to find them.

Where there are many entries it seldom looks at everything (``pgcache.heap``).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from weakref import ref

import psycopg
import pytest

from pgcache.config import Config
from pgcache.proxy.client import ClientConnection
from pgcache.proxy.session import Session
from pgcache.proxy.transports import Connection
from pgcache.proxy.upward import upward
from pgcache.runtime import Runtime
from tests.proxy.rig import Rig
from tests.support.postgres import Server, password_of
from tests.support.proxy import SERVICE

Client = psycopg.AsyncConnection[tuple[object, ...]]
Seen = list[ref[Connection | Session]]


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Nothing but reference counts frees anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Whole:
    """What has a part that calls it."""

    def __init__(self) -> None:
        self.call = upward(self.double, 0)

    def double(self, number: int) -> int:
        """Something to call."""
        return 2 * number


@pytest.mark.usefixtures("no_collector")
def test_a_part_does_not_keep_its_whole() -> None:
    whole = Whole()
    seen, call = ref(whole), whole.call
    assert call(21) == 42
    del whole
    assert seen() is None
    assert call(21) == 0


@pytest.mark.usefixtures("no_collector")
async def test_a_session_is_no_cycle() -> None:
    line = Rig().line()
    seen = ref(line.session)
    line.origin.session = None
    del line.session
    assert seen() is None


async def _until(what: Callable[[], bool]) -> None:
    while not what():  # noqa: ASYNC110 - nobody tells when an object is gone
        await asyncio.sleep(0.01)


@asynccontextmanager
async def _runtime(server: Server) -> AsyncIterator[Runtime]:
    config = {"upstream": {"url": server.url(SERVICE)}, "listen": {"address": "127.0.0.1:0"}}
    runtime = Runtime(Config.model_validate(config))
    await runtime.start()
    try:
        yield runtime
    finally:
        await runtime.stop(1.0)


async def _plain(client: Client) -> None:
    for _ in range(3):
        await client.execute("SELECT relname FROM pg_class LIMIT 3")
    await client.close()


async def _prepared(client: Client) -> None:
    async with client.transaction():
        for number in range(8):
            await client.execute("SELECT %s::int", (number,), prepare=True)
    await client.close()


async def _failing(client: Client) -> None:
    with pytest.raises(psycopg.Error):
        await client.execute("SELECT nothing_of_the_kind")
    await client.close()


async def _ended(client: Client) -> None:
    """The origin ends it first."""
    with pytest.raises(psycopg.Error):
        await client.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    await client.close()


async def _vanishing(client: Client) -> None:
    """The client is gone while the origin is at work for it."""
    client.pgconn.send_query(b"SELECT pg_sleep(0.3)")
    await client.close()


@pytest.mark.parametrize("talk", [_plain, _prepared, _failing, _ended, _vanishing])
@pytest.mark.usefixtures("no_collector")
async def test_a_session_that_ends_leaves_nothing(
    newest_postgres: Server,
    monkeypatch: pytest.MonkeyPatch,
    talk: Callable[[Client], Awaitable[None]],
) -> None:
    seen: Seen = []
    enter = ClientConnection.enter_session

    def watch(self: ClientConnection, session: Session) -> None:
        assert self.origin is not None
        parts: tuple[Connection | Session, ...] = (self, self.origin, session)
        seen.extend(map(ref, parts))
        enter(self, session)

    monkeypatch.setattr(ClientConnection, "enter_session", watch)
    async with _runtime(newest_postgres) as runtime, asyncio.timeout(30):
        url = f"postgresql://alice:{password_of('alice')}@{runtime.listen_address}/postgres"
        await talk(await psycopg.AsyncConnection.connect(url, autocommit=True))
        assert len(seen) == 3
        await _until(lambda: all(found() is None for found in seen))


@pytest.mark.usefixtures("no_collector")
async def test_a_refused_login_and_the_console_leave_nothing(
    newest_postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ref[Connection]] = []
    made = Connection.connection_made

    def watch(self: Connection, transport: asyncio.BaseTransport) -> None:
        seen.append(ref(self))
        made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", watch)
    async with _runtime(newest_postgres) as runtime, asyncio.timeout(30):
        wrong = f"postgresql://alice:wrong@{runtime.listen_address}/postgres"
        with pytest.raises(psycopg.OperationalError):
            await psycopg.AsyncConnection.connect(wrong)
        url = newest_postgres.url(SERVICE).rpartition("@")[0]
        console = f"{url}@{runtime.listen_address}/pgcache"
        async with await psycopg.AsyncConnection.connect(console, autocommit=True) as client:
            await client.execute("SHOW VERSION")
        assert len(seen) >= 4
        await _until(lambda: all(found() is None for found in seen))

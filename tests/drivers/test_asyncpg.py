"""asyncpg through the proxy: pools, prepared statements, cursors, type introspection, COPY."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tests.drivers.conftest import MARK, Arena

pytestmark = pytest.mark.driver
Work = Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[Any]]


async def _same_thrice(arena: Arena, work: Work) -> Any:
    """Do the work on a new connection: direct, then twice through the proxy."""
    results = []
    for where in (arena.server, arena.proxy, arena.proxy):
        connection = await asyncpg.connect(where.url("app", arena.database), timeout=30)
        try:
            results.append(await work(connection))
        finally:
            await connection.close()
    assert results[1] == results[0], "cold, through the proxy"
    assert results[2] == results[0], "hot, through the proxy"
    return results[0]


async def test_fetch_in_every_way(arena: Arena) -> None:
    async def work(connection: asyncpg.Connection[asyncpg.Record]) -> Any:
        seen: list[Any] = []
        for number in (1, 2, 1, 2):
            seen += [
                tuple(r) for r in await connection.fetch("select * from t where id=$1", number)
            ]
            seen.append(await connection.fetchval("select v from t where id=$1", number))
            seen.append(await connection.fetchrow("select * from t where id > $1", number + 997))
        seen.append(await connection.fetchrow("select * from t where id = 0"))
        seen.append(await connection.execute("select 1"))
        seen.append(await connection.execute("select v from t where id = $1", 1))
        statement = await connection.prepare("select id, v from t where id <= $1 order by id")
        seen += [tuple(r) for r in await statement.fetch(3)]
        seen.append([a.name for a in statement.get_attributes()])
        return [tuple(s) if isinstance(s, asyncpg.Record) else s for s in seen]

    await _same_thrice(arena, work)


async def test_every_type(arena: Arena) -> None:
    async def work(connection: asyncpg.Connection[asyncpg.Record]) -> Any:
        return repr([tuple(r) for r in await connection.fetch("select * from wide order by id")])

    await _same_thrice(arena, work)


async def test_cursors(arena: Arena) -> None:
    async def work(connection: asyncpg.Connection[asyncpg.Record]) -> Any:
        async with connection.transaction():
            paged = connection.cursor("select id from t order by id", prefetch=300)
            rows = [record[0] async for record in paged]
            cursor = await connection.cursor("select id from t order by id")
            await cursor.forward(10)
            rows += [r[0] for r in await cursor.fetch(5)]
            last = await cursor.fetchrow()
            rows.append(None if last is None else last[0])
        return rows

    assert len(await _same_thrice(arena, work)) == 1006


async def test_introspection_of_new_types(arena: Arena) -> None:
    async def work(connection: asyncpg.Connection[asyncpg.Record]) -> Any:
        await connection.execute("create type mood as enum ('sad', 'glad')")
        await connection.execute("create table feelings as select 'glad'::mood as m, 1 as n")
        try:
            first = await connection.fetchrow("select m, array[m] from feelings")
            await connection.execute("alter type mood rename value 'glad' to 'happy'")
            second = await connection.fetchrow("select m, array[m] from feelings")
            return tuple(first or ()), tuple(second or ())
        finally:
            await connection.execute("drop table feelings")
            await connection.execute("drop type mood")

    assert (await _same_thrice(arena, work))[1] == ("happy", ["happy"])


async def test_transactions(arena: Arena) -> None:
    async def work(connection: asyncpg.Connection[asyncpg.Record]) -> Any:
        counted = []
        async with connection.transaction():
            await connection.executemany(
                "insert into empty values ($1, $2)", [(n, "x") for n in range(10)]
            )
            counted.append(await connection.fetchval("select count(*) from empty"))
        counted.append(await connection.fetchval("select count(*) from empty"))
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("insert into empty values (1, 'again')")
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("delete from empty where id < 5")
        counted.append(await connection.fetchval("select count(*) from empty"))
        await transaction.rollback()
        counted.append(await connection.fetchval("select count(*) from empty"))
        await connection.execute("delete from empty")
        counted.append(await connection.fetchval("select count(*) from empty"))
        return counted

    assert await _same_thrice(arena, work) == [10, 10, 5, 10, 0]


async def test_copy(arena: Arena) -> None:
    async def work(connection: asyncpg.Connection[asyncpg.Record]) -> Any:
        out = io.BytesIO()
        await connection.copy_from_query("select * from t order by id", output=out)
        async with connection.transaction():
            told = await connection.copy_records_to_table(
                "empty", records=[(n, "y") for n in range(1000)]
            )
            counted = await connection.fetchval("select count(*) from empty")
            await connection.execute("delete from empty")
        return out.getvalue(), told, counted

    await _same_thrice(arena, work)


async def test_listeners(arena: Arena) -> None:
    async def work(connection: asyncpg.Connection[asyncpg.Record]) -> Any:
        heard: asyncio.Queue[Any] = asyncio.Queue()

        def listener(_: Any, pid: int, channel: str, payload: object) -> None:
            heard.put_nowait((pid == connection.get_server_pid(), channel, payload))

        await connection.add_listener("ch", listener)
        await connection.execute("notify ch, 'hello'")
        news = await heard.get()
        await connection.remove_listener("ch", listener)
        return news

    assert await _same_thrice(arena, work) == (True, "ch", "hello")


async def test_pool_with_its_resets(arena: Arena) -> None:
    async def one(pool: asyncpg.Pool[asyncpg.Record], number: int) -> Any:
        async with pool.acquire() as connection:
            await connection.execute("set timezone = 'Asia/Tokyo'")
            return await connection.fetchval("select v from t where id = $1", number % 5 + 1)

    for where in (arena.server, arena.proxy, arena.proxy):
        async with asyncpg.create_pool(
            where.url("app", arena.database), min_size=2, max_size=4
        ) as pool:
            got = await asyncio.gather(*(one(pool, number) for number in range(40)))
            assert got == [f"v{number % 5 + 1}" for number in range(40)]
            async with pool.acquire() as connection:
                assert await connection.fetchval("show timezone") == "UTC"


async def test_a_cancelled_task_leaves_the_connection_usable(arena: Arena) -> None:
    connection = await asyncpg.connect(arena.proxy.url("app", arena.database))
    try:
        with pytest.raises(TimeoutError):
            await connection.fetch("select pg_sleep(60)", timeout=0.2)
        for _ in range(100):
            assert await connection.fetchval("select v from t where id = 1") == "v1"
    finally:
        await connection.close()


async def test_hits(arena: Arena) -> None:
    if arena.poisoned.port == arena.server.port:
        return
    connection = await asyncpg.connect(arena.poisoned.url("app", arena.database))
    try:
        seen = [await connection.fetchval("select v from t where id=$1", 4) for _ in range(20)]
    finally:
        await connection.close()
    assert seen[-1].startswith(MARK), seen

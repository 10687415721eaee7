"""Reads the catalogs of one database over an asyncpg connection: the SQL is in ``queries.py``.

Everything is read in one REPEATABLE READ READ ONLY transaction with an empty search_path (W-11).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import asyncpg

from pgcache.catalog import queries, rows
from pgcache.catalog.model import Server
from pgcache.catalog.snapshot import Snapshot, build_snapshot

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection  # generic in the stubs only

_Row = TypeVar("_Row", bound=NamedTuple)


async def load_snapshot(
    conn: Connection, declared: Mapping[str, tuple[str, ...]] | None = None
) -> Snapshot:
    """Read one consistent snapshot; any failure of PostgreSQL is raised as asyncpg raises it."""
    return build_snapshot(await load_rows(conn), declared)


async def load_rows(conn: Connection) -> rows.Rows:
    """Read the catalogs' rows, without concluding anything."""
    async with _reading(conn):
        server, mark = await _read_server(conn), await _read_mark(conn)
        return await _read_rows(conn, server, mark, await _read_functions(conn))


async def load_changes(conn: Connection, known: Snapshot) -> rows.Rows | None:
    """Read the rows unless the origin is in the state that ``known`` was read from."""
    async with _reading(conn):
        server, mark = await _read_server(conn), await _read_mark(conn)
        if server == known.server and mark == known.mark:
            return None
        # Most of what there is to read, and what tables come and go without.
        is_same = mark.functions == known.mark.functions and server.is_same_history(known.server)
        functions = known.function_rows if is_same else await _read_functions(conn)
        return await _read_rows(conn, server, mark, functions)


async def is_backend_gone(conn: Connection, pid: int) -> bool:
    """Whether the origin has no backend of that process id any more (T-10)."""
    return not await conn.fetchval(queries.BACKEND_ALIVE, pid)


@asynccontextmanager
async def _reading(conn: Connection) -> AsyncIterator[None]:
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        await conn.execute("SET LOCAL search_path = ''; SET LOCAL jit = off")
        yield


async def _read_mark(conn: Connection) -> rows.Mark:
    row = await conn.fetchrow(queries.CHECK)
    assert row is not None  # a SELECT without FROM has one row
    return rows.Mark(*row)


async def _read_functions(conn: Connection) -> tuple[rows.FunctionRow, ...]:
    return await _fetch(conn, rows.FunctionRow, queries.FUNCTIONS)


async def _read_rows(
    conn: Connection,
    server: Server,
    mark: rows.Mark,
    functions: tuple[rows.FunctionRow, ...],
) -> rows.Rows:
    return rows.Rows(
        server=server,
        mark=mark,
        relations=await _fetch(conn, rows.RelationRow, queries.RELATIONS),
        functions=functions,
        types=await _fetch(conn, rows.TypeRow, queries.TYPES),
        views=await _fetch(conn, rows.ViewRow, queries.VIEWS),
        policies=await _fetch(conn, rows.PolicyRow, queries.POLICIES),
        domains=await _fetch(conn, rows.DomainRow, queries.DOMAINS),
        triggers=await _fetch(conn, rows.TriggerRow, queries.TRIGGERS),
        foreign_keys=await _fetch(conn, rows.ForeignKeyRow, queries.FOREIGN_KEYS),
        inherits=await _fetch(conn, rows.InheritRow, queries.INHERITS),
        operators=await _fetch(conn, rows.OperatorRow, queries.OPERATORS),
        casts=await _fetch(conn, rows.CastRow, queries.CASTS),
        supports=await _fetch(conn, rows.SupportRow, queries.SUPPORTS),
        called=await _fetch(conn, rows.CalledRow, queries.CALLED),
        rules=await _fetch(conn, rows.RuleRow, queries.RULES),
        event_triggers=await _fetch(conn, rows.EventTriggerRow, queries.EVENT_TRIGGERS),
        roles=await _fetch(conn, rows.RoleRow, queries.ROLES),
        privileges=str(await conn.fetchval(queries.PRIVILEGES)),
        others=str(await conn.fetchval(queries.OTHERS)),
    )


async def _read_server(conn: Connection) -> Server:
    row = await conn.fetchrow(queries.SERVER)
    assert row is not None  # a SELECT without FROM has one row
    database, oid, version, started, recovered, in_recovery, configured, encoding, *may = row
    may_system, may_checkpoint = may
    identifier = await _ask(conn, queries.SYSTEM_IDENTIFIER) if may_system else None
    timeline = await _ask(conn, queries.TIMELINE) if may_checkpoint else None
    return Server(
        database=database,
        database_oid=oid,
        version=version,
        system_identifier=identifier or "",
        timeline=timeline or 0,
        started=started,
        recovered=recovered,
        in_recovery=in_recovery,
        configured=configured,
        encoding=encoding,
    )


async def _ask(conn: Connection, query: str) -> Any:
    """One value, or None where the origin cannot tell, as hosted ones without WAL files."""
    try:
        async with conn.transaction():
            return await conn.fetchval(query)
    except asyncpg.PostgresError:
        return None


async def _fetch(conn: Connection, kind: type[_Row], query: str) -> tuple[_Row, ...]:
    return tuple(kind(*map(_freeze, record)) for record in await conn.fetch(query))


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

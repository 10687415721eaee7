"""Connections for reading catalogs, and advice when that fails.

asyncpg finds PGPASSWORD and the password file by itself. No statement is prepared by name and no
setting is asked for at startup, since a pooler may stand in between; the loader empties the
search_path in each transaction (W-11). Counterpart: ``service.py`` decides when to connect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import asyncpg

from pgcache.catalog.loader import Connection

Connect = Callable[[str], Awaitable[Connection]]

APPLICATION_NAME: Final = "pgcache catalog"
LOGIN_LIMIT: Final = 10.0  # seconds
QUERY_LIMIT: Final = 60.0  # seconds; the largest schemas take a few


def build_connect(
    dsn: str | None = None,
    *,
    login_limit: float = LOGIN_LIMIT,
    query_limit: float = QUERY_LIMIT,
    **options: Any,
) -> Connect:
    """Make the function that connects to a database by name.

    ``dsn`` and ``options`` are asyncpg's; the database they name is replaced. Limits in seconds.
    """
    return partial(
        _connect,
        {
            "dsn": dsn,
            "timeout": login_limit,
            "command_timeout": query_limit,
            "statement_cache_size": 0,
            "server_settings": {"application_name": APPLICATION_NAME},
            **options,
        },
    )


async def _connect(options: dict[str, Any], database: str) -> Connection:
    return await asyncpg.connect(**{**options, "database": database})


def advise(error: BaseException, database: str) -> str:
    """What happened and what to do about it, for an operator."""
    words = str(error).strip() or type(error).__name__
    return f"{words} ({_advice(error, database)})"


def _advice(error: BaseException, database: str) -> str:
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return "the database may have been dropped; nothing to do if so"
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return (
            "give pgcache a role that may log in: user and password in upstream.url, "
            "PGPASSWORD or a password file, and a line in pg_hba.conf"
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return (
            f'grant CONNECT on database "{database}" to pgcache\'s role, and leave the system '
            "catalogs readable"
        )
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return "pgcache needs one connection for each database in use: raise max_connections"
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "PostgreSQL did not answer in time; pgcache tries again"
    if isinstance(error, OSError | asyncpg.PostgresConnectionError):
        return "is PostgreSQL running, and is upstream.url right? pgcache tries again"
    return "pgcache tries again"

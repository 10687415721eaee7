"""Talking to a running proxy: its console, over the clients' address.

The configuration says where that is and who may use it: the address that clients connect to, and
the upstream URL's user and password, unless a URL is given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import click

from pgcache.catalog.loader import Connection
from pgcache.cli.failure import plain
from pgcache.config import Config
from pgcache.errors import PgcacheError

Command = TypeVar("Command", bound=Callable[..., Any])

CONSOLE = "pgcache"  # the console's database
_PATIENCE = 10.0  # seconds to connect
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - recognised here, not listened on


class RemoteError(PgcacheError):
    """A running proxy cannot be reached, or refuses the command."""


def console_option(command: Command) -> Command:
    """Add ``--console``."""
    return click.option(
        "--console",
        metavar="URL",
        help="The running proxy: postgresql://USER:PASSWORD@HOST:PORT. Default: the "
        "configuration's listen address, as the upstream URL's user.",
    )(command)


def console_address(config: Config | None, url: str | None) -> dict[str, Any]:
    """asyncpg's arguments for the console: of ``url``, or as the configuration says."""
    if url is not None or config is None:
        return {"dsn": url, "database": CONSOLE}
    address, origin = config.listen.address, config.origin
    if not address.port:
        raise RemoteError(
            "listen.address has port 0, so nobody knows where the proxy listens",
            hint="pass --console postgresql://USER:PASSWORD@HOST:PORT",
        )
    return {
        "host": "127.0.0.1" if address.host in _EVERYWHERE else address.host,
        "port": address.port,
        "user": origin.user,
        "password": origin.secret or "",
        "database": CONSOLE,
    }


@asynccontextmanager
async def open_console(config: Config | None, url: str | None) -> AsyncIterator[Connection]:
    """A connection to the console; whatever fails inside becomes a RemoteError with advice."""
    arguments = console_address(config, url)
    try:
        connection = await asyncpg.connect(**arguments, timeout=_PATIENCE, statement_cache_size=0)
    except (OSError, TimeoutError, ValueError, asyncpg.InterfaceError) as error:
        raise RemoteError(
            f"cannot reach the proxy: {plain(str(error))}",
            hint="is pgcache serve running? name it with --config FILE or --console URL",
        ) from None
    except asyncpg.PostgresError as error:
        raise RemoteError(f"the proxy refuses: {error.args[0]}", hint=_hint(error)) from None
    try:
        yield connection
    except asyncpg.PostgresError as error:
        raise RemoteError(str(error.args[0]), hint=_hint(error)) from None
    except (OSError, asyncpg.InterfaceError) as error:
        raise RemoteError(f"lost the proxy: {error}") from None
    finally:
        connection.terminate()


def quote(text: str) -> str:
    """``text`` as a literal of the console."""
    return "'" + text.replace("'", "''") + "'"


def _hint(error: asyncpg.PostgresError) -> str | None:
    hint = error.hint
    return str(hint) if hint else None

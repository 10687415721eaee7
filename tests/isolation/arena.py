"""One database, and sessions that reach it through the proxy or past it.

``Talker.ask`` returns rows, a command tag, or an SQLSTATE, so that what PostgreSQL says to one
session can be compared with what the proxy says to its twin.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg

from tests.support.postgres import SUPERUSER, Server
from tests.support.proxy import Proxy


class Talker:
    """One session in autocommit mode."""

    def __init__(self, url: str, **parameters: Any) -> None:
        self.connection = psycopg.connect(
            url, autocommit=True, prepare_threshold=None, **parameters
        )

    def ask(self, sql: str, *values: object) -> Any:
        """Run a statement: by the simple protocol without values, else by the extended one."""
        try:
            if values:
                cursor = self.connection.execute(sql.encode(), values)
            else:
                cursor = psycopg.ClientCursor(self.connection).execute(sql.encode())
            return cursor.fetchall() if cursor.description else cursor.statusmessage
        except psycopg.Error as error:
            return error.sqlstate

    def fails(self, sql: str) -> bool:
        """Run a statement; whether it is refused."""
        return bool(re.fullmatch(r"[0-9A-Z]{2}\d[0-9A-Z]{2}", str(self.ask(sql))))

    def verdict(self) -> str:
        """What the proxy did with the last statement."""
        return str(self.ask("show pgcache.last")[0][0])

    def is_hit(self, sql: str, *values: object) -> bool:
        """Whether the answer comes from the cache at last (the catalogs may need a moment)."""
        for _ in range(20):
            self.ask(sql, *values)
            if "; hit" in self.verdict():
                return True
        return False


class Arena:
    """Makes sessions of one database; all end with it."""

    def __init__(self, server: Server, proxy: Proxy, database: str) -> None:
        self.server = server
        self.proxy = proxy
        self.database = database
        self._talkers: list[Talker] = []

    def run(self, *statements: str) -> None:
        """Run statements past the proxy, as the superuser."""
        self.server.execute(*statements, database=self.database)

    def talk(self, user: str = "app", database: str = "", **parameters: Any) -> Talker:
        """Open a session through the proxy."""
        return self._keep(self.proxy.url(user, database or self.database), parameters)

    def direct(self, user: str = "app", **parameters: Any) -> Talker:
        """Open a session past the proxy."""
        return self._keep(self.server.url(user, self.database), parameters)

    def warm(self, sql: str, user: str = "app") -> None:
        """See to it that ``sql`` is a hit for a fresh session of ``user``."""
        talker = self.talk(user)
        assert talker.is_hit(sql), talker.verdict()

    def truth(self, sql: str, user: str = SUPERUSER) -> Any:
        """What PostgreSQL itself says."""
        return self.direct(user).ask(sql)

    def close(self) -> None:
        """End all sessions."""
        for talker in self._talkers:
            talker.connection.close()

    def _keep(self, url: str, parameters: dict[str, Any]) -> Talker:
        talker = Talker(url, **parameters)
        self._talkers.append(talker)
        return talker

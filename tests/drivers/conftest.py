"""What every driver test needs: a database, and the same work done direct, cold and hot."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Proxies
from tests.oracle.dataset import create_database
from tests.support.postgres import Server
from tests.support.proxy import Proxy

_NUMBERS = itertools.count(1)
MARK = "#"
"""What a poisoned hit puts in place of the first byte of a row."""


@dataclass(frozen=True, slots=True)
class Arena:
    """A database with the oracle's data, reachable past the proxy and through it."""

    server: Server
    proxy: Proxy
    poisoned: Proxy
    database: str

    def same_thrice(self, work: Callable[[str], Any]) -> Any:
        """Do the work by URL: direct, then twice through the proxy; all must come out the same."""
        expected = work(self.server.url("app", self.database))
        for what in ("cold", "hot"):
            got = work(self.proxy.url("app", self.database))
            assert got == expected, f"{what}, through the proxy"
        return expected

    def comes_from_the_cache(self, read: Callable[[str], Any]) -> None:
        """Check that a read of one text value is a hit at last (the catalog may need a moment)."""
        if os.environ.get("PGCACHE_TEST_DIRECT"):
            return
        seen = []
        for _ in range(20):
            seen.append(read(self.poisoned.url("app", self.database)))
            if seen[-1].startswith(MARK):
                return
        pytest.fail(f"never a hit: {seen}")


@pytest.fixture(scope="session")
def arena_maker(newest_postgres: Server, proxies: Proxies) -> Callable[[str], Arena]:
    """Return what makes arenas on the newest server."""

    def make(setup: str = "") -> Arena:
        name = f"d{os.getpid()}_{next(_NUMBERS)}"
        create_database(newest_postgres, name, setup)
        plain, poisoned = proxies.plain(newest_postgres), proxies.poisoned(newest_postgres)
        return Arena(newest_postgres, plain, poisoned, name)

    return make


@pytest.fixture(scope="module")
def arena(arena_maker: Callable[[str], Arena]) -> Arena:
    """Return the arena that the tests of one driver share."""
    return arena_maker("")

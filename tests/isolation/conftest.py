"""Sessions through the proxy and past it, side by side, in a database of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Proxies, fresh_database
from tests.isolation.arena import Arena
from tests.support.postgres import Server


@pytest.fixture
def arena(newest_postgres: Server, proxies: Proxies) -> Iterator[Arena]:
    """Yield an arena on the newest server, with the table ``kv`` in its database."""
    for database in fresh_database(newest_postgres):
        arena = Arena(newest_postgres, proxies.plain(newest_postgres), database)
        arena.run(
            "grant all on schema public to public",
            "create table kv (k int primary key, v text)",
            "insert into kv values (1, 'a')",
            "grant all on kv to public",
        )
        yield arena
        arena.close()

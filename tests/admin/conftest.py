"""The rig that views are tested on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import fresh_database
from tests.proxy.rig import Rig
from tests.support.postgres import Server
from tests.support.process import free_port
from tests.support.proxy import Proxy, start_proxy

TOKEN = "correct horse battery"


@pytest.fixture
async def rig() -> Rig:
    """Return an engine over a small world, inside a running loop."""
    return Rig()


@contextmanager
def with_page(postgres: Server, folder: Path) -> Iterator[tuple[Proxy, str, str]]:
    """Start a proxy with a page before a database with a table; gives both, and the page's URL."""
    for database in fresh_database(postgres):
        postgres.execute("CREATE TABLE orders (a int)", user="app", database=database)
        port = free_port()
        proxy = start_proxy(
            postgres,
            folder,
            *("--admin", f"127.0.0.1:{port}"),
            environment={"PGCACHE_ADMIN__TOKEN": TOKEN},
        )
        try:
            yield proxy, database, f"http://127.0.0.1:{port}"
        finally:
            proxy.stop()
        assert proxy.complaints() == []

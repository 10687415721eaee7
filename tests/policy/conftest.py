"""The schema of ``schema.sql`` on each PostgreSQL at hand, as the catalog snapshot sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from pgcache.catalog.snapshot import Snapshot
from tests.catalog.schema import load
from tests.conftest import fresh_database
from tests.policy.case_files import FOLDER
from tests.support.postgres import Server

DECLARED = {
    "tools.known_region": ("public.regions",),
    "audit.declared": ("audit.log",),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """A server, a database with the schema, and what its catalogs say."""

    server: Server
    database: str
    snapshot: Snapshot


class Origins:
    """One origin for each server, made when first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._made: dict[str, Origin] = {}

    def get(self, server: Server) -> Origin:
        """Return the server's."""
        key = str(server.folder)
        if key not in self._made:
            database = self._stack.enter_context(contextmanager(fresh_database)(server))
            text = (FOLDER / "schema.sql").read_text()
            schema = asyncio.run(load(server, database, text, declared=DECLARED))
            self._made[key] = Origin(server, database, schema.snapshot)
        return self._made[key]


@pytest.fixture(scope="session")
def origins(cluster: object) -> Iterator[Origins]:
    """Yield the origins of this run; ``cluster`` has to outlive them."""
    with ExitStack() as stack:
        yield Origins(stack)


@pytest.fixture
def origin(postgres: Server, origins: Origins) -> Origin:
    """Return the schema on the parametrised server."""
    return origins.get(postgres)


@pytest.fixture
def snapshot(origin: Origin) -> Snapshot:
    """Return what the catalogs of the schema say."""
    return origin.snapshot

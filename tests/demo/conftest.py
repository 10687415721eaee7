"""One embedded server with a little data, for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pgcache.demo import data
from pgcache.demo.postgres import SUPERUSER
from pgcache.demo.server import EmbeddedPostgres

PASSWORDS = {data.ANALYST: "look", data.SERVICE: "catalogs"}


@dataclass(frozen=True, slots=True)
class Filled:
    """A running server, its data, and what was reported while loading."""

    server: EmbeddedPostgres
    size: data.Size
    reports: list[str]

    @property
    def url(self) -> str:
        """As the analyst."""
        return self.server.url(data.ANALYST, PASSWORDS[data.ANALYST], data.DATABASE)

    @property
    def service_url(self) -> str:
        """As pgcache's own role."""
        return self.server.url(data.SERVICE, PASSWORDS[data.SERVICE], data.DATABASE)


@pytest.fixture(scope="session")
def filled() -> Iterator[Filled]:
    """A server with a hundredth of the demo's data."""
    with EmbeddedPostgres() as server:
        size = data.Size.scaled(0.01)
        reports: list[str] = []
        data.create_database(server.url(SUPERUSER, server.password, "postgres"), PASSWORDS)
        data.load(server.url(SUPERUSER, server.password, data.DATABASE), size, reports.append)
        yield Filled(server, size, reports)

"""``pgcache invalidate`` on a running proxy, started as a user starts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import RunCommand
from tests.conftest import fresh_database
from tests.support.postgres import Server
from tests.support.proxy import SERVICE, Proxy, start_proxy

pytestmark = pytest.mark.postgres

CONFIGURATION = """
[tables."public.orders"]
tags = ["revenue"]

[events."order.created"]
tables = ["public.orders"]
"""
QUERY = "SELECT a FROM orders"


class Place:
    """A proxy with a table behind it, and the command."""

    def __init__(self, proxy: Proxy, database: str, run: RunCommand) -> None:
        self.console = proxy.url(SERVICE, "")
        self._proxy = proxy
        self._database = database
        self._run = run

    def invalidate(self, *arguments: str) -> tuple[int, str, str]:
        return self._run("invalidate", "--console", self.console, *arguments)

    def verdict(self) -> str:
        with self._proxy.connect("app", self._database) as connection:
            connection.execute(QUERY.encode())
            row = connection.execute("SHOW pgcache.last").fetchone()
            assert row is not None
            return str(row[0])


@pytest.fixture(scope="module")
def running(
    newest_postgres: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Proxy, str]]:
    folder: Path = tmp_path_factory.mktemp("invalidate")
    file = folder / "pgcache.toml"
    file.write_text(CONFIGURATION)
    for database in fresh_database(newest_postgres):
        newest_postgres.execute("CREATE TABLE orders (a int)", user="app", database=database)
        proxy = start_proxy(newest_postgres, folder, "--config", str(file))
        try:
            yield proxy, database
        finally:
            proxy.stop()
        assert proxy.complaints() == []


@pytest.fixture
def place(running: tuple[Proxy, str], run: RunCommand) -> Place:
    """The same, with a result of ``QUERY`` in memory."""
    place = Place(*running, run)
    place.verdict()
    assert place.verdict().startswith("pgcache; hit")
    return place


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["public.orders"], "TABLE 'public.orders': 1"),
        (["orders", "--tag", "x"], "TABLE 'orders': 1"),
        (["--tag", "revenue"], "TAG 'revenue': 1"),
        (["--event", "order.created"], "EVENT 'order.created': 1"),
        (["--matching", "select%from orders%"], "MATCHING 'select%from orders%': 1"),
        (["--all"], "ALL: 1"),
    ],
)
def test_what_is_named_is_forgotten(arguments: list[str], said: str, place: Place) -> None:
    code, out, err = place.invalidate(*arguments)
    assert (code, err, said in out) == (0, "", True), out
    assert not place.verdict().startswith("pgcache; hit")


def test_one_result_by_its_key(place: Place) -> None:
    key = place.verdict().rpartition("key=")[2].split()[0]
    assert place.invalidate("--query", key) == (0, f"QUERY '{key}': 1\n", "")
    assert not place.verdict().startswith("pgcache; hit")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["public.nothing"], 1, 'no database in use has a table "public.nothing"'),
        (["--event", "order.creatd"], 1, 'did you mean "order.created"?'),
        (["--matching", "x\\"], 1, "must not end with escape character"),
        ([], 2, "nothing is named"),
    ],
)
def test_mistakes_are_advice(arguments: list[str], code: int, said: str, place: Place) -> None:
    found, out, err = place.invalidate(*arguments)
    assert (found, out, said in err) == (code, "", True), err
    assert place.verdict().startswith("pgcache; hit")


def test_a_wrong_password_is_the_origins_words(place: Place, run: RunCommand) -> None:
    url = place.console.replace("service:", "service:not-")
    code, _, err = run("invalidate", "--console", url, "--all")
    assert code == 1
    assert "password authentication failed" in err

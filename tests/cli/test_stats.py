"""``pgcache stats`` and ``pgcache top`` on a running proxy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import RunCommand
from tests.conftest import fresh_database
from tests.support.postgres import Server
from tests.support.proxy import SERVICE, start_proxy

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def console(newest_postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The console's URL of a proxy that has something to tell."""
    for database in fresh_database(newest_postgres):
        newest_postgres.execute("CREATE TABLE orders (a int)", user="app", database=database)
        proxy = start_proxy(newest_postgres, tmp_path_factory.mktemp("stats"))
        try:
            with proxy.connect("app", database) as connection:
                for text in (*["SELECT a FROM orders"] * 3, "SELECT random() FROM orders"):
                    connection.execute(text.encode())
            yield proxy.url(SERVICE, "")
        finally:
            proxy.stop()


def test_json(console: str, run: RunCommand) -> None:
    code, out, err = run("stats", "--console", console, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert set(told) == {"stats", "queries", "tables", "reasons", "sources"}
    assert (told["stats"]["hits"], told["stats"]["misses"]) == (2, 1)
    assert told["stats"]["hit_ratio"] == pytest.approx(2 / 3, abs=1e-4)
    assert told["stats"]["paused"] is False
    query = next(row for row in told["queries"] if row["query"] == "select a from orders")
    assert (query["calls"], query["last"]) == (3, "hit")
    assert told["reasons"][0]["reason"] == "volatile-function"


def test_for_people(console: str, run: RunCommand) -> None:
    code, out, err = run("stats", "--console", console)
    assert (code, err) == (0, "")
    for said in ("66.7%", "select a from orders", "volatile-function", "Take the function out"):
        assert said in out


def test_top_looks_again(console: str, run: RunCommand) -> None:
    code, out, err = run("top", "--console", console, "--interval", "0.1", "--count", "2")
    assert (code, err) == (0, "")
    assert "select a from orders" in out
    assert "/s)" in out, "the second look has rates"


@pytest.mark.parametrize("command", ["stats", "top"])
def test_no_proxy_is_advice(command: str, run: RunCommand, tmp_path: Path) -> None:
    code, _, err = run(command, "--console", "postgresql://u:p@127.0.0.1:1")
    assert code == 1
    assert "is pgcache serve running?" in err

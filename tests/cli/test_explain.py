from __future__ import annotations

import json

import pytest

from tests.cli.conftest import RunCommand
from tests.support.postgres import Server
from tests.support.process import free_port

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(newest_postgres: Server, newest_database: str) -> str:
    """A database with one table."""
    newest_postgres.execute("CREATE TABLE t (a int)", user="app", database=newest_database)
    return newest_postgres.url("app", newest_database)


def test_json_is_one_object_with_stable_keys(url: str, run: RunCommand) -> None:
    code, out, err = run("explain", "--json", "SELECT a FROM t", PGCACHE_UPSTREAM=url)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert set(told) == {
        "key",
        "verdict",
        "reason",
        "detail",
        "remedy",
        "relations",
        "tags",
        "ttl",
        "clock",
        "fingerprint",
        "statement",
        "rule",
    }
    assert (told["verdict"], told["reason"], told["ttl"]) == ("miss", None, 300.0)
    assert told["relations"] == ["public.t"]


def test_words_for_people(url: str, run: RunCommand) -> None:
    code, out, _ = run("explain", "SELECT a FROM t", PGCACHE_UPSTREAM=url)
    assert code == 0
    assert "the next is a hit" in out
    assert "300s" in out
    assert "clock_ttl" not in out
    code, out, _ = run("explain", "SELECT a FROM t WHERE now() > '2024-01-01'")
    assert "300s (it depends on the time: clock_ttl counts)" in out
    code, out, _ = run("explain", "SELECT random() FROM t /* pgcache: ttl=x */")
    assert code == 0
    assert "volatile-function (random): The query calls a volatile function." in out
    assert "hint" in out
    assert "remedy" in out


def test_nothing_is_executed(url: str, run: RunCommand, newest_postgres: Server) -> None:
    assert run("explain", "INSERT INTO t VALUES (1)", PGCACHE_UPSTREAM=url).code == 0
    with newest_postgres.connect("app", url.rpartition("/")[2]) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_without_an_origin_there_is_no_answer(run: RunCommand) -> None:
    upstream = f"postgresql://u@127.0.0.1:{free_port()}/d"
    code, out, err = run("explain", "SELECT 1", PGCACHE_UPSTREAM=upstream)
    assert (code, out) == (1, "")
    assert err == (
        f"pgcache: cannot read the catalogs of {upstream[15:-2]}: Connection refused "
        "(is PostgreSQL running, and is upstream.url right?)\n"
    )

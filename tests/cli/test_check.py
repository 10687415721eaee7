from __future__ import annotations

import pytest

from tests.cli.conftest import RunCommand
from tests.support.postgres import Server
from tests.support.process import free_port


@pytest.mark.postgres
def test_all_is_well(newest_postgres: Server, run: RunCommand) -> None:
    code, out, err = run("check", "--upstream", newest_postgres.url("app"))
    assert (code, err) == (0, "")
    assert "PostgreSQL" in out
    assert "app-secret" not in out
    assert "failed" not in out


def test_an_origin_that_is_not_there_is_exit_code_1(run: RunCommand) -> None:
    url = f"postgresql://u@127.0.0.1:{free_port()}/d"
    code, out, _ = run("check", PGCACHE_UPSTREAM=url)
    assert code == 1
    assert "failed" in out
    assert "Connection refused" in out
    assert "is PostgreSQL running" in out

from __future__ import annotations

import psycopg
import pytest

from pgcache.demo.proxy import Proxy
from pgcache.errors import StartError
from tests.demo.conftest import PASSWORDS, Filled


@pytest.mark.postgres
def test_it_serves_and_stops(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCACHE_NONSENSE__X", "1")  # the caller's settings stay outside
    monkeypatch.setenv("PGHOST", "192.0.2.1")
    with Proxy(filled.service_url, console_user="analyst") as proxy:
        assert proxy.is_running
        with psycopg.connect(proxy.url("analyst", PASSWORDS["analyst"], "sales")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not proxy.is_running


def test_what_it_said_is_the_error() -> None:
    with (
        pytest.raises(StartError, match=r"pgcache serve did not start: pgcache: PGCACHE_UPSTREAM"),
        Proxy("mysql://nonsense", console_user="analyst"),
    ):
        pass

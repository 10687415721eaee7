"""Where the console is, and what is said when it is not there."""

from __future__ import annotations

import pytest

from pgcache.cli.options import find_proxy
from pgcache.cli.remote import RemoteError, console_address, open_console, quote
from pgcache.config import Config
from pgcache.errors import ConfigError
from tests.support.process import free_port


def _config(listen: str) -> Config:
    url = "postgresql://service:se%20cret@db:5432/shop"
    return Config.model_validate({"upstream": {"url": url}, "listen": {"address": listen}})


@pytest.mark.parametrize(
    ("listen", "host"),
    [
        ("127.0.0.1:6432", "127.0.0.1"),
        ("*:6432", "127.0.0.1"),
        ("0.0.0.0:6432", "127.0.0.1"),
        ("[::]:6432", "127.0.0.1"),
        ("10.0.0.7:6432", "10.0.0.7"),
        ("[::1]:6432", "::1"),
    ],
)
def test_it_is_where_clients_connect(listen: str, host: str) -> None:
    assert console_address(_config(listen), None) == {
        "host": host,
        "port": 6432,
        "user": "service",
        "password": "se cret",
        "database": "pgcache",
    }


def test_a_url_says_it_all() -> None:
    url = "postgresql://me@proxy:7000"
    assert console_address(None, url) == {"dsn": url, "database": "pgcache"}


def test_a_port_of_zero_is_advice() -> None:
    with pytest.raises(RemoteError, match="port 0") as raised:
        console_address(_config("127.0.0.1:0"), None)
    assert "--console" in (raised.value.hint or "")


async def test_nobody_there_is_advice() -> None:
    with pytest.raises(RemoteError, match=r"proxy: Connection refused$") as raised:
        async with open_console(_config(f"127.0.0.1:{free_port()}"), None):
            pass
    assert "pgcache serve" in (raised.value.hint or "")


def test_literals() -> None:
    assert quote("it's") == "'it''s'"


def test_a_proxy_that_nobody_names_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGCACHE_CONFIG", raising=False)
    with pytest.raises(ConfigError, match="which proxy is meant") as raised:
        find_proxy(None, None, None)
    assert "--console" in (raised.value.hint or "")
    assert find_proxy(None, None, "postgresql://me@proxy:7000") is None
    monkeypatch.setenv("PGCACHE_UPSTREAM", "postgresql://me@db/shop")
    found = find_proxy(None, None, None)
    assert found is not None
    assert found.origin.user == "me"

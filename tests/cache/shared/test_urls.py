"""URLs that name several hosts."""

from __future__ import annotations

import pytest

from pgcache.cache.shared.urls import credentials, hosts, tls


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis+cluster://a:1,b", [("a", 1), ("b", 6379)]),
        ("redis+cluster://u:p@a:1", [("a", 1)]),
        ("redis+cluster://[::1]:7,[::2]", [("::1", 7), ("::2", 6379)]),
    ],
)
def test_hosts(url: str, found: list[tuple[str, int]]) -> None:
    assert hosts(url, 6379) == found


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis+cluster://a:1", {}),
        ("redis+cluster://:p%40@a:1", {"password": "p@"}),
        ("redis+cluster://u:p@a:1,b:2", {"username": "u", "password": "p"}),
    ],
)
def test_credentials(url: str, found: dict[str, str]) -> None:
    assert credentials(url) == found


def test_tls_is_asked_for_by_the_query() -> None:
    assert tls("redis+sentinel://a/s/0") == {}
    assert tls("redis+sentinel://a/s/0?ssl_ca_certs=/ca") == {}
    assert tls("redis+sentinel://a/s/0?ssl=true&ssl_ca_certs=/ca") == {
        "ssl": True,
        "ssl_ca_certs": "/ca",
    }

"""What the URLs of Sentinel and Cluster hold: they name several hosts, which the library's own do
not. Must not know: redis.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


def hosts(url: str, port: int) -> list[tuple[str, int]]:
    """HOST:PORT,HOST:PORT… of a URL."""
    netloc = urlsplit(url).netloc.rpartition("@")[2]
    found = []
    for one in netloc.split(","):
        host, colon, number = one.rpartition(":")
        if not colon or one.endswith("]"):
            host, number = one, str(port)
        found.append((host.strip("[]"), int(number)))
    return found


def credentials(url: str) -> dict[str, Any]:
    """Who logs in, as the library takes it; nothing where the URL names nobody."""
    netloc = urlsplit(url).netloc
    if "@" not in netloc:
        return {}
    user, _, password = netloc.rpartition("@")[0].partition(":")
    found = {"username": unquote(user), "password": unquote(password)}
    return {key: value for key, value in found.items() if value}


def tls(url: str) -> dict[str, Any]:
    """``?ssl=true&ssl_ca_certs=FILE``, for the schemes that have no rediss of their own."""
    asked = dict(parse_qsl(urlsplit(url).query))
    found: dict[str, Any] = {"ssl": True} if asked.get("ssl") in ("true", "1", "yes") else {}
    if found and "ssl_ca_certs" in asked:
        found["ssl_ca_certs"] = asked["ssl_ca_certs"]
    return found

"""The store by every kind of URL that names one server: TCP, TLS, a socket, a user of its own."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.shared.asking import QUERY, see_a_write, share_a_result, stats, values
from tests.shared.conftest import Start
from tests.support.link import Link
from tests.support.proxy import Proxy, await_line
from tests.support.redis import RedisServer
from tests.support.tls import Certificates

ROOT = Path(__file__).parents[2]


@pytest.fixture
def secured(shared_redis: RedisServer, certificates: Certificates) -> Iterator[Link]:
    """Yield TLS in front of a Redis, whatever that was built with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.proxy.certificate, certificates.proxy.key)
    with Link(shared_redis.address, context) as link:
        yield link


def _share(proxies: list[Proxy], database: str) -> None:
    """Have the second serve what the first has run, and hear of what it writes."""
    one, two = (proxy.connect("app", database) for proxy in proxies)
    with one, two:
        share_a_result(one, two)
        see_a_write(one, two)


def test_tls(start: Start, secured: Link, certificates: Certificates, newest_database: str) -> None:
    authority = quote(str(certificates.authority), safe="")
    url = f"rediss://localhost:{secured.port}/0?ssl_ca_certs={authority}"
    _share([start(url) for _ in range(2)], newest_database)
    assert secured.accepted >= 4  # commands and channel of both went through it


def test_tls_of_a_server_that_nobody_vouches_for(
    start: Start, secured: Link, newest_database: str
) -> None:
    """Everything goes to PostgreSQL, and the log says why."""
    proxy = start(f"rediss://localhost:{secured.port}/0")
    with proxy.connect("app", newest_database) as client:
        client.execute("create table t (v text)")
        client.execute("insert into t values ('x1')")
        await_line(proxy, "CERTIFICATE_VERIFY_FAILED")
        assert [values(client, QUERY) for _ in range(5)] == [["x1"]] * 5
    assert stats(proxy)["store_state"] == "degraded"


def test_a_socket(start: Start, shared_redis: RedisServer, newest_database: str) -> None:
    _share([start(f"unix://{shared_redis.socket}?db=1")] * 2, newest_database)
    with shared_redis.client(1) as client:
        assert client.dbsize() > 0
    with shared_redis.client(0) as client:
        assert client.dbsize() == 0


def test_a_user_of_its_own(start: Start, shared_redis: RedisServer, newest_database: str) -> None:
    """One who may do what docs/shared-store.md says, and nothing else."""
    shared_redis.say("ACL", "SETUSER", "cache", "on", ">p@ss/word", *_rules())
    host, port = shared_redis.address
    url = f"redis://cache:{quote('p@ss/word', safe='')}@{host}:{port}/0"
    _share([start(url)] * 2, newest_database)


def _rules() -> list[str]:
    text = (ROOT / "docs" / "shared-store.md").read_text()
    (found,) = re.findall(r"ACL SETUSER pgcache on >\S+ (.*)", text)
    return str(found).split()

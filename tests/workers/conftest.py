"""Several workers behind one address, started as a user starts them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
import pytest

from tests.support.postgres import Cluster, Server
from tests.support.process import free_port
from tests.support.proxy import SERVICE, Proxy, start_proxy
from tests.support.raw import RawClient, eventually
from tests.support.redis import RedisServer

TOKEN = "correct horse battery"


@dataclass(slots=True)
class Workers:
    """A proxy of several processes."""

    proxy: Proxy
    admin: str

    @property
    def pids(self) -> list[int]:
        """Return the processes that run now, without the supervisor."""
        return sorted(child.pid for child in psutil.Process(self.proxy.process.pid).children())

    def worker_of(self, client: RawClient) -> int:
        """Return the process that has accepted a connection."""
        port = client.socket.getsockname()[1]
        found: list[int] = []

        def is_accepted() -> bool:
            found[:] = [
                pid
                for pid in self.pids
                for one in psutil.Process(pid).net_connections("tcp")
                if one.raddr[1:] == (port,)
            ]
            return bool(found)

        eventually(is_accepted)
        return found[0]

    def spread(self, make: Callable[[], RawClient], count: int = 2) -> dict[int, RawClient]:
        """Open connections until so many workers have one; the rest are closed."""
        found: dict[int, RawClient] = {}
        for _ in range(200):
            client = make()
            if found.setdefault(self.worker_of(client), client) is not client:
                client.socket.close()
            if len(found) == count:
                return found
        raise AssertionError("the kernel deals all connections to one worker")

    def console(self, command: str) -> list[Any]:
        """Run a console command."""
        with psycopg.connect(self.proxy.url(SERVICE, "pgcache"), autocommit=True) as console:
            cursor = console.execute(command.encode())
            return cursor.fetchall() if cursor.description else [cursor.statusmessage]

    def stats(self) -> dict[str, str]:
        """Return SHOW STATS."""
        return dict(self.console("SHOW STATS"))

    def await_pids(self, wanted: Callable[[list[int]], bool]) -> list[int]:
        """Wait until the processes are as wanted and all of them answer."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if wanted(self.pids) and self.stats()["workers_answering"] == str(len(self.pids)):
                return self.pids
            time.sleep(0.05)
        raise AssertionError(f"the processes are {self.pids}")


@pytest.fixture
def workers(
    cluster: Cluster, newest_postgres: Server, redis_server: RedisServer
) -> Iterator[Workers]:
    """Two workers in front of the newest PostgreSQL."""
    admin = f"127.0.0.1:{free_port()}"
    proxy = start_proxy(
        newest_postgres,
        cluster.root,
        "--workers=2",
        f"--store={redis_server.url()}",
        f"--admin={admin}",
        environment={"PGCACHE_ADMIN__TOKEN": TOKEN},
    )
    yield Workers(proxy, admin)
    proxy.stop()
    assert not proxy.complaints()

"""The proxy under test, started as a user starts it: `pgcache serve` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.support.postgres import SUPERUSER, Server, password_of
from tests.support.process import die_with_parent, free_port

POISON = {"PGCACHE_TEST_POISON": "1"}
"""The environment in which every hit marks its rows (see `tests.oracle.compare`)."""
SERVICE = "service"
"""The role that the proxy itself reads catalogs with."""
_COMPLAINT = re.compile(
    r"Traceback|never retrieved|never awaited|unhandled|\[critical|Exception in"
)


@dataclass(slots=True)
class Proxy:
    """A running proxy in front of one server."""

    server: Server
    port: int
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def host(self) -> str:
        """Return the address that it listens on."""
        return "127.0.0.1"

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        return self.host, self.port

    def url(
        self, user: str = SUPERUSER, database: str = "postgres", password: str | None = None
    ) -> str:
        """Return a connection URL through the proxy."""
        secret = quote(password_of(user) if password is None else password)
        return f"postgresql://{quote(user)}:{secret}@{self.host}:{self.port}/{quote(database)}"

    def environment(self, user: str = SUPERUSER, database: str = "postgres") -> dict[str, str]:
        """Return the libpq variables that connect through the proxy."""
        return {**self.server.environment(user, database), "PGPORT": str(self.port)}

    def connect(
        self, user: str = SUPERUSER, database: str = "postgres"
    ) -> psycopg.Connection[tuple[object, ...]]:
        """Open an autocommit connection through the proxy."""
        return psycopg.connect(self.url(user, database), autocommit=True)

    def forget(self) -> None:
        """Have the proxy drop everything that it stored."""
        if self.port == self.server.port:
            return  # A stand-in: PostgreSQL itself.
        with psycopg.connect(self.url(SERVICE, "pgcache"), autocommit=True) as console:
            console.execute("INVALIDATE ALL")

    def count(self, name: str) -> int:
        """Return one of the proxy's own counts; 0 for a stand-in."""
        if self.port == self.server.port:
            return 0
        with psycopg.connect(self.url(SERVICE, "pgcache"), autocommit=True) as console:
            rows = console.execute("SHOW STATS").fetchall()
        return next((int(str(value)) for key, value in rows if key == name), 0)

    def leftovers(self) -> int:
        """Return how many clients stay although all of the tests' clients are gone."""
        if self.port == self.server.port:
            return 0
        deadline = time.monotonic() + 10
        left = 1
        while left and time.monotonic() < deadline:
            with psycopg.connect(self.url(SERVICE, "pgcache"), autocommit=True) as console:
                rows = console.execute("SHOW STATS").fetchall()
            (clients,) = [value for name, value in rows if name == "clients"]
            left = int(str(clients)) - 1  # The console itself is one.
        return left

    def complaints(self) -> list[str]:
        """Return the log lines that no test may cause: unhandled errors, with what follows."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = [number for number, line in enumerate(lines) if _COMPLAINT.search(line)]
        return ["\n".join(lines[number : number + 30]) for number in found]

    def last_words(self) -> str:
        """Say how the process ended, with the end of its log."""
        log = self.log.read_text(errors="replace")[-3000:]
        return f"pgcache ended by itself with {self.process.poll()}:\n{log}"

    def is_alive(self) -> bool:
        """Tell whether the process still runs."""
        return self.process.poll() is None

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Ask the proxy to stop and return its exit code."""
        if self.is_alive():
            self.process.send_signal(sent)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def start_proxy(
    server: Server,
    folder: Path,
    *arguments: str,
    upstream: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Proxy:
    """Start `pgcache serve` in front of a server and wait until it says that it is ready."""
    port = free_port()
    log = folder / f"pgcache-{port}.log"
    command = [sys.executable, "-m", "pgcache", "serve"]
    command += ["--upstream", upstream or server.url(SERVICE)]
    command += ["--listen", f"127.0.0.1:{port}", *arguments]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**inherited, "PYTHONUNBUFFERED": "1", **(environment or {})},
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
    proxy = Proxy(server, port, log, process)
    await_line(proxy, "pgcache ready")
    return proxy


def await_line(proxy: Proxy, wanted: str, patience: float = 60.0) -> None:
    """Wait until the log holds a text; fail with the log when the process ends first."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if wanted in proxy.log.read_text(errors="replace"):
            return
        if not proxy.is_alive():
            break
        time.sleep(0.02)
    raise RuntimeError(f"no {wanted!r} in the log:\n{proxy.log.read_text(errors='replace')}")

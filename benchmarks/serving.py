"""``pgcache serve`` as anyone would start it, with its counters, its CPU time and its memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import psutil
import psycopg

from benchmarks import machine
from benchmarks.origin import Origin
from pgcache.demo import data, process
from pgcache.errors import StartError

_COMMAND = ("pgcache", "serve")
_ROOT = Path(__file__).parent.parent
_START_TIMEOUT = 30.0  # seconds


class Proxy:
    """A running pgcache in front of ``origin``; use it in a ``with`` block, which stops it.

    ``command``: a module with its arguments, that of pgcache unless said. ``settings``: options
    by the names that the environment gives them, ``CACHE__ENABLED`` say.
    """

    def __init__(self, origin: Origin, *command: str, **settings: str) -> None:
        self._origin = origin
        self._command = [sys.executable, "-m", *(command or _COMMAND)]
        self.port = process.free_port()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PGCACHE_", "PG"))}
        self._environment = {
            **inherited,
            "PYTHONPATH": str(_ROOT),
            "PGCACHE_UPSTREAM": origin.upstream,
            "PGCACHE_LISTEN": f"127.0.0.1:{self.port}",
            "PGCACHE_ADMIN__USERS": data.ANALYST,
            "PGCACHE_LOG__FORMAT": "json",
            **{f"PGCACHE_{name}": value for name, value in settings.items()},
        }
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._process: subprocess.Popen[bytes] | None = None
        self._console: psycopg.Connection[Any] | None = None

    def __enter__(self) -> Proxy:
        self._process = process.start(
            self._command,
            environment=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            cwd=Path(tempfile.gettempdir()),
        )
        try:
            self._await_ready()
            self._console = psycopg.connect(self.url(data.ANALYST, "pgcache"), autocommit=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._console is not None:
            self._console.close()
        if self._process is not None:
            process.stop(self._process, signal.SIGTERM)
        self._log.close()

    def url(self, user: str, database: str = data.DATABASE) -> str:
        """A connection URL through pgcache."""
        password = self._origin.passwords[user]
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._process is not None
        return self._process.pid

    def stats(self) -> dict[str, int]:
        """The counters of the console's SHOW STATS."""
        assert self._console is not None
        rows = self._console.execute("SHOW STATS").fetchall()
        return {str(name): int(value) for name, value in rows if str(value).isdigit()}

    def hits(self) -> int:
        """Statements answered from the cache so far."""
        return self.stats()["hits"]

    def forget(self) -> None:
        """Let nothing be a hit that was stored before."""
        assert self._console is not None
        self._console.execute("INVALIDATE ALL")

    def cpu_seconds(self) -> float:
        """CPU time that it has used so far."""
        return machine.cpu_seconds(self.pid)

    def resident(self) -> int:
        """Resident memory in bytes."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def said(self) -> str:
        """What it has logged so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        assert self._process is not None
        while not any(_is_ready(line) for line in self.said().splitlines()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"pgcache serve did not start: {self.said().strip()}")
            time.sleep(0.02)


def _is_ready(line: str) -> bool:
    try:
        return bool(json.loads(line).get("event") == "pgcache ready")
    except ValueError:
        return False

"""The demo's pgcache: the command ``pgcache serve``, as anyone would start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from pgcache.demo import process
from pgcache.errors import StartError

READY = "pgcache ready"
_USUAL_PORT = 6432
_START_TIMEOUT = 30.0  # seconds


class Proxy:
    """A running ``pgcache serve``; use it in a ``with`` block, which stops it."""

    def __init__(self, upstream: str, console_user: str) -> None:
        self.port = 0
        self._environment = {
            **{name: value for name, value in os.environ.items() if _is_neutral(name)},
            "PGCACHE_UPSTREAM": upstream,  # not a flag: flags show in the list of processes
            "PGCACHE_LISTEN": f"127.0.0.1:{process.free_port(_USUAL_PORT)}",
            "PGCACHE_ADMIN__USERS": console_user,
            "PGCACHE_LOG__FORMAT": "json",
        }
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by _close)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Proxy:
        self._process = process.start(
            [sys.executable, "-m", "pgcache", "serve"],
            environment=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            cwd=Path(tempfile.gettempdir()),
        )
        try:
            self._await_ready()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    @property
    def is_running(self) -> bool:
        """Whether it is still there."""
        return self._process is not None and self._process.poll() is None

    def url(self, user: str, password: str, database: str) -> str:
        """A connection URL through pgcache."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def log_lines(self) -> list[str]:
        """What it has said so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace").splitlines()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            lines = self.log_lines()
            for line in lines:
                if READY in line:
                    self.port = int(json.loads(line)["listen"].rpartition(":")[2])
                    return
            if not self.is_running or time.monotonic() > deadline:
                said = lines[-1] if lines else "it said nothing"
                raise StartError(f"pgcache serve did not start: {said}")
            time.sleep(0.02)

    def _close(self) -> None:
        if self._process is not None:
            process.stop(self._process, signal.SIGTERM)
        self._log.close()


def _is_neutral(name: str) -> bool:
    """Whether a variable of ours may reach the child: nothing that configures pgcache or libpq."""
    return not name.startswith(("PGCACHE_", "PG"))

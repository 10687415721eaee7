"""The demo's pgcache: the command ``pgcache serve``, as anyone would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from pgcache.demo import process
from pgcache.demo.child import Child

READY = "pgcache ready"
_USUAL_PORT = 6432
COMMAND = ("pgcache", "serve")


class Serving(Child):
    """A running ``pgcache serve``; use it in a ``with`` block, which stops it.

    ``command``: a module with its arguments. ``settings``: options by the names that the
    environment gives them, ``CACHE__ENABLED`` say. Nothing else that configures pgcache or libpq
    reaches the process.
    """

    called = "pgcache serve"

    def __init__(
        self,
        upstream: str,
        console_user: str,
        command: Sequence[str] = COMMAND,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.port = 0
        self._command = command
        self._environment = {
            **{name: value for name, value in os.environ.items() if _is_neutral(name)},
            "PGCACHE_UPSTREAM": upstream,  # not a flag: flags show in the list of processes
            "PGCACHE_LISTEN": f"127.0.0.1:{process.free_port(_USUAL_PORT)}",
            "PGCACHE_ADMIN__USERS": console_user,
            "PGCACHE_LOG__FORMAT": "json",
            **{f"PGCACHE_{name}": value for name, value in (settings or {}).items()},
        }
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by _close)

    def log_lines(self) -> list[str]:
        """What it has said so far."""
        # Not by seek and read: where this file is read is where the process would go on writing.
        descriptor = self._log.fileno()
        said = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        return said.decode(errors="replace").splitlines()

    def _start(self) -> None:
        self._launch(
            [sys.executable, "-m", *self._command],
            self._environment,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            cwd=Path(tempfile.gettempdir()),
        )
        self._await(self._is_ready, lambda: (self.log_lines() or [""])[-1])

    def _is_ready(self) -> bool:
        """Whether it has said so, and where."""
        for line in self.log_lines():
            if READY in line and line.endswith("}"):  # the whole line
                self.port = int(json.loads(line)["listen"].rpartition(":")[2])
                return True
        return False

    def _close(self) -> None:
        super()._close()
        self._log.close()


class Proxy(Serving):
    """The one of the demo."""

    def url(self, user: str, password: str, database: str) -> str:
        """A connection URL through pgcache."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"


def _is_neutral(name: str) -> bool:
    """Whether a variable of ours may reach the child: nothing that configures pgcache or libpq."""
    return not name.startswith(("PGCACHE_", "PG"))

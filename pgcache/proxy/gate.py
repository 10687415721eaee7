"""What all clients of a process share: who is in, cancel keys, TLS, the way out.

Counterpart: ``listener`` makes it, ``client`` asks it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from pgcache.cache.generations import Lock
from pgcache.cache.shared.cancels import cancel_digest
from pgcache.config import Config
from pgcache.metrics.counters import Counters
from pgcache.proxy.engine import Database, Engine
from pgcache.proxy.origin import OriginUnreachable, connect_origin
from pgcache.proxy.reach import Reach, find_problem
from pgcache.proxy.siblings import CANCEL, Siblings
from pgcache.proxy.tls import client_context, origin_context, own_certificate
from pgcache.wire.startup import Packet, build_cancel, parse_cancel, take_packet

if TYPE_CHECKING:  # clients hold their gate; it only keeps them in sets
    from pgcache.proxy.client import ClientConnection
    from pgcache.proxy.session import Session
    from pgcache.proxy.turns import Turn

log = structlog.get_logger("pgcache.proxy")

_MAX_REMEMBERED = 10_000
# How long to look for the end of a backend whose commit nobody heard of, in seconds.
_PATIENCE = 600.0
# By how much a query is ahead of its cancel request, in seconds.
_HEAD_START = 0.02

OpenConsole = Callable[["ClientConnection", str, bytes], None]


class Abandoned(Protocol):
    """Who held locks when its connection was lost."""

    def abandon(self) -> list[Lock]:
        """Give up all else; the locks that must outlive the connection."""

    def release(self, locks: list[Lock]) -> None:
        """Give those up as well."""


class Gate:
    """The clients' common ground. Raises ConfigError for TLS files that cannot be used."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        open_console: OpenConsole,
        siblings: Siblings | None = None,
    ) -> None:
        self.config = config
        self.engine = engine
        self.open_console = open_console
        self.siblings = siblings
        self.client_tls: ssl.SSLContext | None = client_context(config.tls)
        self.origin_tls: ssl.SSLContext | None = origin_context(config.origin)
        self.clients: set[ClientConnection] = set()
        self.reach = Reach(
            lambda: find_problem(self.config.origin, self.origin_tls),
            self.background,
            self.counters,
        )
        self._certificate = own_certificate(config.tls)
        self._keys: dict[tuple[int, bytes], ClientConnection] = {}
        self._digests: dict[bytes, ClientConnection] = {}  # the same, as other proxies ask for them
        self._told: set[tuple[str, str]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        engine.on_cancel = self.take_cancel

    @property
    def counters(self) -> Counters:
        """The process's counts."""
        return self.engine.counters

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the conversation."""
        self.engine.background(work)

    # -- coming and going

    def enter(self, client: ClientConnection) -> bool:
        """Let a client in, or not: there are enough."""
        self.clients.add(client)
        self._empty.clear()
        self.counters.clients = len(self.clients)
        self.counters.clients_total += 1
        if len(self.clients) <= self.config.listen.max_clients:
            return True
        self.counters.clients_refused += 1
        return False

    def leave(self, client: ClientConnection) -> None:
        """A client is gone."""
        self.reach.forget(client)
        self.clients.discard(client)
        self.counters.clients = len(self.clients)
        if client.cancel_key is not None and self._keys.get(client.cancel_key) is client:
            del self._keys[client.cancel_key]
            self._digests.pop(self._digest(*client.cancel_key), None)
        if not self.clients:
            self._empty.set()

    async def drain(self, deadline: float) -> None:
        """Let sessions end where nothing is underway; after ``deadline`` seconds, all of them."""
        for client in list(self.clients):
            client.drain()
        try:
            async with asyncio.timeout(deadline):
                await self._empty.wait()
        except TimeoutError:
            self.cut_off()

    def cut_off(self) -> None:
        """End all sessions, whatever is underway."""
        log.warning("sessions cut off", clients=len(self.clients))
        for client in list(self.clients):
            client.transport.abort()

    def reload(self, config: Config) -> None:
        """Take over ``config`` and read the TLS files again.

        Raises ConfigError, and then nothing has changed.
        """
        clients, origin = client_context(config.tls), origin_context(config.origin)
        self._certificate = own_certificate(config.tls)
        self.config = config
        self.client_tls, self.origin_tls = clients, origin

    # -- cancel keys (W-30)

    def register(self, client: ClientConnection, message: bytes) -> None:
        """Note a BackendKeyData: the origin's own pid and secret (W-13)."""
        key = (int.from_bytes(message[5:9], "big"), message[9:])
        client.cancel_key = key
        self._keys[key] = client
        if self.engine.link is not None:
            self._digests[self._digest(*key)] = client

    def find(self, pid: int, secret: bytes) -> ClientConnection | None:
        """The client whose session a cancel request names."""
        return self._keys.get((pid, secret))

    def begin_cancel(self, packet: Packet) -> Coroutine[Any, Any, None]:
        """Carry out a cancel request; done when the origin has closed its end of it (W-31).

        Nothing is passed on while the session would not want it (W-32). Raises ProtocolViolation.
        """
        target = self.find(*parse_cancel(packet))
        if target is None:
            return self._cancel_elsewhere(packet)
        session = target.session
        if session is None:
            return self._forward_cancel(packet.raw)
        is_held = session.is_holding_back
        if not session.wants_cancel():
            return _nothing()
        if is_held:
            return self._follow(packet.raw, session, tuple(session.state.groups))
        return self._forward_cancel(packet.raw)

    async def _follow(self, request: bytes, session: Session, turns: tuple[Turn, ...]) -> None:
        """Cancel what reaches the origin only now. There is nothing there to be cancelled before
        its backend has read it: a client that has waited for long must not lose such a race."""
        await session.sent()
        await asyncio.sleep(_HEAD_START)
        if any(turn is underway for turn in turns for underway in session.state.groups):
            await self._forward_cancel(request)

    def interrupt(self, client: ClientConnection, done: Callable[[], None]) -> None:
        """Have the origin cancel what it does for pgcache; ``done`` once it has taken notice."""
        if client.cancel_key is None:
            done()
        else:
            self.background(self._interrupt(build_cancel(*client.cancel_key), done))

    async def _interrupt(self, request: bytes, done: Callable[[], None]) -> None:
        try:
            await self._forward_cancel(request)
        finally:
            done()

    async def cancel(self, packet: str) -> bool:
        """Carry out another worker's cancel request, in hex; whether its session is here."""
        taken = take_packet(bytes.fromhex(packet))
        if taken is None or self.find(*parse_cancel(taken)) is None:
            return False
        await self.begin_cancel(taken)
        return True

    async def _cancel_elsewhere(self, packet: Packet) -> None:
        """The session may be another worker's, or another proxy's (W-30).

        Keys are the origin's own, so where other proxies may stand beside this one the origin is
        asked: for a key that nobody has it does nothing either.
        """
        if self.siblings is not None:
            parts = await self.siblings.ask(CANCEL, packet.raw.hex(), others=True)
            if any(part.payload for part in parts):
                return
        if self.config.store.is_shared and not await self._claimed(packet):
            await self._forward_cancel(packet.raw)

    async def _claimed(self, packet: Packet) -> bool:
        """Whether a proxy that shares the store has the session, and has seen to it (W-32)."""
        digest = self._digest(*parse_cancel(packet))
        spaces = [d.space for d in self.engine.databases() if d.space is not None]
        asked = [space.cancels.ask(digest) for space in spaces if space.is_joined]
        return any(await asyncio.gather(*asked))

    def take_cancel(self, database: Database, digest: bytes) -> Coroutine[Any, Any, None] | None:
        """What carries out another proxy's cancel request; None: its session is not here."""
        client = self._digests.get(digest)
        if client is None or client.cancel_key is None or client.session is None:
            return None
        packet = take_packet(build_cancel(*client.cancel_key))
        if packet is None or client.session.state.database is not database:
            return None
        return self.begin_cancel(packet)

    def _digest(self, pid: int, secret: bytes) -> bytes:
        link = self.engine.link
        return cancel_digest(pid, secret, b"" if link is None else link.codec.secret)

    async def _forward_cancel(self, request: bytes) -> None:
        try:
            origin = await connect_origin(self.config.origin, self.origin_tls)
        except OriginUnreachable as error:
            log.warning("cancel request lost", error=error.message)
            return
        done = asyncio.Event()
        origin.on_lost = done.set
        origin.on_data = lambda _data: None
        origin.send(request)
        await done.wait()

    # -- the rest

    def first_time(self, what: str, whom: str) -> bool:
        """Whether this is the first of its kind, so that it is worth a line in the log."""
        known = (what, whom) in self._told
        if not known and len(self._told) < _MAX_REMEMBERED:
            self._told.add((what, whom))
        return not known

    def same_certificate(self, tls: ssl.SSLObject | None) -> bool:
        """Whether clients and pgcache see the same certificate, so that binding to it fits."""
        if tls is None or self._certificate is None:
            return False
        return tls.getpeercert(binary_form=True) == self._certificate

    def abandon(self, database: Database, owner: Abandoned, key: tuple[int, bytes] | None) -> None:
        """A session lost its origin: keep what it had locked until its backend has ended (T-10)."""
        locks = owner.abandon()
        if locks:
            log.warning("connection lost during a commit", database=database.name)
            self.background(self._await_backend(database, owner, locks, key))

    async def _await_backend(
        self,
        database: Database,
        owner: Abandoned,
        locks: list[Lock],
        key: tuple[int, bytes] | None,
    ) -> None:
        pause = 0.05
        waited = 0.0
        while key is not None and waited < _PATIENCE:
            if await self.engine.catalog.backend_gone(database.name, key[0]):
                break
            await asyncio.sleep(pause)
            waited += pause
            pause = min(pause * 2, 5.0)
        owner.release(locks)


async def _nothing() -> None:
    """A request that is for nobody."""

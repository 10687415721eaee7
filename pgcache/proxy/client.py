"""The client's end of a conversation: its shell, and the packets before login.

Phases follow each other in ``_phase``: the startup packets here, then ``login``, then the session
(or a blind relay, or the console). Rules W-01 to W-13.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from pgcache.errors import ProtocolViolation
from pgcache.proxy.flow import Hold
from pgcache.proxy.gate import Gate
from pgcache.proxy.login import Login
from pgcache.proxy.origin import OriginConnection, OriginUnreachable, connect_origin
from pgcache.proxy.outage import Outage
from pgcache.proxy.session import Session
from pgcache.proxy.tls import ALPN, build_stuffed
from pgcache.proxy.transports import Connection, deaf
from pgcache.proxy.turns import release_followers
from pgcache.proxy.watch import ReplicationWatch
from pgcache.wire.codes import MSG_TERMINATE
from pgcache.wire.messages import build_error
from pgcache.wire.startup import (
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    SSL_REQUEST,
    Packet,
    take_packet,
)

log = structlog.get_logger("pgcache.proxy")

Phase = Callable[[bytes], None]
# After so many seconds without reading, others no longer wait for what a client has asked.
_STALL = 1.0
# How long a client that is sent away may take to hear of it, in seconds.
_FAREWELL = 1.0


class ClientConnection(Connection):
    """One client. ``gate`` is what all clients of the process share."""

    def __init__(self, gate: Gate) -> None:
        # the process
        self.gate = gate
        # the connection
        self.session: Session | None = None
        self.origin: OriginConnection | None = None
        self.address = ""
        self.cancel_key: tuple[int, bytes] | None = None
        self._phase: Phase = self._startup
        self._buffer = bytearray()
        self._asked: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._watch: ReplicationWatch | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self.is_leaving = False  # as soon as nothing is underway
        self._is_welcome = True  # there are not too many clients
        self._is_lost = self._is_over = False  # this end is; the origin's was, and all is settled

    # -- the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come (again, after its TLS handshake)."""
        super().connection_made(transport)
        if self._timer is not None:
            return
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else "local"
        self._timer = asyncio.get_running_loop().call_later(
            self.gate.config.listen.startup_timeout, self.transport.abort
        )
        self._is_welcome = self.gate.enter(self)
        tls = self.tls
        if tls is not None and tls.selected_alpn_protocol() != ALPN:
            # It began with TLS at once, and so has to name the protocol (W-03).
            log.info("direct TLS without ALPN refused", client=self.address)
            self._phase = deaf
            asyncio.get_running_loop().call_soon(self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client. HOT PATH."""
        try:
            self._phase(data)
        except ProtocolViolation as error:
            self.fail(error)

    def fail(self, error: ProtocolViolation) -> None:
        """The client broke the protocol: say so where there is a session, and close."""
        log.info("client broke the protocol", client=self.address, error=str(error))
        if self.session is not None:
            self.send(build_error(error.sqlstate, error.message, severity="FATAL"))
        self.gate.counters.clients_failed += 1
        self.close()

    def pause_writing(self) -> None:
        """It does not read its answers: no more of them, and no more questions, as PostgreSQL.

        The origin is read on while *it* is full, because it answers before it reads again.
        """
        super().pause_writing()
        self.flow.hold(Hold.OWN_FULL, True)
        session = self.session
        if session is not None:
            session.hold_answers(True)
            loop = asyncio.get_running_loop()
            self._stalled = loop.call_later(_STALL, release_followers, session.state.groups)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self.flow.hold(Hold.OWN_FULL, False)
        self._end_stall()
        if self.session is not None:
            self.session.hold_answers(False)

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def eof_received(self) -> bool:
        """The client will send no more."""
        self._end_with_answers()
        return False

    def close(self) -> None:
        """Write what is left, then close."""
        self._end_with_answers()
        super().close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: its origin connection goes with it, when nothing depends on it."""
        self._end_login()
        self._end_stall()
        self._end_with_answers()
        self.gate.leave(self)
        if self._watch is not None:
            self.gate.engine.release(self._watch.database.name)
        elif self.session is not None and self.session.state.database is not None:
            self.gate.engine.release(self.session.state.database.name)
        origin, session = self.origin, self.session
        self._is_lost = True
        if origin is None or origin.transport.is_closing():
            if self._is_over or session is None:
                self._part()
            return
        origin.flow.hold(Hold.OTHER_FULL, False)
        if session is not None and session.client_gone():
            return  # ``_last_data`` closes it once the outcome is known (W-44)
        self._dismiss_origin(session)

    def _dismiss_origin(self, session: Session | None) -> None:
        origin = self.origin
        if origin is not None and not origin.transport.is_closing():
            if session is not None and session.state.ledger.is_empty:
                origin.send(MSG_TERMINATE)
            origin.close()

    def refuse(self, sqlstate: str, message: str, hint: str = "") -> None:
        """Say why there will be no session, and close."""
        self.send(build_error(sqlstate, message, hint=hint, severity="FATAL"))
        self.close()

    # -- before login

    def _startup(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) == len(data) and data[:1] == b"\x16":
            raise ProtocolViolation("a TLS handshake without a request for it")
        while not self.transport.is_closing():
            packet = take_packet(self._buffer)
            if packet is None:
                return
            del self._buffer[: len(packet.raw)]
            if packet.code in (SSL_REQUEST, GSSENC_REQUEST) and packet.code not in self._asked:
                self._asked.add(packet.code)
                if self._encrypt(packet):
                    return
            elif packet.code in self._asked:
                # Passed on, the origin would take it, and encrypt the session past pgcache.
                version = f"{packet.code >> 16}.{packet.code & 0xFFFF}"
                self.refuse("0A000", f"unsupported frontend protocol {version}")
                return
            elif packet.code == CANCEL_REQUEST:
                self._phase = deaf
                self._cancel(packet)
                return
            else:
                self._begin(packet)
                return

    def _encrypt(self, packet: Packet) -> bool:
        """Answer a request for encryption; True where a TLS handshake follows."""
        context = self.gate.client_tls
        if packet.code == GSSENC_REQUEST or context is None or self.tls is not None:
            self.send(b"N")
            if self._buffer:
                what = "SSL" if packet.code == SSL_REQUEST else "GSSAPI encryption"
                self.send(build_stuffed(what))  # as PostgreSQL (W-02)
                self.close()
            return False
        if self._buffer:
            # What follows the request in clear could be anybody's (CVE-2021-23214, W-02).
            raise ProtocolViolation("received unencrypted data after SSL request")
        self._phase = deaf
        self.flow.hold(Hold.LOGIN, True)
        self.send(b"S")
        self.gate.background(self._start_tls())
        return True

    async def _start_tls(self) -> None:
        loop = asyncio.get_running_loop()
        context = self.gate.client_tls
        assert context is not None
        try:
            transport = await loop.start_tls(self.transport, self, context, server_side=True)
        except OSError as error:
            log.info("TLS handshake failed", client=self.address, error=str(error))
            self.transport.abort()
            return
        if transport is None:
            return
        self._phase = self._startup
        self.connection_made(transport)
        transport.resume_reading()

    def _cancel(self, packet: Packet) -> None:
        self.gate.counters.cancels += 1
        self.gate.background(self._close_after(self.gate.begin_cancel(packet)))

    async def _close_after(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self.close()

    # -- login

    def _begin(self, packet: Packet) -> None:
        if self.gate.config.tls.mode == "require" and self.tls is None:
            self.refuse(
                "28000", "this pgcache takes only TLS connections", "Connect with sslmode=require."
            )
            return
        if not self._is_welcome:
            self.refuse("53300", "sorry, too many clients already", "Raise listen.max_clients.")
            return
        self._phase = self._wait
        self.flow.hold(Hold.LOGIN, True)
        self.gate.background(self._open_origin(packet))

    def _wait(self, data: bytes) -> None:
        """Bytes sent ahead while the origin connection is being opened."""
        self._buffer += data

    async def _open_origin(self, packet: Packet) -> None:
        try:
            origin = await connect_origin(self.gate.config.origin, self.gate.origin_tls)
        except OriginUnreachable as error:
            log.error("origin unreachable", error=error.message)
            self.refuse(error.sqlstate, error.message, error.hint or "")
            return
        if self.transport.is_closing():
            origin.close()
            return
        self.origin = origin
        self.peer, origin.peer = origin, self
        origin.on_lost = self.origin_lost
        login = Login(self, origin, packet)
        self._phase = login.from_client
        login.start()
        self.flow.hold(Hold.LOGIN, False)
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            self.data_received(data)

    def _end_login(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # -- after login

    def enter_session(self, session: Session) -> None:
        """The origin took the login: from here on the session hears both ends."""
        assert self.origin is not None
        self._end_login()
        self.session = session
        self._phase = session.from_client
        session.background.cancel = partial(self.gate.interrupt, self)
        session.background.on_asked = self._let_go
        self.origin.on_data, self.origin.on_violation = session.from_origin, self._origin_violated
        if self.gate.engine.lifetimes.outlast_origin:
            outage = Outage(self, session)
            self.origin.on_data, self.origin.on_lost = outage.from_origin, outage.origin_lost

    def enter_relay(self, watch: ReplicationWatch | None = None) -> None:
        """Pass everything on unread, both ways (W-10); ``watch`` looks on."""
        assert self.origin is not None
        self._end_login()
        self._phase = self.origin.send
        self.origin.on_data = self.send
        if watch is not None:
            self._watch = watch
            self._phase, self.origin.on_data = watch.between(self, self.origin)

    def enter(self, phase: Phase) -> None:
        """Give the client's bytes to somebody else: the console."""
        self._end_login()
        self._phase = phase

    def time_next(self) -> None:
        """Time the next turn if it is a hit: now and then, so that other hits cost nothing more."""
        session, phase = self.session, self._phase
        if session is None or phase != session.from_client:
            return
        counters, clock = self.gate.counters, self.gate.engine.clock

        def timed(data: bytes) -> None:
            self._phase = phase
            hits, started = counters.hits, clock()
            phase(data)
            if counters.hits == hits + 1:
                counters.hit_seconds.observe(clock() - started)

        self._phase = timed

    def _origin_violated(self, error: ProtocolViolation) -> None:
        """Fail closed: nobody knows any more which answer is whose (W-74)."""
        log.error("lost track of the origin's answers", error=error.message)
        self.gate.counters.clients_failed += 1
        self.transport.abort()
        if self.origin is not None:
            self.origin.transport.abort()

    def _end_with_answers(self) -> None:
        """This session is about to end: look after each answer whether it may."""
        if self.session is not None and self.origin is not None:
            self.origin.on_data = self._last_data

    def _last_data(self, data: bytes) -> None:
        session = self.session
        assert session is not None
        session.from_origin(data)
        if self.transport.is_closing():
            self._let_go()
        elif self.is_leaving and session.is_idle:
            self.drain()

    def _let_go(self) -> None:
        if self.session is not None and self.transport.is_closing() and not self.session.is_needed:
            self._dismiss_origin(self.session)

    def origin_lost(self) -> None:
        """The origin hung up: so does this end, after what it said last (W-42)."""
        session = self.session
        self._is_over = True
        if session is not None:
            session.lost(self.close)
            state = session.state
            if state.writes is not None and state.database is not None:
                self.gate.abandon(state.database, state.writes, self.cancel_key)
        else:
            if self._watch is not None:
                self.gate.abandon(self._watch.database, self._watch, self.cancel_key)
            self.close()
        if self._is_lost:
            self._part()

    def _part(self) -> None:
        """Both ends are gone: what held each other lets go, so that no cycle has to be found."""
        self.peer = self.origin = self.session = None
        self._phase = deaf

    def drain(self) -> None:
        """End this session as soon as nothing is underway."""
        self.is_leaving = True
        self._end_with_answers()
        session = self.session
        if session is not None:
            session.background.drop()
        if session is None or session.is_idle:
            if session is not None:
                self.send(
                    build_error(
                        "57P01",
                        "terminating connection due to administrator command",
                        severity="FATAL",
                    )
                )
            self.close()
            # Over TLS the end waits for the client's own farewell, and idle clients do not read.
            asyncio.get_running_loop().call_later(_FAREWELL, self.transport.abort)

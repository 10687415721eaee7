"""Logging a client in at the origin, by relaying (P2, W-20, W-24).

Every message goes through unchanged, but for the one thing that cannot be relayed between two TLS
connections: SCRAM's channel binding (W-21). What the session needs to know of the login (who,
where, cancel key) is read on the way.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog

from pgcache.invalidation.writes import WriteLedger
from pgcache.policy.context import SessionSettings
from pgcache.proxy.flow import Hold
from pgcache.proxy.shared import make_session
from pgcache.proxy.watch import ReplicationWatch
from pgcache.wire import codes, sasl
from pgcache.wire.frames import HEADER, HEADER_SIZE
from pgcache.wire.startup import Packet, build_startup, is_replication, parse_parameters

if TYPE_CHECKING:  # the two name each other; only the client makes a Login
    from pgcache.proxy.client import ClientConnection
    from pgcache.proxy.origin import OriginConnection

log = structlog.get_logger("pgcache.proxy")

CONSOLE = "pgcache"
# No login message is longer; what claims to be is not PostgreSQL's protocol.
_MAX_MESSAGE = 1024 * 1024
_ANSWER = codes.PASSWORD
_MAX_ANSWER = 65535  # PG_MAX_AUTH_TOKEN_LENGTH
# PostgreSQL cuts names at startup to NAMEDATALEN - 1 bytes (W-08).
_MAX_NAME = 63

BINDING_REFUSED = (
    "pgcache relays SCRAM logins, which cannot carry channel binding across two TLS connections"
)
BINDING_HINT = (
    "Add channel_binding=disable to the client's connection string, or turn off TLS on one leg "
    "(sslmode=disable towards pgcache or in upstream.url), or give pgcache the same certificate "
    "and key as the PostgreSQL server."
)


class Login:
    """One login. Ends in a session, a relay, the console, or the origin's refusal."""

    def __init__(self, client: ClientConnection, origin: OriginConnection, packet: Packet) -> None:
        self._client = client
        self._origin = origin
        self._packet = packet
        self._parameters = parse_parameters(packet)
        self._from_origin = bytearray()
        self._from_client = bytearray()
        self._is_asked = False  # the origin waits for a message of the client
        self._stripped = False  # channel binding was taken out of the offer
        self._is_console = False
        self._replicates = False

    @property
    def user(self) -> str:
        """Who logs in."""
        return (self._parameters or {}).get("user", "")

    @property
    def database(self) -> str:
        """The database asked for, as the origin will read it."""
        name = (self._parameters or {}).get("database") or self.user
        raw = name.encode("latin-1")[:_MAX_NAME]
        return raw.decode("utf-8", "surrogateescape")

    def start(self) -> None:
        """Send the startup packet."""
        gate, parameters = self._client.gate, self._parameters
        if parameters is None:
            # Not ours to judge: another protocol version, or a layout that the origin will refuse.
            self._client.enter_relay()
            self._origin.send(self._packet.raw)
            return
        self._origin.on_data = self.from_origin
        self._replicates = is_replication(parameters)
        raw = self._packet.raw
        if self.database == CONSOLE and gate.config.admin.console and not self._replicates:
            self._is_console = True
            replaced = {"user": self.user, "database": gate.config.origin.dbname}
            raw = build_startup(self._packet.code, replaced)
        self._origin.send(raw)

    # -- the client's side

    def from_client(self, data: bytes) -> None:
        """A password, a SASL response or a GSS token; or questions sent ahead, which wait."""
        self._from_client += data
        self._answer()

    def _answer(self) -> None:
        """Pass on one message for each that the origin asks for; read on while it waits for one."""
        if self._is_asked:
            self._take_answer()
        self._client.hold(Hold.LOGIN, bool(self._from_client) and not self._is_asked)

    def _take_answer(self) -> None:
        """Pass the message on, once it is whole, after a look at its flag."""
        buffer = self._from_client
        size = _answer_size(buffer)
        if not size or len(buffer) < size:
            return
        message = bytes(buffer[:size])
        if self._stripped and message[:1] == b"p":
            if sasl.binding_flag(message) in ("y", "p"):
                self._refuse_binding()
                return
            self._stripped = False
        del buffer[:size]
        self._is_asked = False
        self._origin.send(message)

    def _pass_on(self) -> None:
        """The login is over: what the client sent ahead is for whoever takes its place."""
        self._client.hold(Hold.LOGIN, False)
        if self._from_client:
            self._client.data_received(bytes(self._from_client))

    def _refuse_binding(self) -> None:
        if self._client.gate.first_time("channel-binding", self._client.address):
            log.warning(
                "login refused: channel binding cannot be relayed; a client with sslmode=prefer "
                "now falls back to an unencrypted connection",
                client=self._client.address,
                advice=BINDING_HINT,
            )
        self._client.refuse("28000", BINDING_REFUSED, BINDING_HINT)
        self._origin.close()

    # -- the origin's side

    def from_origin(self, data: bytes) -> None:
        """Pass on what the origin says, message by message, until it lets the client in."""
        buffer = self._from_origin
        buffer += data
        while len(buffer) >= HEADER_SIZE:
            kind, length = HEADER.unpack_from(buffer)
            if length > _MAX_MESSAGE:
                self._client.close()
                self._origin.close()
                return
            if len(buffer) < 1 + length:
                return
            message = bytes(buffer[: 1 + length])
            del buffer[: 1 + length]
            if kind == codes.AUTHENTICATION:
                message = self._authentication(message)
                if sasl.auth_code(message) == sasl.AUTH_OK and not self._replicates:
                    self._accepted(message, bytes(buffer))
                    return
            elif kind == codes.BACKEND_KEY_DATA:
                self._client.gate.register(self._client, message)
            self._client.send(message)
            if kind == codes.AUTHENTICATION and sasl.wants_answer(message):
                self._is_asked = True
                self._answer()
            if kind == codes.READY_FOR_QUERY:
                self._relay(bytes(buffer))
                return

    def _authentication(self, message: bytes) -> bytes:
        if sasl.auth_code(message) != sasl.AUTH_SASL or sasl.PLUS not in sasl.mechanisms(message):
            return message
        if self._client.tls is not None and self._client.gate.same_certificate(self._origin.tls):
            return message
        # Without TLS, libpq refuses an offer that it could not take; with another certificate
        # than the origin's, its proof would not fit.
        self._stripped = self._client.tls is not None
        return sasl.without_channel_binding(message)

    def _relay(self, rest: bytes) -> None:
        client, gate = self._client, self._client.gate
        watch: ReplicationWatch | None = None
        if gate.config.cache.enabled and not _is_odd(self.database):
            gate.engine.catalog.acquire(self.database)
            watch = ReplicationWatch(gate.engine, gate.engine.database(self.database))
        client.enter_relay(watch)
        if rest:
            self._origin.on_data(rest)
        self._pass_on()

    def _accepted(self, message: bytes, rest: bytes) -> None:
        client, gate = self._client, self._client.gate
        if self._is_console:
            self._origin.on_lost = lambda: None
            self._origin.send(codes.MSG_TERMINATE)
            self._origin.close()
            gate.open_console(client, self.user, message)
            return
        client.send(message)
        session = make_session(gate.engine, client, self._origin)
        session.state.on_key = partial(_take_key, client)
        if gate.config.cache.enabled and not _is_odd(self.database):
            state = session.state
            gate.engine.catalog.acquire(self.database)
            database = state.database = gate.engine.database(self.database)
            state.settings = SessionSettings()
            state.startup = self._parameters or {}
            state.doubts = database.doubts
            state.writes = WriteLedger(database.generations, database.schema_changed)
        client.enter_session(session)
        session.logged_in()
        if rest:
            self._origin.data_received(rest)
        self._pass_on()


def _take_key(client: ClientConnection, message: bytes) -> None:
    """The origin has told the session its cancel key."""
    client.gate.register(client, message)
    writes = None if client.session is None else client.session.state.writes
    if writes is not None:
        writes.pid = int.from_bytes(message[5:9], "big")


def _answer_size(buffer: bytearray) -> int:
    """How long the answer in ``buffer`` is, 0 while that is not known.

    What is none goes on as it is, to be refused.
    """
    if not buffer or buffer[0] != _ANSWER:
        return len(buffer)
    if len(buffer) < HEADER_SIZE:
        return 0
    _kind, length = HEADER.unpack_from(buffer)
    return 1 + length if 4 <= length <= _MAX_ANSWER else len(buffer)


def _is_odd(name: str) -> bool:
    """Whether a database's name is not UTF-8, so that the catalog connection could not say it."""
    return not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name)

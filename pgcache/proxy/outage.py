"""A client whose origin connection is lost: what it is told, and when; or how it goes on without.

Only where ``stale_if_error`` asks for it. PostgreSQL ends a session with a FATAL message, or
without a word. Here that message is kept back until it is known whether the origin itself is gone:
if it is not (somebody ended this one session), the client hears it and the session ends, as
always. If it is, the session goes on as far as its questions have answers here, fresh or stale;
the first that has none, and the origin's return, bring the message and the end. Whoever is in the
middle of something is told at once: its outcome is not pgcache's to guess (T-15).

Rights are those that the origin gave this session at its login, and the catalogs' as they were
read last: nobody can log in meanwhile (P2).

Counterpart: ``reach`` looks for the origin, ``remnant`` answers meanwhile. Must not know: the slow
lane's forwarding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pgcache.proxy.flow import Hold
from pgcache.proxy.remnant import Remnant
from pgcache.proxy.session import Session
from pgcache.wire import codes
from pgcache.wire.messages import build_error

if TYPE_CHECKING:  # the two name each other; only a client makes an Outage
    from pgcache.proxy.client import ClientConnection

# What a session at rest may be told; its end is told with a severity that is never translated.
_LONELY: Final = frozenset((codes.ERROR_RESPONSE, codes.NOTICE_RESPONSE)) | frozenset(
    (codes.NOTIFICATION_RESPONSE, codes.PARAMETER_STATUS)
)
_LAST_WORDS: Final = re.compile(rb"\0V(?:FATAL|PANIC)\0")


class Outage:
    """Stands between one client and the end of its origin connection."""

    def __init__(self, client: ClientConnection, session: Session) -> None:
        # the connection
        self._client = client
        self._session = session
        # the end
        self._words = b""  # what the origin said last, and the client does not know yet
        self._early = bytearray()  # what the client sent before it was known how to go on
        self._remnant: Remnant | None = None

    def from_origin(self, data: bytes) -> None:
        """Bytes of the origin. HOT PATH: one look at a byte."""
        if self._words:
            words, self._words = self._words, b""
            self._session.from_origin(words)
        if data[0] in _LONELY and _LAST_WORDS.search(data) and self._is_at_rest():
            self._words = data
        else:
            self._session.from_origin(data)

    def _is_at_rest(self) -> bool:
        """Whether nothing is underway between the client, here and the origin."""
        session, state = self._session, self._session.state
        return (
            session.is_idle
            and session.gatherer.is_empty
            and state.ledger.is_empty
            and not (
                state.local or state.unflushed or state.opaque or session.background.is_running
            )
        )

    def origin_lost(self) -> None:
        """The origin hung up, on this session or on everybody."""
        client, session = self._client, self._session
        is_leaving = client.is_leaving or client.transport.is_closing()
        may_stay = session.state.engine.lifetimes.outlast_origin and not is_leaving
        if not may_stay or not self._is_at_rest():
            self._end()
            return
        client.hold(Hold.ORIGIN, True)
        client.enter(self._early.extend)
        session.lost(lambda: client.gate.reach.ask(client, self._on_verdict))

    def _on_verdict(self, problem: str) -> None:
        """The origin cannot be reached, or ('') it can."""
        client = self._client
        if not problem:
            self._end()
        elif self._remnant is None:
            self._remnant = Remnant(self._session.state, client)
            client.enter(self._from_client)
            early = bytes(self._early)
            if early:
                client.data_received(early)
            client.hold(Hold.ORIGIN, False)

    def _from_client(self, data: bytes) -> None:
        """Bytes of the client, while there is no origin. Raises ProtocolViolation."""
        assert self._remnant is not None
        if not self._remnant.answer(data):
            self._words = self._words or build_error(
                "08006",
                "the connection to PostgreSQL was lost, and it cannot be reached",
                hint="Connect again when it is back.",
                severity="FATAL",
            )
            self._client.gate.reach.forget(self._client)
            self._end()

    def _end(self) -> None:
        """Tell the client what it does not know yet, and close."""
        words, self._words = self._words, b""
        if words:
            self._client.send(words)
        self._client.enter(lambda data: None)
        self._client.origin_lost()

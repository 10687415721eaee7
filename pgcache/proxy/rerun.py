"""Asking the origin a question once more, for pgcache's own sake, on a client's connection.

The whole reply is taken off the stream; of what comes with it, the client gets what would have
reached it anyway: notifications, settings that changed from outside, the end of the connection.
The statement has a name of its own, so that nothing of the client's is touched.

Counterpart: ``background`` decides when, and what becomes of the result. Must not know: sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgcache.errors import ProtocolViolation
from pgcache.errors.reasons import Reason
from pgcache.proxy.capture import Capture
from pgcache.proxy.prepared import Prepared
from pgcache.wire import codes, ledger
from pgcache.wire.ledger import Ledger, Owed
from pgcache.wire.messages import (
    Bind,
    Target,
    build,
    build_bind,
    build_execute,
    build_parse,
    build_target,
    is_fatal,
)
from pgcache.wire.replies import ReplyWalker

NAME = b"pgcache"
_NOTHING = Bind(b"", b"", (), (), ())
_EXPECTED = (
    ledger.PARSE,
    ledger.BIND,
    ledger.DESCRIBE,
    ledger.EXECUTE,
    ledger.SYNC,
    ledger.CLOSE,
    ledger.SYNC,
)


class Rerun:
    """One execution, recorded by ``capture``. ``failed``: the origin refused it or broke it off.

    ``on_setting`` hears of ParameterStatus messages. ``limit``: rows asked for, 0 for all.
    """

    __slots__ = ("_clock", "_for_client", "_limit", "_on_setting", "_walker", "capture", "failed")

    def __init__(
        self,
        capture: Capture,
        limit: int,
        clock: Callable[[], float],
        on_setting: Callable[[bytes], None],
    ) -> None:
        self.capture = capture
        self.failed = False
        self._limit = limit
        self._clock = clock
        self._on_setting = on_setting
        self._for_client: list[bytes] = []
        owed = Ledger()
        for code in _EXPECTED:
            owed.push(code, self)
        self._walker = ReplyWalker(owed, self)

    def question(self, text: bytes, prepared: Prepared | None, bind: Bind | None) -> bytes:
        """The messages that ask: ``text`` as a client's Query has it, or as it was prepared."""
        types = () if prepared is None else prepared.types
        sync = build(codes.SYNC, b"")
        parts = (
            build_parse(NAME, text, types),
            build_bind(NAME, NAME, bind or _NOTHING),
            build_target(codes.DESCRIBE, Target(False, NAME)),
            build_execute(NAME, self._limit),
            sync,
            build_target(codes.CLOSE, Target(True, NAME)),  # also after an error
            sync,
        )
        return b"".join(parts)

    @property
    def is_over(self) -> bool:
        """Whether the origin is ready again."""
        return self._walker.ledger.is_empty

    @property
    def is_good(self) -> bool:
        """Whether the result is whole and may be kept, as far as the reply tells (W-67)."""
        capture = self.capture
        return not self.failed and capture.failed is None and capture.executions == 1

    def feed(self, data: bytes) -> list[bytes]:
        """Take the origin's bytes; returns the client's part. Raises ProtocolViolation."""
        self._walker.feed(data)
        for_client, self._for_client = self._for_client, []
        return for_client

    # -- the listener of the reply

    def on_done(self, code: int, item: Any) -> None:
        """Parse, Bind or Close succeeded."""

    def on_description(self, item: Any, message: bytes) -> None:
        """Keep what the rows are."""
        if message[0] == codes.ROW_DESCRIPTION:
            self.capture.row_description = message

    def on_rows(self, item: Any, data: bytes, start: int, end: int) -> None:
        """Record rows."""
        self.capture.rows(data, start, end)

    def on_row(self, item: Any, message: bytes) -> None:
        """Only replies to internal messages come row by row, and none here is one."""

    def on_complete(self, item: Any, kind: int, message: bytes) -> None:
        """The rows have come."""
        self.capture.executed(kind, message, self._limit, self._clock())

    def on_error(self, entry: Owed | None, message: bytes) -> None:
        """The client hears of it only where the connection ends with it."""
        self.failed = True
        if is_fatal(message):
            self._for_client.append(message)

    def on_dropped(self, entries: list[Owed]) -> None:
        """The origin ignores the rest, up to Sync."""

    def on_ready(self, item: Any, status: int, internal: bool) -> bytes:
        """The origin is ready again, outside of a transaction as before."""
        if status != codes.IDLE:
            raise ProtocolViolation("the origin is in a transaction that nobody has begun")
        return b""

    def on_aside(self, item: Any, kind: int, message: bytes) -> bytes | None:
        """Notifications and settings are the client's; nothing that came with more is kept."""
        if kind == codes.PARAMETER_STATUS:
            self._on_setting(message)
        if kind in (codes.PARAMETER_STATUS, codes.NOTIFICATION_RESPONSE):
            self._for_client.append(message)
        if kind != codes.NOTIFICATION_RESPONSE:
            self.capture.fail(Reason.UNCACHEABLE_REPLY)
        return None

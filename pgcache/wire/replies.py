"""Walking the origin's bytes: which reply belongs to which forwarded message.

HOT PATH, guarded by ``make bench-quick``. Headers are read by offset, rows are never touched, and
no object is made for a row. ``feed`` returns the slices that go to the client; in the common case
that is the chunk itself. Counterpart: ``frames.ClientFrames``.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Protocol

from pgcache.errors import ProtocolViolation
from pgcache.wire import codes
from pgcache.wire.ledger import (
    BIND,
    CALL,
    CLOSE,
    DESCRIBE,
    EXECUTE,
    PARSE,
    QUERY,
    SYNC,
    Ledger,
    Owed,
)
from pgcache.wire.messages import is_fatal

_UNPACK = Struct("!BI").unpack_from
_ROW = codes.DATA_ROW
_DESCRIPTION, _COMPLETE = codes.ROW_DESCRIPTION, codes.COMMAND_COMPLETE
# Bodies that may be large and that nobody looks into: passed on as they come.
_STREAMED = frozenset((codes.COPY_DATA, codes.FUNCTION_CALL_RESPONSE))
_SIMPLE = {codes.PARSE_COMPLETE: PARSE, codes.BIND_COMPLETE: BIND, codes.CLOSE_COMPLETE: CLOSE}
_COMPLETIONS = frozenset(
    (codes.COMMAND_COMPLETE, codes.PORTAL_SUSPENDED, codes.EMPTY_QUERY_RESPONSE)
)
_ROWS_ARE_DUE = frozenset((QUERY, EXECUTE))
_ENDED_BY_READY = frozenset((SYNC, QUERY, CALL))
_READY_SIZE = 6
_DESCRIPTIONS = frozenset((codes.ROW_DESCRIPTION, codes.NO_DATA, codes.PARAMETER_DESCRIPTION))
# These belong to the session, not to a reply: the client sees them whatever they come with.
_ASYNCHRONOUS = frozenset(
    (codes.PARAMETER_STATUS, codes.NOTIFICATION_RESPONSE, codes.NOTICE_RESPONSE)
)


class Listener(Protocol):
    """What the session is told. ``item`` is what it pushed with the ledger entry."""

    def on_done(self, code: int, item: Any) -> None:
        """ParseComplete, BindComplete, CloseComplete."""

    def on_description(self, item: Any, message: bytes) -> None:
        """ParameterDescription, RowDescription or NoData."""

    def on_rows(self, item: Any, data: bytes, start: int, end: int) -> None:
        """A piece of consecutive DataRows: ``data[start:end]``."""

    def on_row(self, item: Any, message: bytes) -> None:
        """One DataRow of an internal reply."""

    def on_complete(self, item: Any, kind: int, message: bytes) -> None:
        """CommandComplete, EmptyQueryResponse or PortalSuspended."""

    def on_error(self, entry: Owed | None, message: bytes) -> None:
        """ErrorResponse, for ``entry`` (None: out of the blue)."""

    def on_dropped(self, entries: list[Owed]) -> None:
        """The origin will never answer these."""

    def on_ready(self, item: Any, status: int, internal: bool) -> bytes:
        """ReadyForQuery; returns what is to be sent to the client before it."""

    def on_aside(self, item: Any, kind: int, message: bytes) -> bytes | None:
        """Anything else: notices, notifications, parameter status, keys, COPY responses,
        authentication. Returns what the client gets instead, None for the message itself."""


class ReplyWalker:
    """Walks the bytes of one origin connection."""

    __slots__ = ("_left", "_left_is_rows", "_partial", "_wanted", "ledger", "listener")

    def __init__(self, ledger: Ledger, listener: Listener) -> None:
        self.ledger = ledger
        self.listener = listener
        self._left = 0  # bytes still to come of a message that is passed on as it comes
        self._left_is_rows = False
        self._partial = bytearray()  # of a message that has to be whole to be understood
        self._wanted = 0  # how long ``_partial`` must be before it is worth another look

    @property
    def at_boundary(self) -> bool:
        """Whether the client has only whole messages and nothing is half read."""
        return not self._left and not self._partial

    def feed(self, data: bytes) -> list[bytes]:
        """Take a chunk from the origin; return the slices for the client, in order.

        Raises ProtocolViolation where the origin's bytes do not fit what it owes (W-74).
        """
        if self._partial:
            self._partial += data
            if len(self._partial) < self._wanted:
                return []
            data = bytes(self._partial)
            self._partial.clear()
        size = len(data)
        out: list[bytes] = []
        begin = 0  # what lies before was either cut into ``out`` or is not for the client
        pos = 0
        rows = -1  # start of the current run of rows, -1 outside one
        if self._left:
            pos = min(self._left, size)
            self._left -= pos
            if self._left_is_rows:
                rows = 0
        owed = self.ledger.owed
        internal = bool(owed) and owed[0][2]
        wanted = 5
        while size - pos >= 5:
            kind, length = _UNPACK(data, pos)
            end = pos + 1 + length
            if kind == _ROW and not internal:
                if rows < 0:
                    rows = pos
                if end > size:
                    self._left = end - size
                    self._left_is_rows = True
                    pos = size
                    break
                pos = end
                continue
            if rows >= 0:
                self._tell_rows(data, rows, pos)
                rows = -1
            if length < 4:
                raise ProtocolViolation("the origin sent an invalid message length")
            if end > size:
                if kind not in _STREAMED:
                    wanted = end - pos
                    break
                self._left = end - size
                self._left_is_rows = False
                end = size
            if kind not in _STREAMED:
                instead = self._take(kind, data[pos:end], internal)
                if instead is not None:
                    if begin < pos:
                        out.append(data[begin:pos])
                    if instead:
                        out.append(instead)
                    begin = end
                internal = bool(owed) and owed[0][2]
            pos = end
        if rows >= 0:
            self._tell_rows(data, rows, pos)
        if pos < size:
            self._partial += data[pos:]
            self._wanted = wanted
        if begin < pos:
            out.append(data if pos - begin == size else data[begin:pos])
        return out

    def _tell_rows(self, data: bytes, start: int, end: int) -> None:
        entry = self.ledger.head
        if entry is None or entry[0] not in _ROWS_ARE_DUE:
            raise ProtocolViolation("the origin sent rows where none were due")
        self.listener.on_rows(entry[1], data, start, end)

    def _take(self, kind: int, message: bytes, internal: bool) -> bytes | None:
        """Handle one whole message; returns what the client gets instead, None for itself."""
        if kind == codes.READY_FOR_QUERY:
            before = self._ready(message)
            if internal:
                return b""
            return before + message if before else None
        if kind == _ROW:
            entry = self.ledger.head
            self.listener.on_row(entry[1] if entry else None, message)
            return b""
        # The client's own messages cannot go on where one put in for them failed: it has to know.
        hidden = internal and kind not in _ASYNCHRONOUS and not self._concerns_client(kind, message)
        instead = self._control(kind, message)
        return b"" if hidden else instead

    def _concerns_client(self, kind: int, message: bytes) -> bool:
        if kind != codes.ERROR_RESPONSE:
            return False
        entry = self.ledger.head
        is_question = entry is not None and entry[0] == QUERY
        return not is_question or is_fatal(message)

    def _ready(self, message: bytes) -> bytes:
        entry = self.ledger.head
        if entry is None or entry[0] not in _ENDED_BY_READY or len(message) != _READY_SIZE:
            raise ProtocolViolation("the origin sent ReadyForQuery where none was due")
        self.ledger.pop()
        self.ledger.copy_in = False
        return self.listener.on_ready(entry[1], message[5], entry[2])

    def _control(self, kind: int, message: bytes) -> bytes | None:
        ledger = self.ledger
        entry = ledger.head
        code = entry[0] if entry else 0
        item = entry[1] if entry else None
        if kind in _COMPLETIONS:
            if code == EXECUTE:
                ledger.pop()
            elif code != QUERY:
                raise ProtocolViolation("the origin completed a command that was not sent")
            self.listener.on_complete(item, kind, message)
        elif kind in _SIMPLE:
            if code != _SIMPLE[kind]:
                raise ProtocolViolation("the origin answered out of order")
            ledger.pop()
            self.listener.on_done(code, item)
        elif kind in _DESCRIPTIONS:
            if code not in (DESCRIBE, QUERY):
                raise ProtocolViolation("the origin described what nobody asked about")
            if code == DESCRIBE and kind != codes.PARAMETER_DESCRIPTION:
                ledger.pop()
            self.listener.on_description(item, message)
        elif kind == codes.ERROR_RESPONSE:
            dropped = ledger.fail()
            self.listener.on_error(entry, message)
            if dropped:
                self.listener.on_dropped(dropped)
        else:
            if kind == codes.COPY_IN_RESPONSE:
                if code not in _ROWS_ARE_DUE:
                    raise ProtocolViolation("the origin wants data that nobody offered")
                ignored = ledger.begin_copy_in()
                if ignored:
                    self.listener.on_dropped(ignored)
            return self.listener.on_aside(item, kind, message)
        return None


def is_whole_read(data: bytes, start: bytes, ready: bytes) -> bool:
    """Whether a chunk is, from end to end, the answer to one SELECT that went well.

    ``start``: the acknowledgements before its RowDescription, which may be missing. ``ready``: the
    ReadyForQuery that has to end it. HOT PATH: the common case without a call for each message.
    """
    if not data.endswith(ready) or not data.startswith(start):
        return False
    pos, size = len(start), len(data) - len(ready)
    first = pos
    while size - pos >= 5:
        kind, length = _UNPACK(data, pos)
        if kind != _ROW and (kind != _DESCRIPTION or pos != first):
            is_end: bool = kind == _COMPLETE and pos + 1 + length == size
            return is_end and data.startswith(b"SELECT ", pos + 5)
        if length < 4:
            return False
        pos += 1 + length
    return False

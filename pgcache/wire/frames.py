"""Framing: where messages begin and end, by their headers alone.

``ClientFrames`` cuts what a client sends into whole messages; ``ReplyWalker`` (in ``replies``) is
its counterpart for the origin. Neither looks into bodies.

A message is one type byte and a 32-bit length that counts itself and the body.
Source: PostgreSQL documentation, "Overview: Messaging Overview".
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from pgcache.errors import ProtocolViolation
from pgcache.wire.codes import COPY_DATA

HEADER = Struct("!BI")
HEADER_SIZE = 5

# A larger client message is passed on piece by piece instead of being assembled first.
MAX_ASSEMBLED = 16 * 1024 * 1024
# The origin refuses messages of 1 GB and more (PQ_LARGE_MESSAGE_LIMIT).
MAX_MESSAGE = 0x3FFFFFFF

Frame = tuple[int, bytes, bool]
"""``(type, raw bytes, complete)``. An incomplete frame is the first piece of a large message; what
follows comes as frames of type 0 until one is complete."""


class ClientFrames:
    """Cuts a client's byte stream into messages.

    Runs of CopyData come as one frame, because nothing depends on their number.
    """

    __slots__ = ("_buffer", "_remaining", "_wanted")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = 0  # size the buffer has to reach before looking again is worth it
        self._remaining = 0  # bytes still to come of a large message that is being passed on

    @property
    def at_boundary(self) -> bool:
        """Whether no part of a message is waiting for its rest."""
        return not self._buffer and not self._remaining

    @property
    def is_cut_short(self) -> bool:
        """Whether the first pieces of a large message have been given, but not the last."""
        return bool(self._remaining)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that ``data`` completes.

        Raises ProtocolViolation for a length that no message can have.
        """
        if self._remaining:
            if len(data) < self._remaining:
                self._remaining -= len(data)
                yield (0, data, False)
                return
            cut = self._remaining
            self._remaining = 0
            yield (0, data[:cut], True)
            data = data[cut:]
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._wanted:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        yield from self._cut(data)

    def _cut(self, data: bytes) -> Iterator[Frame]:
        pos = 0
        size = len(data)
        unpack = HEADER.unpack_from
        while size - pos >= HEADER_SIZE:
            kind, length = unpack(data, pos)
            if length < 4 or length > MAX_MESSAGE:
                raise ProtocolViolation(f"invalid message length {length}")
            end: int = pos + 1 + length
            if end > size:
                if length > MAX_ASSEMBLED:
                    self._remaining = end - size
                    yield (kind, data[pos:], False)
                    return
                self._keep(data, pos, end - pos)
                return
            start = pos
            pos = end
            if kind == COPY_DATA:
                pos = end = self._copy_run(data, end)
            yield (kind, data if end - start == size else data[start:end], True)
        if pos < size:
            self._keep(data, pos, HEADER_SIZE)

    def _keep(self, data: bytes, pos: int, wanted: int) -> None:
        self._buffer += data[pos:] if pos else data
        self._wanted = wanted

    @staticmethod
    def _copy_run(data: bytes, pos: int) -> int:
        """The end of the run of whole CopyData messages that starts at ``pos``."""
        size = len(data)
        while size - pos >= HEADER_SIZE:
            kind, length = HEADER.unpack_from(data, pos)
            end = pos + 1 + length
            if kind != COPY_DATA or length < 4 or end > size:
                break
            pos = end
        return pos

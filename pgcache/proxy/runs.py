"""A run: what a client sent up to a boundary, read once.

A boundary is a Query, Sync, Flush, or any message that stands for itself. The session decides run
by run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pgcache.errors import ProtocolViolation
from pgcache.invalidation.writes import Group
from pgcache.wire import codes, messages
from pgcache.wire.frames import ClientFrames, Frame

_MAX_RUN_BYTES = 256 * 1024
# How many runs of which size a connection remembers the layout of.
_MAX_KNOWN = 64
_MAX_KNOWN_BYTES = 1024

Parsed = messages.Parse | messages.Bind | messages.Target | messages.Execute | None

_PARSERS: dict[int, Callable[[bytes], Parsed]] = {
    codes.PARSE: messages.parse_parse,
    codes.BIND: messages.parse_bind,
    codes.DESCRIBE: messages.parse_target,
    codes.CLOSE: messages.parse_target,
    codes.EXECUTE: messages.parse_execute,
}
# These end a run of the extended protocol.
BOUNDARIES = frozenset((codes.SYNC, codes.FLUSH))
EXTENDED = frozenset((*_PARSERS, codes.SYNC, codes.FLUSH))


@dataclass(slots=True)
class Message:
    """One client message. ``parsed`` None: no layout to read, or one that is wrong."""

    kind: int
    raw: bytes
    parsed: Parsed = None
    whole: bool = True


def read(frame: Frame) -> Message:
    """The message in ``frame``, its body read where decisions need it."""
    kind, raw, whole = frame
    parser = _PARSERS.get(kind)
    if parser is None or not whole:
        return Message(kind, raw, None, whole)
    try:
        return Message(kind, raw, parser(raw))
    except ProtocolViolation:
        return Message(kind, raw)


# pgcache's own: a Sync behind messages that were sent ahead of the rest of their run, and a Flush,
# of which nobody hears, behind those of a run that is cut.
OWN_SYNC = Message(codes.SYNC, messages.build(codes.SYNC, b""))
OWN_FLUSH = Message(codes.FLUSH, messages.build(codes.FLUSH, b""))


class Run:
    """Consecutive messages that are decided together; ``kind`` is that of the last."""

    __slots__ = ("ahead", "attempts", "messages", "read", "waited")

    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages)
        self.ahead: Group | None = None  # its first messages, once they were sent ahead
        self.attempts = 0  # how often it waited for another client's flight
        self.waited = False  # it has waited for the catalogs to be read
        self.read = False  # it has waited for the analysis of its texts

    @property
    def kind(self) -> int:
        """The type of the message that ended it."""
        return self.messages[-1].kind

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return sum(len(message.raw) for message in self.messages)

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        if len(self.messages) == 1:
            return self.messages[0].raw
        return b"".join([message.raw for message in self.messages])


class Gatherer:
    """Cuts a client's bytes into runs.

    A run that grows beyond a bound without a boundary is given as it is. ``kept``: bytes before
    those that are fed next, not read so far, because that may never be needed.
    """

    __slots__ = ("_frames", "_known", "_run", "_size", "kept")

    def __init__(self) -> None:
        self.kept = b""
        self._frames = ClientFrames()
        self._known: dict[bytes, list[Message]] = {}  # short runs that came as one chunk
        self._run: Run | None = None
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is waiting for its rest."""
        return self._run is None and self._frames.at_boundary and not self.kept

    @property
    def is_cut_short(self) -> bool:
        """Whether only the first pieces of a large message were given so far."""
        return self._frames.is_cut_short

    def feed(self, data: bytes) -> Iterator[Run]:
        """Yield the runs that ``data`` completes. Raises ProtocolViolation."""
        if self.kept:
            data, self.kept = self.kept + data, b""
        if self.is_empty:
            known = self._known.get(data)
            if known is not None:
                yield Run(*known)
                return
            if len(data) <= _MAX_KNOWN_BYTES and data[0] in EXTENDED:
                runs = list(self._cut(data))
                if len(runs) == 1 and self.is_empty:
                    self._remember(data, runs[0])
                yield from runs
                return
        yield from self._cut(data)

    def _remember(self, data: bytes, run: Run) -> None:
        """Drivers execute the same few statements over and over: read their messages once."""
        if run.kind not in BOUNDARIES:
            return
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[data] = run.messages[:]

    def _cut(self, data: bytes) -> Iterator[Run]:
        for frame in self._frames.feed(data):
            message = read(frame)
            if message.kind not in EXTENDED or not message.whole:
                yield from self.flush()
                yield Run(message)
                continue
            if self._run is None:
                self._run = Run(message)
                self._size = 0
            else:
                self._run.messages.append(message)
            self._size += len(message.raw)
            if message.kind in BOUNDARIES or self._size > _MAX_RUN_BYTES:
                yield from self.flush()

    def flush(self) -> Iterator[Run]:
        """Yield what has been gathered without a boundary."""
        if self.kept:
            yield from self.feed(b"")
        if self._run is not None:
            run, self._run = self._run, None
            yield run

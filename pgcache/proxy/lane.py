"""The fast lane: whole turns answered, or sent on, by one look into a dict.

It only remembers what the slow lane has proved: in this context, these bytes get those bytes,
while the entry lives and nothing has moved; or, they do nothing but read. Deleting it changes
nothing but speed (a property test holds that). ``fast`` and ``express`` decide when it may be
asked; this keeps the turns and bounds them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations
from pgcache.errors.reasons import Refusal
from pgcache.proxy.recipe import Shape
from pgcache.proxy.verdicts import Outcome, Verdict
from pgcache.sql.model import Kind, Script
from pgcache.wire.messages import Parse

# A longer answer stays in pieces, of which the entry's rows are one.
MAX_ANSWER = 64 * 1024
# A version that generations never have.
UNKNOWN = -1
Piece = bytes | memoryview
_MAX_LANES = 1_024
_MAX_PASSES = 8 * 1024 * 1024  # bytes
# Python objects around one remembered turn, about.
_OVERHEAD = 300


class Turn:
    """One turn and its answer. ``version``: of the generations when it was last found right;
    ``touches``: theirs when it was proved.

    ``parse``: the Parse message of the unnamed statement that it leaves behind, b'' for a Query,
    which drops the unnamed statement, None where it does neither. ``strict``: the shared store has
    to confirm it each time, so that no version of the generations is enough.
    """

    __slots__ = ("answer", "entry", "parse", "rows", "size", "strict", "touches", "version")

    def __init__(
        self,
        entry: Entry,
        answer: bytes,
        generations: Generations,
        parse: bytes | None,
        *,
        strict: bool = False,
    ) -> None:
        self.entry = entry
        self.answer = answer
        self.strict = strict
        self.version = UNKNOWN if strict else generations.version
        self.touches = generations.touches
        self.parse = parse
        self.rows = entry.row_count
        self.size = len(entry.rows)


class LongTurn(Turn):
    """A turn whose ``answer`` is empty: it is in ``pieces``, not copied."""

    __slots__ = ("pieces",)

    def __init__(
        self,
        entry: Entry,
        pieces: Sequence[Piece],
        generations: Generations,
        parse: bytes | None,
        *,
        strict: bool = False,
    ) -> None:
        super().__init__(entry, b"", generations, parse, strict=strict)
        self.pieces = pieces


def make_turn(
    entry: Entry,
    pieces: Sequence[Piece],
    generations: Generations,
    parse: bytes | None,
    *,
    strict: bool = False,
) -> Turn:
    """The turn that is answered by ``pieces``."""
    if sum(map(len, pieces)) > MAX_ANSWER:
        return LongTurn(entry, pieces, generations, parse, strict=strict)
    return Turn(entry, b"".join(pieces), generations, parse, strict=strict)


class Pass:
    """A statement that is sent on and does nothing but read, or begin or end a transaction.

    ``version``: of the generations when ``refusal``, why it is not looked up, was last found.
    ``ends``: it is not a SELECT. ``parsed``: the Parse message it is known by, once it is read.
    """

    __slots__ = ("asked", "ends", "kind", "parsed", "refusal", "script", "verdict", "version")

    def __init__(self, script: Script, refusal: Refusal, version: int) -> None:
        self.kind = script.statements[0].kind
        self.ends = self.kind is not Kind.SELECT
        self.script = script
        self.parsed: Parse | None = None
        self.refuse(refusal, version)

    def refuse(self, refusal: Refusal, version: int) -> None:
        """It is not looked up because of this; what is said and counted each time is made once."""
        self.version = version
        self.refusal = refusal
        self.verdict = Verdict(Outcome.BYPASS, refusal)
        self.asked = ((self.script, refusal.reason),)


class Lane(dict[bytes, Turn]):
    """Turns of one context by their bytes; of a named statement, by those behind its name.

    ``shapes``: how to find entries of what is not remembered: with other parameters, by what
    surrounds those (the Parse message in front, or b''); or because they are elsewhere, by the
    turn's bytes.
    """

    __slots__ = ("shapes",)

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[bytes, Shape] = {}


class Lanes:
    """The lanes of all contexts of a process, at most ``max_bytes`` of them.

    Long turns copy nothing, but keep entries that the store may have evicted: at most as many bytes
    again, and the oldest are forgotten first. ``passes``: what goes another way.
    """

    __slots__ = ("_bytes", "_lanes", "_long", "_long_bytes", "_max_bytes", "passes")

    def __init__(self, max_bytes: int) -> None:
        self._long: deque[tuple[Lane, bytes, LongTurn]] = deque()  # oldest first
        self._long_bytes = 0
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lanes: dict[Hashable, Lane] = {}
        self.passes = Passes()

    def lane(self, context: Hashable) -> Lane:
        """The lane of a context: all that decides what a turn's bytes mean."""
        lane = self._lanes.get(context)
        if lane is None:
            if len(self._lanes) >= _MAX_LANES:
                self._clear()
                self._lanes.clear()
            lane = self._lanes[context] = Lane()
        return lane

    def remember(self, lane: Lane, raw: bytes, turn: Turn) -> None:
        """Add a turn; when all of them together are too much, every lane starts anew."""
        self.forget(lane, raw)
        self._make_room(len(raw) + len(turn.answer) + _OVERHEAD)
        lane[raw] = turn
        if isinstance(turn, LongTurn):
            self._long.append((lane, raw, turn))
            self._long_bytes += turn.size
            while self._long_bytes > self._max_bytes:
                self._forget_long()

    def _forget_long(self) -> None:
        lane, raw, turn = self._long.popleft()
        self._long_bytes -= turn.size
        if lane.get(raw) is turn:
            self.forget(lane, raw)

    def forget(self, lane: Lane, raw: bytes) -> None:
        """Take a turn out."""
        turn = lane.pop(raw, None)
        if turn is not None:
            self._bytes -= len(raw) + len(turn.answer) + _OVERHEAD

    def remember_shape(self, lane: Lane, around: bytes, shape: Shape) -> None:
        """Add a shape, or make it anew."""
        former = lane.shapes.get(around)
        if former is None:
            self._make_room(len(around) + shape.size + _OVERHEAD)
        elif former.is_elsewhere:
            shape.is_elsewhere = True
        lane.shapes[around] = shape

    def _make_room(self, size: int) -> None:
        if self._bytes + size > self._max_bytes:
            self._clear()
        self._bytes += size

    def _clear(self) -> None:
        for lane in self._lanes.values():
            lane.clear()
            lane.shapes.clear()
        self._long.clear()
        self._bytes = self._long_bytes = 0


class Passes:
    """What all contexts of a process send on, at most ``max_bytes`` of it."""

    __slots__ = ("_bytes", "_contexts", "_max_bytes")

    def __init__(self, max_bytes: int = _MAX_PASSES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._contexts: dict[Hashable, dict[bytes, Pass]] = {}

    def of(self, context: Hashable) -> dict[bytes, Pass]:
        """What a context sends on, by its Query or Parse message."""
        passes = self._contexts.get(context)
        if passes is None:
            if len(self._contexts) >= _MAX_LANES:
                self._clear()
                self._contexts.clear()
            passes = self._contexts[context] = {}
        return passes

    def remember(self, passes: dict[bytes, Pass], raw: bytes, known: Pass) -> None:
        """Add a message; when all of them together are too much, every context starts anew."""
        if raw not in passes:
            size = len(raw) + _OVERHEAD
            if self._bytes + size > self._max_bytes:
                self._clear()
            self._bytes += size
        passes[raw] = known

    def _clear(self) -> None:
        for passes in self._contexts.values():
            passes.clear()
        self._bytes = 0

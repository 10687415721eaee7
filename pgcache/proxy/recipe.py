"""Turns whose entries can be found without the slow lane, though it has not answered from those.

Drivers execute one statement with thousands of values. What surrounds the values in the bytes of
such a turn is the same each time, and so is everything that was decided about it. A ``Recipe`` is
made from a turn that the slow lane has answered (``make_recipe``); ``follow`` then turns another
one into an entry's key. ``Exact`` is the same for a turn whose entry has to be fetched from the
shared store each time. Counterpart: ``fast``, which asks the store. Must not know: the store.

HOT PATH, guarded by ``make bench-quick``.
"""

from __future__ import annotations

import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from pgcache.cache.entry import Entry
from pgcache.policy.key import build_key_head
from pgcache.proxy.prepared import Prepared
from pgcache.proxy.serve import command_complete
from pgcache.wire import codes
from pgcache.wire.messages import EXECUTIONS, Bind

if TYPE_CHECKING:  # the engine keeps lanes, which keep recipes
    from pgcache.proxy.state import State

# Words in date and time input that mean another moment each day (C-13).
MAGIC: Final = re.compile(rb"(?i)now|today|tomorrow|yesterday")
# Finds all of them, and "noday" too, in a third of the time: its first letter is a set.
_SUSPECT: Final = re.compile(rb"[nNtTyY](?i:ow|oday|omorrow|esterday)")
# Bind's type, length and the name of the unnamed portal come before the statement's name.
STATEMENT_NAME: Final = 6
_NULL: Final = 0xFFFFFFFF
_length_at: Final = struct.Struct(">I").unpack_from


class Proof(NamedTuple):
    """What the slow lane has just answered: one question, from ``entry``.

    ``parse``: the unnamed statement's Parse message that the turn leaves behind, b'' for a Query,
    None where it executes a named statement. ``lifetime``: what the question allows, in seconds.
    ``labels``: what a hint or a rule tags it with. ``strict``: the shared store confirmed it, and
    has to confirm it each time.
    """

    entry: Entry
    parse: bytes | None
    prepared: Prepared | None = None
    bind: Bind | None = None
    lifetime: float = 0.0
    labels: tuple[str, ...] = ()
    strict: bool = False


class Basis(NamedTuple):
    """What a shape is made from: a turn that was answered, and where things stood then.

    ``described``: the answer holds a RowDescription. ``formats``: of result formats. ``epoch``: of
    the definitions when the statement was planned, ``touches``: of the generations. ``status``: of
    the session.
    """

    proof: Proof
    described: bool
    formats: int
    epoch: int
    touches: int
    status: int


class Shape(ABC):
    """How to answer turns of one shape from an entry: what is the same whatever the entry holds.

    ``start``: the answer before its rows. ``description``: the RowDescription that entries have to
    have, None where the origin was not asked for it. ``lifetime``: seconds. ``strict``: as of the
    ``Proof``; ``leaves``: its ``parse``. ``tags``: of the entries. ``is_elsewhere``: the last
    entry of these that memory did not have was found in the shared store, which is worth asking
    for the next.
    """

    __slots__ = (
        "_end",
        "_end_rows",
        "described",
        "description",
        "epoch",
        "formats",
        "is_elsewhere",
        "leaves",
        "lifetime",
        "ready",
        "start",
        "strict",
        "tags",
        "touches",
    )

    def __init__(self, basis: Basis, start: bytes) -> None:
        proof = basis.proof
        self.start = start
        self.description = proof.entry.row_description
        self.described = basis.described
        self.formats = basis.formats
        self.lifetime = proof.lifetime
        self.epoch = basis.epoch
        self.touches = basis.touches
        self.strict = proof.strict
        self.leaves = proof.parse
        self.tags = proof.entry.tags
        self.ready = codes.MSG_READY[basis.status]
        self.is_elsewhere = False
        self._end_rows, self._end = -1, b""  # the end of the last answer, and of how many rows

    @abstractmethod
    def follow(self, data: bytes, at: int) -> bytes | None:
        """The key of the turn ``data``, or None where it is of another shape.

        ``at``: where the statement's name ends.
        """

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes that it keeps."""

    def takes(self, entry: Entry) -> bool:
        """Whether ``entry`` is what its question may get, and ends before its lifetime does."""
        return (
            entry.row_description == self.description
            and entry.complete
            and entry.expires_at <= entry.stored_at + self.lifetime
            # Of an empty result that was never described nobody knows how many columns it has.
            and (bool(entry.rows) or self.formats <= 1 or self.described)
        )

    def answer(self, entry: Entry) -> tuple[bytes, bytes, bytes]:
        """The whole answer to the turn, in pieces."""
        if entry.row_count != self._end_rows:
            self._end = command_complete(entry.row_count) + self.ready
            self._end_rows = entry.row_count
        return self.start, entry.rows, self._end


class Exact(Shape):
    """The shape of one turn alone, whose entry is found by its ``key``."""

    __slots__ = ("key",)

    def __init__(self, basis: Basis, start: bytes) -> None:
        super().__init__(basis, start)
        self.key = basis.proof.entry.key

    def follow(self, data: bytes, at: int) -> bytes | None:
        """The key of the turn."""
        return self.key

    @property
    def size(self) -> int:
        """Bytes that it keeps."""
        return len(self.start) + len(self.key)


class Recipe(Shape):
    """What turns have in common that differ in their parameters' values.

    ``head``: from the end of the statement's name to the first value. ``foot``: behind the last
    value, to the end of the turn. ``count``: of values. ``key_head``: of the entries' keys.
    ``parse``: the Parse message in front, b'' where there is none.
    """

    __slots__ = ("_around", "_begin", "count", "foot", "head", "key_head", "parse")

    def __init__(
        self, basis: Basis, *, head: bytes, foot: bytes, count: int, key_head: bytes, parse: bytes
    ) -> None:
        start = (codes.MSG_PARSE_COMPLETE if parse else b"") + codes.MSG_BIND_COMPLETE
        if basis.described:
            start += basis.proof.entry.row_description or b""
        super().__init__(basis, start)
        self.head = head
        self.foot = foot
        self.count = count
        self.key_head = key_head
        self.parse = parse
        # Where the Bind's length is, and how many bytes of a turn that length does not count.
        self._begin = len(parse) + 1
        self._around = self._begin + len(EXECUTIONS[basis.described])

    @property
    def size(self) -> int:
        """Bytes that it keeps."""
        return sum(map(len, (self.head, self.foot, self.key_head, self.parse, self.start)))

    def follow(self, data: bytes, at: int) -> bytes | None:
        """The key of the turn ``data``, or None where it is of another shape.

        ``data`` begins with ``parse``; ``at``: where the statement's name ends.
        """
        head, foot = self.head, self.foot
        begin, end = at + len(head), len(data) - len(foot)
        if not data.startswith(head, at) or not data.endswith(foot) or begin > end:
            return None
        if _length_at(data, self._begin)[0] != len(data) - self._around:
            return None  # the Bind message would end somewhere else
        pos = begin
        for _ in range(self.count):
            size = _length_at(data, pos)[0]  # the foot is behind it at least
            pos += 4 if size == _NULL else 4 + size
            if pos > end:
                return None
        if pos != end:
            return None
        values = data[begin:end]
        if _SUSPECT.search(values):
            return None  # it may be a word that means another moment each day
        return self.key_head + values


def find_shape(
    shapes: dict[bytes, Shape], key: bytes, data: bytes, at: int
) -> tuple[Shape, int] | None:
    """The shape of the turn ``data``, and where the statement's name ends. ``key``: what is kept of
    it in its lane; ``at``: the same end, 0 where it does not execute a named statement."""
    shape = shapes.get(key)
    if shape is not None:
        return shape, at
    if at:
        shape = shapes.get(b"")
        return None if shape is None else (shape, at)
    end = 1 + int.from_bytes(data[1:5], "big")
    at = end + STATEMENT_NAME
    if data[end : end + 1] != b"B" or data[at - 1 : at + 1] != b"\0\0":
        return None
    shape = shapes.get(data[:end])
    return None if shape is None else (shape, at)


def make_recipe(state: State, proof: Proof, data: bytes, *, parse: bytes) -> Recipe | None:
    """The recipe for turns like ``data``, which the slow lane has answered; None: there is none.

    ``parse``: the Parse message that ``data`` begins with, b'' where it does not.
    """
    prepared, bind, database, settings = proof.prepared, proof.bind, state.database, state.settings
    if prepared is None or bind is None or database is None or settings is None:
        return None
    entry, described = proof.entry, data.endswith(EXECUTIONS[True])
    begins = len(parse) + STATEMENT_NAME + len(bind.statement)
    ends = len(parse) + 1 + int.from_bytes(data[len(parse) + 1 : len(parse) + 5], "big")
    if data[ends:] != EXECUTIONS[described] or not bind.parameters or not entry.complete:
        return None  # part of the rows are asked for, or there is nothing to differ
    formats = len(bind.parameter_formats)
    head = data[begins : begins + 5 + 2 * formats]
    foot = data[ends - 2 - 2 * len(bind.result_formats) :]
    basis = Basis(
        proof,
        described,
        len(bind.result_formats),
        database.epoch,
        database.generations.touches,
        state.status,
    )
    return Recipe(
        basis,
        head=head,
        foot=foot,
        count=len(bind.parameters),
        key_head=build_key_head(
            database.key,
            settings.fingerprint,
            prepared.script.key_text,
            parse_fingerprint=prepared.fingerprint,
            labels=proof.labels,
            parameter_types=prepared.types,
            parameter_formats=bind.parameter_formats,
            count=len(bind.parameters),
            result_formats=bind.result_formats,
        ),
        parse=parse,
    )


def make_exact(
    state: State, proof: Proof, data: bytes, answer: Sequence[bytes | memoryview]
) -> Exact | None:
    """The shape of ``data`` alone, which the slow lane has answered with ``answer``; None: not all
    rows are asked for, which another entry may have more of."""
    database, entry, bind = state.database, proof.entry, proof.bind
    if database is None or not entry.complete:
        return None
    if bind is not None and not data.endswith(EXECUTIONS[False]):
        return None
    whole = b"".join(answer)
    start = whole[: whole.rindex(entry.rows + command_complete(entry.row_count))]
    described = entry.row_description
    basis = Basis(
        proof,
        described is not None and start.endswith(described),
        0 if bind is None else len(bind.result_formats),
        database.epoch,
        database.generations.touches,
        state.status,
    )
    return Exact(basis, start)

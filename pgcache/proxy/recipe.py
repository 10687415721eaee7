"""Turns that differ in their parameters alone: how to find their entries without the slow lane.

Drivers execute one statement with thousands of values. What surrounds the values in the bytes of
such a turn is the same each time, and so is everything that was decided about it. A ``Recipe`` is
made from a turn that the slow lane has answered (``make_recipe``); ``follow`` then turns another
one into an entry's key. Counterpart: ``fast``, which asks the store. Must not know: the store.

HOT PATH, guarded by ``make bench-quick``.
"""

from __future__ import annotations

import re
import struct
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


class Recipe:
    """What turns of one shape have in common.

    ``head``: from the end of the statement's name to the first value. ``foot``: behind the last
    value, to the end of the turn. ``count``: of values; ``formats``: of result formats.
    ``key_head``: of the entries' keys. ``description``: the RowDescription that entries have to
    have, None where the origin was not asked for it. ``lifetime``: seconds. ``epoch``: of the
    definitions when the statement was planned, ``touches``: of the generations. ``parse``: the
    Parse message in front, b'' where there is none. ``strict``: as of the ``Proof``.
    """

    __slots__ = (
        "_around",
        "_begin",
        "_end",
        "_end_rows",
        "count",
        "described",
        "description",
        "epoch",
        "foot",
        "formats",
        "head",
        "key_head",
        "lifetime",
        "parse",
        "ready",
        "start",
        "strict",
        "touches",
    )

    def __init__(
        self,
        *,
        head: bytes,
        foot: bytes,
        count: int,
        key_head: bytes,
        description: bytes | None,
        described: bool,
        formats: int,
        lifetime: float,
        epoch: int,
        touches: int,
        parse: bytes,
        status: int,
        strict: bool,
    ) -> None:
        self.head = head
        self.foot = foot
        self.count = count
        self.key_head = key_head
        self.description = description
        self.described = described
        self.formats = formats
        self.lifetime = lifetime
        self.epoch = epoch
        self.touches = touches
        self.parse = parse
        self.strict = strict
        start = codes.MSG_PARSE_COMPLETE if parse else b""
        self.start = start + codes.MSG_BIND_COMPLETE
        if described and description is not None:
            self.start += description
        self.ready = codes.MSG_READY[status]
        # Where the Bind's length is, and how many bytes of a turn that length does not count.
        self._begin = len(parse) + 1
        self._around = self._begin + len(EXECUTIONS[described])
        self._end_rows, self._end = -1, b""  # the end of the last answer, and of how many rows

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
    return Recipe(
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
        description=entry.row_description,
        described=described,
        formats=len(bind.result_formats),
        lifetime=proof.lifetime,
        epoch=database.epoch,
        touches=database.generations.touches,
        parse=parse,
        status=state.status,
        strict=proof.strict,
    )

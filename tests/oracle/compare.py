"""Compares two plays of one script, byte for byte but for what must differ.

What must differ: process ids and cancel keys, the nonces and proofs of SCRAM. The poison check is
here too: a proxy started with PGCACHE_TEST_POISON=1 marks each row that it serves from the cache,
by setting the first byte of the row's first non-empty value to `#`.
"""

from __future__ import annotations

import difflib
import struct

from tests.oracle.player import Exchange, Transcript
from tests.oracle.script import Script
from tests.support import frames
from tests.support.frames import Frame

_FIRST_USER_OID = 16384
_LARGEST_VALUE = 9_999  # of the numbers in the scripts' tables


class Normaliser:
    """Replaces what differs between two plays by names that do not."""

    def __init__(self, pids: dict[int, str], *, new_oids: bool = False) -> None:
        self._pids = {str(pid).encode(): f"<pid {name}>".encode() for pid, name in pids.items()}
        # A low process id looks like the rows' own numbers: it counts where a column says so.
        self._sure = {pid for pid in self._pids if int(pid) > _LARGEST_VALUE}
        self._shows_pid = False
        self._oids: dict[int, int] | None = {} if new_oids else None

    def frame(self, frame: Frame) -> Frame:
        """Return the frame as every play shows it."""
        if frame.kind == "K":
            return Frame("K", b"<pid>" + b"x" * (len(frame.body) - 4))
        if frame.kind == "R" and len(frame.body) > 4 and frame.body[3] in (11, 12):
            return Frame("R", frame.body[:4] + b"<scram>")
        if frame.kind == "A":
            pid = str(struct.unpack_from("!i", frame.body)[0]).encode()
            return Frame("A", self._pids.get(pid, pid) + frame.body[4:])
        if frame.kind == "T":
            self._shows_pid = any("pid" in column.name for column in frames.columns(frame.body))
        if frame.kind == "D":
            values = frames.row_values(frame.body)
            known = self._pids if self._shows_pid else self._sure
            if any(value in known for value in values if value is not None):
                named = (None if v is None else self._pids.get(v, v) for v in values)
                return Frame("D", frames.build_row(named))
        if self._oids is not None and frame.kind in ("T", "t"):
            return Frame(frame.kind, self._renumber(frame))
        return frame

    def _renumber(self, frame: Frame) -> bytes:
        """Number the objects that a script made itself in the order of their appearance."""
        if frame.kind == "t":
            (count,) = struct.unpack_from("!H", frame.body)
            types = struct.unpack_from(f"!{count}I", frame.body, 2)
            return struct.pack(f"!H{count}I", count, *(self._number(oid) for oid in types))
        body = struct.pack("!H", len(frames.columns(frame.body)))
        for c in frames.columns(frame.body):
            body += frames.text(c.name) + struct.pack(
                "!IhIhih",
                self._number(c.table),
                c.attribute,
                self._number(c.type),
                c.size,
                c.modifier,
                c.format,
            )
        return body

    def _number(self, oid: int) -> int:
        if self._oids is None or oid < _FIRST_USER_OID:
            return oid
        return self._oids.setdefault(oid, _FIRST_USER_OID + len(self._oids))


def normalise(script: Script, transcript: Transcript) -> list[tuple[Exchange, list[Frame]]]:
    """Return each exchange with its comparable frames."""
    normaliser = Normaliser(transcript.pids, new_oids="new-oids" in script.options)
    return [
        (exchange, [normaliser.frame(frame) for frame in exchange.frames])
        for exchange in transcript.exchanges
    ]


def assert_same(script: Script, expected: Transcript, got: Transcript, what: str) -> None:
    """Fail with a diff of the talk unless the two plays are the same."""
    wanted, found = normalise(script, expected), normalise(script, got)
    same = len(wanted) == len(found) and all(
        (a.note, frames_a) == (b.note, frames_b)
        for (a, frames_a), (b, frames_b) in zip(wanted, found, strict=True)
    )
    if not same:
        raise AssertionError(f"{script.path.name}, {what}:\n{_diff(wanted, found)}")


def assert_marked(script: Script, expected: Transcript, got: Transcript, what: str) -> None:
    """Fail unless rows carry the mark of the cache exactly where the script says so.

    A line that must hit has all of its rows marked, one that must pass none; other lines may do
    either, but a mark is the only difference that anything may show.
    """
    wanted, found = normalise(script, expected), normalise(script, got)
    complaints = []
    for (exchange, frames_a), (_, frames_b) in zip(wanted, found, strict=True):
        bare = [unpoisoned(a, b) for a, b in zip(frames_a, frames_b, strict=False)]
        if len(frames_a) != len(frames_b) or bare != frames_a:
            raise AssertionError(f"{script.path.name}, {what}:\n{_diff(wanted, found)}")
        pairs = zip(frames_a, frames_b, strict=True)
        # A row of nothing but NULLs and empty values cannot carry the mark.
        rows = [(a, b) for a, b in pairs if a.kind == "D" and poisoned(a) != a]
        hits = sum(a != b for a, b in rows)
        line = f"line {exchange.step.line}: {exchange.step.text}: {hits} of {len(rows)} rows hit"
        if exchange.step.expected == "hit" and not exchange.note and (hits < len(rows) or not rows):
            complaints.append(line)
        if exchange.step.expected == "pass" and hits:
            complaints.append(line)
    if complaints:
        raise AssertionError(f"{script.path.name}, {what}:\n" + "\n".join(complaints))


def poisoned(frame: Frame) -> Frame:
    """Return a row as a poisoned hit shows it."""
    values = frames.row_values(frame.body)
    for index, value in enumerate(values):
        if value:
            values[index] = b"#" + value[1:]
            break
    return Frame("D", frames.build_row(values))


def unpoisoned(direct: Frame, seen: Frame) -> Frame:
    """Return the direct row if the seen one is that row with the mark, else what was seen."""
    if direct.kind == seen.kind == "D" and seen == poisoned(direct):
        return direct
    return seen


def _diff(
    wanted: list[tuple[Exchange, list[Frame]]], found: list[tuple[Exchange, list[Frame]]]
) -> str:
    def lines(talk: list[tuple[Exchange, list[Frame]]]) -> list[str]:
        written = []
        for exchange, listed in talk:
            head = f"{exchange.step.connection}> {exchange.step.text} {exchange.note}"
            written.append(head.rstrip())
            written += [f"    < {frame}" for frame in listed]
        return written

    return "\n".join(
        difflib.unified_diff(lines(wanted), lines(found), "direct", "seen", lineterm="", n=4)
    )

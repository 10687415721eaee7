"""Walking replies: one meaning, however the bytes are cut and whenever messages are forwarded."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgcache.errors import ProtocolViolation
from pgcache.wire.ledger import BIND, DESCRIBE, EXECUTE, PARSE, QUERY, SYNC, Ledger, Owed
from pgcache.wire.replies import ReplyWalker
from tests.support.frames import message
from tests.wire.cutting import CUTS, pieces_of
from tests.wire.talk import CODES, DESCRIPTION, ERROR, READY, Sent, conversations, notice_before

ROW = message("D", b"\0\1\0\0\0\1x")


class Ear:
    """A listener that writes everything down."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.rows: dict[int, bytes] = defaultdict(bytes)
        self.dropped: set[int] = set()

    def on_done(self, code: int, item: Any) -> None:
        self.events.append(("done", code, item))

    def on_description(self, item: Any, message: bytes) -> None:
        self.events.append(("description", item, chr(message[0])))

    def on_rows(self, item: Any, data: bytes, start: int, end: int) -> None:
        assert start < end
        self.rows[item] += data[start:end]

    def on_row(self, item: Any, message: bytes) -> None:
        self.events.append(("row", item, message))

    def on_complete(self, item: Any, kind: int, message: bytes) -> None:
        self.events.append(("complete", item, chr(kind)))

    def on_error(self, entry: Owed | None, message: bytes) -> None:
        self.events.append(("error", None if entry is None else entry[1]))

    def on_dropped(self, entries: list[Owed]) -> None:
        assert entries
        self.dropped |= {number for _, number, _ in entries if number is not None}

    def on_ready(self, item: Any, status: int, internal: bool) -> bytes:
        self.events.append(("ready", item, chr(status), internal))
        return notice_before(item)

    def on_aside(self, item: Any, kind: int, message: bytes) -> bytes | None:
        self.events.append(("aside", chr(kind)))
        return None


class Replay:
    """Plays a conversation to a walker: messages are forwarded as early as ``early`` says."""

    def __init__(self, sent: list[Sent]) -> None:
        self.sent = sent
        self.ear = Ear()
        self.ledger = Ledger()
        self.walker = ReplyWalker(self.ledger, self.ear)
        self.client = b""
        self.ignored: set[int] = set()

    def forward(self, one: Sent) -> None:
        if one.kind in "cf":
            self.ledger.copy_ended()
        elif one.kind in CODES and not self.ledger.push(CODES[one.kind], one.number, one.internal):
            self.ignored.add(one.number)

    def play(self, cuts: list[int], early: list[int]) -> None:
        """Forward message by message, ``early`` of them ahead, and answer in cut pieces."""
        ahead = iter(early)
        forwarded = 0
        for index, one in enumerate(self.sent):
            until = min(len(self.sent), max(forwarded, index + 1 + next(ahead, 0)))
            for other in self.sent[forwarded:until]:
                self.forward(other)
            forwarded = until
            for piece in pieces_of(b"".join(one.reply), cuts):
                self.client += b"".join(self.walker.feed(piece))


def expected_of(sent: list[Sent]) -> tuple[bytes, list[tuple[object, ...]], dict[int, bytes]]:
    client = b"".join(said for one in sent for said in one.for_client)
    events = [event for one in sent for event in one.events]
    return client, events, {one.number: one.rows for one in sent if one.rows}


FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@settings(FEW, max_examples=150)
@given(conversations(), CUTS, st.lists(st.integers(0, 5), max_size=14))
def test_a_conversation_has_one_meaning(
    sent: list[Sent], cuts: list[int], early: list[int]
) -> None:
    replay = Replay(sent)
    replay.play(cuts, early)
    client, events, rows = expected_of(sent)
    assert replay.client == client
    assert replay.ear.events == events
    assert dict(replay.ear.rows) == rows
    assert replay.walker.at_boundary
    answered = {number for _, number, _ in replay.ledger.owed}
    ignored = {one.number for one in sent if one.is_ignored and one.kind in CODES}
    assert ignored <= replay.ignored | replay.ear.dropped
    assert not answered & ignored


@FEW
@given(conversations(), st.integers(0, 4))
def test_every_byte_boundary_will_do(sent: list[Sent], early: int) -> None:
    sent = [one for one in sent if sum(map(len, one.reply)) < 400]
    replay = Replay(sent)
    try:
        replay.play(list(range(400)), [early] * len(sent))
    except ProtocolViolation:
        return  # what was left out made a difference
    whole = Replay(sent)
    whole.play([], [early] * len(sent))
    assert replay.client == whole.client
    assert replay.ear.events == whole.ear.events
    assert replay.ear.rows == whole.ear.rows


def walk(ledger: Ledger, *pieces: bytes) -> bytes:
    walker = ReplyWalker(ledger, Ear())
    return b"".join(part for piece in pieces for part in walker.feed(piece))


def owing(*codes: int) -> Ledger:
    ledger = Ledger()
    for number, code in enumerate(codes):
        ledger.push(code, number)
    return ledger


@pytest.mark.parametrize(
    ("owed", "said"),
    [
        ((), READY["I"]),
        ((PARSE,), READY["I"]),
        ((), ROW),
        ((PARSE,), ROW),
        ((), message("1")),
        ((BIND,), message("1")),
        ((PARSE,), message("C", b"SELECT 1\0")),
        ((), message("s")),
        ((EXECUTE,), DESCRIPTION),
        ((PARSE,), message("n")),
        ((DESCRIBE,), message("G", b"\0\0\0")),
        ((), message("G", b"\0\0\0")),
        ((QUERY,), message("Z")),
        ((QUERY,), message("Z", b"II")),
        ((QUERY,), b"C\0\0\0\3"),
    ],
)
def test_W74_an_origin_that_answers_out_of_turn_is_given_up(
    owed: tuple[int, ...], said: bytes
) -> None:
    with pytest.raises(ProtocolViolation):
        walk(owing(*owed), said)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([PARSE, EXECUTE, QUERY, SYNC]), max_size=3), st.binary(max_size=99))
def test_W74_any_bytes_are_walked_or_given_up(owed: list[int], said: bytes) -> None:
    try:
        walk(owing(*owed), said)
    except ProtocolViolation:
        pass


def test_the_chunk_itself_goes_to_the_client() -> None:
    data = ROW * 3 + message("C", b"SELECT 3\0")
    (out,) = ReplyWalker(owing(EXECUTE), Ear()).feed(data)
    assert out is data


def test_a_row_may_end_like_ready() -> None:
    row = message("D", b"\0\1\0\0\0\6" + READY["I"])
    ear = Ear()
    walker = ReplyWalker(owing(QUERY), ear)
    assert walker.feed(row + message("C", b"SELECT 1\0")) != []
    assert [event[0] for event in ear.events] == ["complete"]


def test_rows_are_shown_piece_by_piece() -> None:
    ear = Ear()
    walker = ReplyWalker(owing(EXECUTE), ear)
    assert b"".join(walker.feed(ROW[:3])) == b""
    assert b"".join(walker.feed(ROW[3:7])) == ROW[:7]
    assert not walker.at_boundary
    assert b"".join(walker.feed(ROW[7:] + ROW)) == ROW[7:] + ROW
    assert ear.rows[0] == ROW + ROW


def test_W58_the_client_hears_that_a_message_put_in_for_it_failed() -> None:
    for code, seen in ((PARSE, ERROR), (BIND, ERROR), (EXECUTE, ERROR), (QUERY, b"")):
        ledger = Ledger()
        ledger.push(code, 0, internal=True)
        assert walk(ledger, ERROR) == seen


def test_W42_the_client_hears_the_end_whatever_the_origin_was_doing() -> None:
    for severity in (b"FATAL", b"PANIC"):
        fatal = message("E", b"S" + severity + b"\0V" + severity + b"\0C57P01\0Mend\0\0")
        ledger = Ledger()
        ledger.push(QUERY, 0, internal=True)
        assert walk(ledger, fatal) == fatal
        assert walk(Ledger(), fatal) == fatal


def test_an_end_of_copy_without_a_copy_hides_no_rows() -> None:
    ledger = owing(BIND)
    ledger.copy_ended()
    ledger.push(EXECUTE, 7)
    ear = Ear()
    ReplyWalker(ledger, ear).feed(message("2") + ROW + message("C", b"SELECT 1\0"))
    assert ear.rows == {7: ROW}


def test_a_listener_may_say_something_else_instead() -> None:
    class Deaf(Ear):
        def on_aside(self, item: Any, kind: int, message: bytes) -> bytes | None:
            return b"" if kind == ord("N") else None

    walker = ReplyWalker(owing(QUERY), Deaf())
    notice = message("N", b"\0")
    assert b"".join(walker.feed(ROW + notice + ROW + notice)) == ROW + ROW

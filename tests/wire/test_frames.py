"""Client framing: the same messages however the bytes are cut."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pgcache.errors import ProtocolViolation
from pgcache.wire import frames as module
from pgcache.wire.codes import COPY_DATA
from pgcache.wire.frames import ClientFrames, Frame
from tests.support.frames import message
from tests.wire.cutting import CUTS, pieces_of

MESSAGES = st.lists(
    st.builds(message, st.sampled_from("QPBDESHXdcfz"), st.binary(max_size=40)), max_size=12
)


def cut(pieces: Iterable[bytes]) -> list[Frame]:
    return list(cut_lazily(pieces))


def cut_lazily(pieces: Iterable[bytes]) -> Iterator[Frame]:
    frames = ClientFrames()
    for piece in pieces:
        yield from frames.feed(piece)


def assemble(found: Iterable[Frame]) -> list[bytes]:
    """Put the pieces of large messages together, and take runs of CopyData apart."""
    whole: list[bytes] = []
    pending: bytes | None = None
    for kind, raw, complete in found:
        if kind == 0:
            assert pending is not None
            pending += raw
        else:
            assert pending is None
            assert raw[0] == kind
            pending = raw
        if complete:
            whole += split(pending)
            pending = None
    assert pending is None
    return whole


def split(raw: bytes) -> list[bytes]:
    out: list[bytes] = []
    while raw:
        (length,) = struct.unpack_from("!I", raw, 1)
        out.append(raw[: length + 1])
        raw = raw[length + 1 :]
    assert len(out) == 1 or {part[0] for part in out} == {COPY_DATA}
    return out


@given(MESSAGES, CUTS)
def test_messages_come_out_whole_however_they_are_cut(sent: list[bytes], cuts: list[int]) -> None:
    found = cut(pieces_of(b"".join(sent), cuts))
    assert assemble(found) == sent
    assert all(complete for _, _, complete in found)


@given(MESSAGES, CUTS)
def test_large_messages_are_passed_on_in_pieces(sent: list[bytes], cuts: list[int]) -> None:
    with mock.patch.object(module, "MAX_ASSEMBLED", 16):
        frames = ClientFrames()
        found: list[Frame] = []
        held = 0
        for piece in pieces_of(b"".join(sent), cuts):
            held += len(piece)
            for frame in frames.feed(piece):
                found.append(frame)
                held -= len(frame[1])
            assert held <= 16  # one byte of type, and a length that counts itself
            assert frames.at_boundary or held or not found[-1][2]
        assert frames.at_boundary
    assert assemble(found) == sent


@given(MESSAGES, st.sampled_from([0, 3, 0x40000000, 0x7FFFFFFF, 0xFFFFFFFF]), CUTS)
def test_W07_an_impossible_length_ends_it_after_what_came_before(
    sent: list[bytes], length: int, cuts: list[int]
) -> None:
    data = b"".join(sent) + struct.pack("!cI", b"Q", length) + b"rest"
    found = cut_lazily(pieces_of(data, cuts))
    before = 0
    while before < sum(map(len, sent)):
        before += len(next(found)[1])
    with pytest.raises(ProtocolViolation):
        next(found)


@given(st.binary(max_size=200), CUTS)
@example(b"Q\x00\x00\x00\x04", [1, 4])
def test_any_bytes_give_frames_or_a_violation(data: bytes, cuts: list[int]) -> None:
    def outcome(pieces: Iterable[bytes]) -> tuple[bytes, bool]:
        frames, out = ClientFrames(), b""
        try:
            for piece in pieces:
                for _, raw, _ in frames.feed(piece):
                    out += raw
        except ProtocolViolation:
            return out, True
        return out, False

    assert outcome(pieces_of(data, cuts)) == outcome([data])


def test_a_run_of_copy_data_is_one_frame() -> None:
    rows = b"".join(message("d", b"row %d" % number) for number in range(3))
    assert cut([rows + message("c")]) == [
        (COPY_DATA, rows, True),
        (ord("c"), message("c"), True),
    ]


def test_a_whole_chunk_is_passed_on_without_a_copy() -> None:
    data = message("Q", b"select 1\0")
    ((_, raw, _),) = cut([data])
    assert raw is data


def test_a_boundary_is_where_nothing_waits() -> None:
    frames = ClientFrames()
    at_boundary = []
    for piece in (b"", b"Q\x00\x00", b"\x00\x05", b"\x00"):
        list(frames.feed(piece))
        at_boundary.append(frames.at_boundary)
    assert at_boundary == [True, False, False, True]

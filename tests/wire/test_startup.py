"""Packets before the first message: limits, layouts, values (W-01, W-06, W-07, W-10)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.errors import ProtocolViolation
from pgcache.wire import startup as module
from pgcache.wire.startup import (
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    SSL_REQUEST,
    Packet,
    build_cancel,
    build_ssl_request,
    build_startup,
    is_replication,
    parse_cancel,
    parse_parameters,
    take_packet,
)
from tests.support import frames

V3 = frames.PROTOCOL_3_0
WORDS = st.text(st.characters(max_codepoint=255, exclude_characters="\0"), max_size=12)
PARAMETERS = st.dictionaries(WORDS.filter(bool), WORDS, max_size=6)


def packet(body: bytes, code: int = V3) -> Packet:
    return Packet(code, struct.pack("!II", len(body) + 8, code) + body)


@given(PARAMETERS, st.binary(max_size=20))
def test_a_startup_packet_is_taken_when_it_is_whole(
    parameters: dict[str, str], rest: bytes
) -> None:
    raw = build_startup(V3, parameters)
    for size in range(len(raw)):
        assert take_packet(raw[:size]) is None
    taken = take_packet(bytearray(raw + rest))
    assert taken == Packet(V3, raw)
    assert taken is not None
    assert taken.is_startup
    assert parse_parameters(taken) == parameters


@pytest.mark.parametrize("length", [0, 3, 4, 7, 10_005, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_W07_lengths_out_of_bounds(length: int) -> None:
    with pytest.raises(ProtocolViolation):
        take_packet(struct.pack("!I", length))


def test_W07_the_longest_packet_excludes_the_length_word() -> None:
    raw = struct.pack("!II", 10_004, V3) + b"\0" * 9_996
    assert take_packet(raw) == Packet(V3, raw)
    assert take_packet(struct.pack("!II", 8, V3)) is not None


def test_W01_requests_are_no_startup() -> None:
    assert build_ssl_request() == frames.SSL_REQUEST
    for raw, code in (
        (frames.SSL_REQUEST, SSL_REQUEST),
        (frames.GSS_REQUEST, GSSENC_REQUEST),
        (frames.cancel(1, b"abcd"), CANCEL_REQUEST),
    ):
        taken = take_packet(raw)
        assert taken == Packet(code, raw)
        assert taken is not None
        assert not taken.is_startup


def read_as_postgresql_does(body: bytes) -> dict[str, str] | None:
    """ProcessStartupPacket's loop, with its variables."""
    offset = 0
    found: dict[str, str] = {}
    padded = body + b"\0"  # it puts a terminator after what it has read
    while offset < len(body):
        name = padded[offset : padded.index(0, offset)]
        if not name:
            break
        value_offset = offset + len(name) + 1
        if value_offset >= len(body):
            break
        value = padded[value_offset : padded.index(0, value_offset)]
        found[name.decode("latin-1")] = value.decode("latin-1")
        offset = value_offset + len(value) + 1
    return found if offset == len(body) - 1 else None


@given(st.lists(st.sampled_from([b"\0", b"user", b"a", b"\xff", b"\0\0"]), max_size=12))
def test_W07_layouts_are_judged_as_postgresql_does(parts: list[bytes]) -> None:
    body = b"".join(parts)
    expected = read_as_postgresql_does(body)
    if body.endswith(b"\0"):
        assert parse_parameters(packet(body)) == expected
    else:  # PostgreSQL takes a last byte that is a name without a value for the terminator
        assert parse_parameters(packet(body)) is None


def test_W07_every_truncation_is_refused() -> None:
    raw = build_startup(V3, {"user": "u", "database": "d"})[8:]
    for size in range(len(raw)):
        assert parse_parameters(packet(raw[:size])) is None


def test_the_last_of_equal_names_wins() -> None:
    assert parse_parameters(packet(b"user\0a\0user\0b\0\0")) == {"user": "b"}


def test_W04_other_protocols_have_no_parameters() -> None:
    assert parse_parameters(packet(b"user\0a\0\0", 2 << 16)) is None
    assert parse_parameters(packet(b"user\0a\0\0", (3 << 16) | 9999)) == {"user": "a"}
    assert parse_parameters(packet(b"user\0a\0\0", (4 << 16))) is None


def parse_bool(value: str) -> bool | None:
    """PostgreSQL's parse_bool, written from its documentation."""
    lowered = value.lower()
    for word, truth in (("true", True), ("false", False), ("yes", True), ("no", False)):
        if lowered and word.startswith(lowered):
            return truth
    for word, truth in (("on", True), ("off", False)):
        if len(lowered) > 1 and word.startswith(lowered):
            return truth
    return {"1": True, "0": False}.get(value)


@pytest.mark.parametrize("value", ["database", "true", "YES", "on", "1", "t", "maybe", "", "o"])
def test_W10_what_is_not_surely_false_is_replication(value: str) -> None:
    assert is_replication({"replication": value})


@pytest.mark.parametrize("value", ["false", "FALSE", "f", "no", "n", "off", "OF", "0", "fal"])
def test_W10_what_postgresql_reads_as_false_is_none(value: str) -> None:
    assert parse_bool(value) is False
    assert not is_replication({"replication": value})


@given(st.text("truefalsynodTRUEFALSYNOD01 ", max_size=6))
def test_W10_the_spellings_are_parse_bools(value: str) -> None:
    assert is_replication({"replication": value}) == (parse_bool(value) is not False)


def test_W10_without_the_parameter_there_is_none() -> None:
    assert not is_replication({"user": "replication"})


@given(st.integers(0, 0xFFFFFFFF), st.binary(min_size=4, max_size=256))
def test_W06_cancel_secrets_have_4_to_256_bytes(pid: int, secret: bytes) -> None:
    raw = struct.pack("!III", 12 + len(secret), CANCEL_REQUEST, pid) + secret
    taken = take_packet(raw)
    assert taken is not None
    assert parse_cancel(taken) == (pid, secret)


@pytest.mark.parametrize("size", [0, 3, 257])
def test_W06_other_lengths_of_secrets_are_refused(size: int) -> None:
    with pytest.raises(ProtocolViolation):
        parse_cancel(packet(b"\0\0\0\1" + b"s" * size, CANCEL_REQUEST))


def test_limits_are_postgresqls() -> None:
    assert module.MAX_PACKET == 10_000


@given(st.integers(0, 2**32 - 1), st.binary(min_size=4, max_size=256))
def test_a_cancel_request_reads_back(pid: int, secret: bytes) -> None:
    taken = take_packet(build_cancel(pid, secret))
    assert taken is not None
    assert taken.code == CANCEL_REQUEST
    assert parse_cancel(taken) == (pid, secret)

"""Messages: what is built can be read back, and what is malformed is refused in one way."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.errors import ProtocolViolation
from pgcache.wire import messages
from pgcache.wire.messages import Bind, Execute, Parse, Target
from tests.support import frames

NAMES = st.binary(max_size=10).map(lambda raw: raw.replace(b"\0", b""))
CODES = st.lists(st.integers(0, 0xFFFF), max_size=4)
VALUES = st.lists(st.none() | st.binary(max_size=10), max_size=4)
PARSERS: dict[str, Callable[[bytes], object]] = {
    "Q": messages.parse_query,
    "P": messages.parse_parse,
    "B": messages.parse_bind,
    "D": messages.parse_target,
    "C": messages.parse_target,
    "E": messages.parse_execute,
}


@given(NAMES, NAMES, st.lists(st.integers(0, 0xFFFFFFFF), max_size=4))
def test_parse_round_trip(name: bytes, text: bytes, types: list[int]) -> None:
    body = name + b"\0" + text + b"\0" + struct.pack(f"!H{len(types)}I", len(types), *types)
    built = frames.message("P", body)
    assert messages.parse_parse(built) == Parse(name, text, tuple(types))


@given(NAMES, NAMES, CODES, VALUES, CODES)
def test_bind_round_trip(
    portal: bytes,
    statement: bytes,
    formats: list[int],
    values: list[bytes | None],
    results: list[int],
) -> None:
    body = portal + b"\0" + statement + b"\0"
    body += struct.pack(f"!H{len(formats)}H", len(formats), *formats)
    body += frames.build_row(values)
    body += struct.pack(f"!H{len(results)}H", len(results), *results)
    expected = Bind(portal, statement, tuple(formats), tuple(values), tuple(results))
    assert messages.parse_bind(frames.message("B", body)) == expected


@given(NAMES, st.integers(-(2**31), 2**31 - 1))
def test_execute_round_trip(portal: bytes, maximum: int) -> None:
    built = messages.build_execute(portal, maximum)
    assert messages.parse_execute(built) == Execute(portal, max(maximum, 0))


@given(NAMES, st.booleans(), st.sampled_from("DC"))
def test_target_round_trip(name: bytes, is_statement: bool, kind: str) -> None:
    body = (b"S" if is_statement else b"P") + name + b"\0"
    assert messages.parse_target(frames.message(kind, body)) == Target(is_statement, name)


@given(st.text().map(lambda text: text.replace("\0", "")))
def test_query_round_trip(text: str) -> None:
    assert messages.parse_query(messages.build_query(text)) == text.encode()


@given(st.sampled_from(sorted(PARSERS)), st.binary(max_size=60))
def test_malformed_bodies_are_violations_and_nothing_else(kind: str, body: bytes) -> None:
    try:
        PARSERS[kind](frames.message(kind, body))
    except ProtocolViolation:
        pass


WELL_FORMED = [
    frames.query("select 1"),
    frames.parse("s", "select $1", [23]),
    frames.bind("p", "s", [b"abc", None], [0, 1], [1]),
    frames.describe_request("S", "s"),
    frames.close_request("P", "p"),
    frames.execute("p", 7),
]


@pytest.mark.parametrize("whole", WELL_FORMED, ids=lambda raw: chr(raw[0]))
def test_every_truncation_and_every_addition_is_a_violation(whole: bytes) -> None:
    parser, body = PARSERS[chr(whole[0])], whole[5:]
    parser(whole)
    for size in range(len(body)):
        with pytest.raises(ProtocolViolation):
            parser(frames.message(chr(whole[0]), body[:size]))
    with pytest.raises(ProtocolViolation):
        parser(frames.message(chr(whole[0]), body + b"x"))


@pytest.mark.parametrize("size", [-2, -(2**31)])
def test_only_minus_one_is_null(size: int) -> None:
    body = b"\0\0" + struct.pack("!HHiH", 0, 1, size, 0)
    with pytest.raises(ProtocolViolation):
        messages.parse_bind(frames.message("B", body))


def test_a_describe_of_something_else_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation):
        messages.parse_target(frames.message("D", b"Xname\0"))


def test_errors_and_notices_have_all_their_fields() -> None:
    built = messages.build_error("57P01", "no more", detail="d", hint="h", severity="FATAL")
    expected = {"S": "FATAL", "V": "FATAL", "C": "57P01", "M": "no more", "D": "d", "H": "h"}
    assert built[:1] == b"E"
    assert frames.fields(built[5:]) == expected
    assert frames.Splitter().feed(built)[0].encode() == built
    notice = messages.build_notice("é")
    assert notice[:1] == b"N"
    expected = {"S": "NOTICE", "V": "NOTICE", "C": "00000", "M": "é"}
    assert frames.fields(notice[5:]) == expected


def test_parameter_status() -> None:
    said = frames.message("S", b"TimeZone\0Asia/Tokyo\0")
    assert messages.parse_parameter_status(said) == ("TimeZone", "Asia/Tokyo")


@pytest.mark.parametrize("body", [b"", b"name", b"name\0", b"name\0value", b"a\0b\0c\0"])
def test_W74_a_malformed_parameter_status_is_a_violation(body: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        messages.parse_parameter_status(frames.message("S", body))


@given(VALUES)
def test_data_row_round_trip(values: list[bytes | None]) -> None:
    assert messages.parse_data_row(frames.message("D", frames.build_row(values))) == values


@given(st.binary(max_size=30))
def test_malformed_rows_are_violations(body: bytes) -> None:
    try:
        values = messages.parse_data_row(frames.message("D", body))
    except ProtocolViolation:
        return
    assert len(values) == struct.unpack_from("!H", body)[0]


@given(st.lists(st.none() | st.text(max_size=8), max_size=5))
def test_own_rows_are_text(values: list[str | None]) -> None:
    built = messages.build_data_row(values)
    told = [None if value is None else value.encode() for value in values]
    assert frames.row_values(built[5:]) == told


def test_own_descriptions_are_text_columns() -> None:
    built = messages.build_row_description(["a", "b"])
    assert messages.column_count(built) == 2
    told = frames.columns(built[5:])
    assert [(column.name, column.type, column.format) for column in told] == [
        ("a", 25, 0),
        ("b", 25, 0),
    ]
    assert messages.build_command_complete("SELECT 3") == frames.message("C", b"SELECT 3\0")


@given(NAMES, NAMES, CODES, VALUES, CODES)
def test_what_is_asked_again_reads_back(
    name: bytes, text: bytes, formats: list[int], values: list[bytes | None], results: list[int]
) -> None:
    types = tuple(formats)
    parse = messages.build_parse(name, text, types)
    assert messages.parse_parse(parse) == Parse(name, text, types)
    bind = Bind(b"p", b"s", tuple(formats), tuple(values), tuple(results))
    assert messages.parse_bind(messages.build_bind(b"p", b"s", bind)) == bind
    for target in (Target(True, name), Target(False, name)):
        assert messages.parse_target(messages.build_target(ord("D"), target)) == target


def test_an_error_tells_its_code() -> None:
    built = messages.build_error("57P03", "Careful: Cold", detail="C", severity="FATAL")
    assert messages.error_code(built) == "57P03"
    assert messages.error_code(messages.build(ord("E"), b"SFATAL\0MCold\0\0")) == ""
    assert messages.error_code(messages.build(ord("E"), b"")) == ""

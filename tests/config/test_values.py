from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.config.values import (
    Address,
    format_duration,
    format_size,
    parse_address,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("given_value", "seconds"),
    [
        (0, 0.0),
        (1.5, 1.5),
        ("300", 300.0),
        ("300s", 300.0),
        (" 5 min ", 300.0),
        ("1h", 3600.0),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        ("250ms", 0.25),
        ("10us", 1e-5),
    ],
)
def test_durations(given_value: Any, seconds: float) -> None:
    assert parse_duration(given_value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "given_value",
    ["", "abc", "5m", "-1s", -1, "1e3", "5 minutes", None, [], True, math.inf, math.nan, "٣s"],
)
def test_what_is_no_duration(given_value: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration; give a number of seconds"):
        parse_duration(given_value)


@pytest.mark.parametrize(
    ("given_value", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("1B", 1),
        ("64kB", 65536),
        ("256MB", 2**28),
        ("1.5 GB", 3 * 2**29),
        ("2TB", 2**41),
    ],
)
def test_sizes(given_value: Any, size: int) -> None:
    assert parse_size(given_value) == size


@pytest.mark.parametrize("given_value", ["", "1KB", "1mb", "1.5B", "-1", 1.5, False, "1 PB", None])
def test_what_is_no_size(given_value: Any) -> None:
    with pytest.raises(ValueError, match="is not a size; give a number of bytes"):
        parse_size(given_value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:6432", Address("127.0.0.1", 6432)),
        ("db.example:0", Address("db.example", 0)),
        ("[::1]:6432", Address("::1", 6432)),
        ("*:6432", Address("", 6432)),
        (":6432", Address("", 6432)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address
    assert parse_address(address) is address


@pytest.mark.parametrize(
    "given_value",
    ["", "6432", "localhost", "::1:6432", "h:", "h:x", "h:65536", "h:-1", 6432, "h:²"],
)
def test_what_is_no_address(given_value: Any) -> None:
    with pytest.raises(ValueError, match="is not an address; give HOST:PORT"):
        parse_address(given_value)


@given(st.integers(0, 2**50))
def test_a_shown_size_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.integers(0, 10**6) | st.integers(1, 999).map(lambda n: n / 1000))
def test_a_shown_duration_reads_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)

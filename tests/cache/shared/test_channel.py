"""Messages of the channel, as the scripts write them."""

from __future__ import annotations

import pytest

from pgcache.cache.shared.channel import (
    Beat,
    CancelAsked,
    CancelTaken,
    Landed,
    Moved,
    Ordered,
    Redefined,
    parse_message,
)

ME = b"0123456789abcdef"


def packed(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def test_messages() -> None:
    assert parse_message(b"m" + ME + packed(b"r1", b"nlabel")) == Moved(ME, frozenset((1, "label")))
    assert parse_message(b"m" + ME + packed(b"r1", b"*")) == Moved(ME, None)
    assert parse_message(b"s" + ME + b"token") == Redefined(ME, b"token")
    assert parse_message(b"b" + ME + b"17") == Beat(17)
    assert parse_message(b"c" + ME + bytes(16)) == CancelAsked(ME, bytes(16))
    assert parse_message(b"d" + ME + bytes(16)) == CancelTaken(bytes(16))
    assert parse_message(b"o" + ME + bytes(16) + b"orders") == Ordered(bytes(16), b"orders")
    for end, stored, worth_it in ((b"+", True, True), (b"-", False, True), (b"!", False, False)):
        landed = parse_message(b"f" + ME + bytes(16) + end)
        assert landed == Landed(bytes(16), stored, worth_it)


@pytest.mark.parametrize(
    "data",
    [b"", b"x" + ME, b"f" + ME, b"b" + ME, b"m" + ME + packed(b"r1")[:-1], b"m" + ME + b"\0"],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_message(data)

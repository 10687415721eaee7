"""Constants against the protocol's own letters."""

from __future__ import annotations

from pgcache.wire import codes
from tests.support import frames


def test_ready_made_messages_are_whole_messages() -> None:
    assert frames.message("1") == codes.MSG_PARSE_COMPLETE
    assert frames.message("2") == codes.MSG_BIND_COMPLETE
    assert frames.message("3") == codes.MSG_CLOSE_COMPLETE
    assert frames.message("s") == codes.MSG_PORTAL_SUSPENDED
    assert codes.MSG_TERMINATE == frames.TERMINATE
    for status in b"ITE":
        assert codes.MSG_READY[status] == frames.message("Z", bytes([status]))


def test_W74_only_known_types_count_as_a_clients() -> None:
    assert bytes(sorted(codes.CLIENT_TYPES, key=b"BCcdDEfFHPpQSX".index)) == b"BCcdDEfFHPpQSX"
    assert ord("z") not in codes.CLIENT_TYPES

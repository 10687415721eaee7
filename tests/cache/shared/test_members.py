"""The list of members."""

from __future__ import annotations

import pytest

from pgcache.cache.shared.members import Member, parse_members


def test_members() -> None:
    packed = b"".join(
        b"%s%013d%010d%s" % (name, 1764098000123, pid, b"00c0ffee")
        for name, pid in ((b"a" * 16, 0), (b"b" * 16, 4194304))
    )
    assert parse_members(packed) == [
        Member(b"a" * 16, 1764098000123, 0, "00c0ffee"),
        Member(b"b" * 16, 1764098000123, 4194304, "00c0ffee"),
    ]
    assert parse_members(b"") == []
    with pytest.raises(ValueError, match="damaged"):
        parse_members(packed[:-1])

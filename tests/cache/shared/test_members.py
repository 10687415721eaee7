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


def test_T10_who_is_gone_is_not_waited_for() -> None:
    late, gone = (Member(b"a" * 16, until, 7, "00c0ffee") for until in (1_000, 0))
    assert (late.is_gone, late.is_absent(999), late.is_absent(1_001)) == (False, False, True)
    assert (gone.is_gone, gone.is_absent(1_001)) == (True, False)

"""PostgreSQL's encodings by their names (S-12)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcache.sql.encodings import decode, encode, is_exact


@pytest.mark.parametrize(
    ("name", "raw", "text"),
    [
        ("UTF8", b"\xc3\xa9", "é"),
        ("utf-8", b"\xc3\xa9", "é"),
        ("UNICODE", b"\xc3\xa9", "é"),
        ("SQL_ASCII", b"\xc3\xa9", "é"),
        ("LATIN1", b"\xe9", "é"),
        ("iso-8859-1", b"\xe9", "é"),
        ("LATIN9", b"\xa4", "€"),
        ("WIN1251", b"\xe9", "й"),
        ("KOI8R", b"\xca", "й"),
        ("EUC_JP", b"\xb0\xa1", "亜"),
        ("SJIS", b"\x88\x9f", "亜"),
        ("GB18030", b"\xd1\xc7", "亚"),
        ("MULE_INTERNAL", b"\xe9", "é"),  # unknown here: byte for byte
    ],
)
def test_encodings(name: str, raw: bytes, text: str) -> None:
    decoded, codec = decode(raw, name)
    assert decoded == text
    assert encode(decoded, codec) == raw


@settings(deadline=None)
@given(st.binary(), st.sampled_from(["UTF8", "SQL_ASCII", "LATIN1", "nonsense"]))
def test_bytes_come_back(raw: bytes, name: str) -> None:
    decoded, codec = decode(raw, name)
    assert encode(decoded, codec) == raw
    assert is_exact(decoded, codec, raw)


@settings(deadline=None)
@given(st.binary(), st.sampled_from(["SJIS", "EUC_JP", "BIG5", "WIN1252", "JOHAB", "EUC_CN"]))
def test_exactness_is_told(raw: bytes, name: str) -> None:
    decoded, codec = decode(raw, name)
    assert is_exact(decoded, codec, raw) == (encode(decoded, codec) == raw)

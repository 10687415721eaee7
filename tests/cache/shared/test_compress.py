"""Compression: back and forth, bounded, and damaged input is only ever CannotExpand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.cache.shared.compress import CannotExpand, Method, compress, expand, method_of

DATA = b"some rows, again and again; " * 500


@pytest.mark.parametrize("method", list(Method))
def test_back_and_forth(method: Method) -> None:
    for data in (DATA, b"x", bytes(range(256)) * 300):
        assert expand(method, compress(method, data), len(data)) == data


@pytest.mark.parametrize("method", [Method.ZSTD, Method.GZIP, Method.LZ4])
def test_it_is_shorter(method: Method) -> None:
    assert len(compress(method, DATA)) < len(DATA) / 10


@pytest.mark.parametrize("method", list(Method))
def test_another_size_is_refused(method: Method) -> None:
    packed = compress(method, DATA)
    for size in (0, len(DATA) - 1, len(DATA) + 1):
        with pytest.raises(CannotExpand):
            expand(method, packed, size)


@pytest.mark.parametrize("method", [Method.ZSTD, Method.GZIP, Method.LZ4])
@given(data=st.binary(max_size=200), size=st.integers(0, 2**31))
def test_damage_is_refused(method: Method, data: bytes, size: int) -> None:
    with pytest.raises(CannotExpand):
        expand(method, data, size)


def test_names() -> None:
    assert method_of("zstd") is Method.ZSTD
    assert method_of("none") is Method.NONE
    assert method_of("lz4") is Method.LZ4

"""Results compared: in order, or whatever the order."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from pgcache.cache.compare import is_same, rows_digest, split_rows
from pgcache.cache.entry import Entry
from tests.cache.conftest import data_row

MakeEntry = Callable[..., Entry]


def with_rows(make_entry: MakeEntry, *texts: bytes) -> Entry:
    entry = make_entry(rows=len(texts))
    entry.rows = b"".join(map(data_row, texts))
    return entry


def test_the_order_counts_where_it_was_asked_for(make_entry: MakeEntry) -> None:
    one = with_rows(make_entry, b"a", b"b", b"b")
    other = with_rows(make_entry, b"b", b"a", b"b")
    assert is_same(one, other, ordered=False)
    assert not is_same(one, other, ordered=True)
    assert is_same(one, with_rows(make_entry, b"a", b"b", b"b"), ordered=True)
    assert rows_digest(one) != rows_digest(other)
    assert len(rows_digest(one)) == 16


def test_how_often_a_row_comes_counts(make_entry: MakeEntry) -> None:
    one = with_rows(make_entry, b"a", b"b", b"b")
    assert not is_same(one, with_rows(make_entry, b"a", b"a", b"b"), ordered=False)
    assert not is_same(one, with_rows(make_entry, b"a", b"b"), ordered=False)


def test_a_description_counts_where_both_have_one(make_entry: MakeEntry) -> None:
    one, other = make_entry(), make_entry()
    other.row_description = None
    assert is_same(one, other, ordered=True)
    other.row_description = b"T\0\0\0\x06\0\1"
    assert not is_same(one, other, ordered=True)


@given(st.lists(st.binary(max_size=5), max_size=8), st.integers())
def test_rows_are_cut_at_their_ends(texts: list[bytes], seed: int) -> None:
    rows = [data_row(text) for text in texts]
    assert list(split_rows(b"".join(rows))) == rows
    random.Random(seed).shuffle(rows)
    assert sorted(split_rows(b"".join(rows))) == sorted(map(data_row, texts))

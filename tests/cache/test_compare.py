"""Results compared: in order, or whatever the order."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.cache.compare import Likeness, liken, rows_digest, split_rows
from pgcache.cache.entry import Entry
from tests.cache.conftest import data_row
from tests.support.frames import build_row, message

MakeEntry = Callable[..., Entry]


def with_rows(make_entry: MakeEntry, *texts: bytes) -> Entry:
    entry = make_entry(rows=len(texts))
    entry.rows = b"".join(map(data_row, texts))
    return entry


def test_the_order_counts_where_it_was_asked_for(make_entry: MakeEntry) -> None:
    one = with_rows(make_entry, b"a", b"b", b"b")
    other = with_rows(make_entry, b"b", b"a", b"b")
    assert liken(one, other, ordered=False) is Likeness.SAME
    assert liken(one, other, ordered=True) is Likeness.REORDERED
    same = with_rows(make_entry, b"a", b"b", b"b")
    assert liken(one, same, ordered=True) is Likeness.SAME
    assert rows_digest(one) != rows_digest(other)
    assert len(rows_digest(one)) == 16


def test_how_often_a_row_comes_counts(make_entry: MakeEntry) -> None:
    one = with_rows(make_entry, b"a", b"b", b"b")
    for texts in ((b"a", b"a", b"b"), (b"a", b"b")):
        other = with_rows(make_entry, *texts)
        assert liken(one, other, ordered=False) is Likeness.DIFFERENT
        assert liken(one, other, ordered=True) is Likeness.DIFFERENT


def test_a_description_counts_where_both_have_one(make_entry: MakeEntry) -> None:
    one, other = make_entry(), make_entry()
    other.row_description = None
    assert liken(one, other, ordered=True) is Likeness.SAME
    other.row_description = b"T\0\0\0\x06\0\1"
    assert liken(one, other, ordered=True) is Likeness.DIFFERENT


def _row(values: Iterable[bytes | None]) -> bytes:
    return message("D", build_row(values))


def described(*columns: tuple[int, int]) -> bytes:
    """A RowDescription of columns of these types and formats."""
    body = struct.pack("!h", len(columns))
    for oid, form in columns:
        body += b"c\0" + struct.pack("!ihihih", 0, 0, oid, -1, -1, form)
    return b"T" + struct.pack("!i", len(body) + 4) + body


def of_floats(make_entry: MakeEntry, oid: int, *rows: tuple[bytes, bytes | None]) -> Entry:
    """A result of a text and a float, both as text."""
    entry = make_entry(rows=len(rows))
    entry.row_description = described((25, 0), (oid, 0))
    entry.rows = b"".join(map(_row, rows))
    return entry


@pytest.mark.parametrize(
    ("oid", "one", "other", "is_same"),
    [
        (701, b"0.30000000000000004", b"0.3", True),
        (701, b"1e300", b"1.00000000001e300", True),
        (701, b"100.0", b"100.001", False),
        (701, b"1e-17", b"0", True),
        (701, b"NaN", b"NaN", True),
        (701, b"NaN", b"1", False),
        (701, b"Infinity", b"Infinity", True),
        (701, b"Infinity", b"1e308", False),
        (701, None, b"0", False),
        (701, b"nonsense", b"0", False),
        (700, b"3.1415927", b"3.141592", True),
        (700, b"3.15", b"3.14", False),
        (1700, b"0.30000000000000004", b"0.3", False),  # numeric is exact
    ],
)
def test_sums_of_floats_depend_on_the_order_of_adding(
    make_entry: MakeEntry, oid: int, one: bytes | None, other: bytes | None, is_same: bool
) -> None:
    # Something else differs in its bytes, or they would not be looked at.
    rest = (b"z", b"1.5"), (b"y", b"2.5")
    first = of_floats(make_entry, oid, (b"a", one), *rest)
    second = of_floats(make_entry, oid, (b"a", other), *reversed(rest))
    wanted = Likeness.SAME if is_same else Likeness.DIFFERENT
    assert liken(first, second, ordered=False) is wanted
    if is_same:
        assert liken(first, second, ordered=True) is Likeness.REORDERED
        second = of_floats(make_entry, oid, (b"a", other), *rest)
        assert liken(first, second, ordered=True) is Likeness.SAME


def test_binary_floats(make_entry: MakeEntry) -> None:
    def entry(number: float) -> Entry:
        made = make_entry(rows=1)
        made.row_description = described((701, 1))
        made.rows = _row([struct.pack("!d", number)])
        return made

    assert liken(entry(0.1 + 0.2), entry(0.3), ordered=True) is Likeness.SAME
    assert liken(entry(0.1), entry(0.3), ordered=True) is Likeness.DIFFERENT


@given(st.lists(st.binary(max_size=5), max_size=8), st.integers())
def test_rows_are_cut_at_their_ends(texts: list[bytes], seed: int) -> None:
    rows = [data_row(text) for text in texts]
    assert list(split_rows(b"".join(rows))) == rows
    random.Random(seed).shuffle(rows)
    assert sorted(split_rows(b"".join(rows))) == sorted(map(data_row, texts))

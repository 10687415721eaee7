"""Entries: liveness, prefixes and pages."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.cache.entry import OVERHEAD, Entry
from pgcache.cache.generations import Generations
from pgcache.cache.memory import MemoryStore

MakeEntry = Callable[..., Entry]


def test_liveness_is_remembered_by_version(generations: Generations, make_entry: MakeEntry) -> None:
    entry = make_entry(tags=(1, 2))
    assert entry.is_live(generations, 1.0)
    assert entry.checked_version == generations.version
    generations.move([3])
    assert entry.checked_version != generations.version
    assert entry.is_live(generations, 1.0)
    assert entry.checked_version == generations.version
    generations.move([2])
    assert not entry.is_live(generations, 1.0)


def test_an_entry_ends_at_its_hard_expiry(generations: Generations, make_entry: MakeEntry) -> None:
    entry = make_entry(expires_at=100.0)
    assert entry.is_live(generations, 99.999)
    assert not entry.is_live(generations, 100.0)
    assert entry.is_dead(generations, 100.0)


def test_an_entry_in_its_grace_is_stale_and_not_dead(
    generations: Generations, make_entry: MakeEntry
) -> None:
    entry = make_entry(expires_at=100.0, grace=10.0)
    assert entry.look_at == 100.0
    assert not entry.is_stale(generations, 99.9)
    for now in (100.0, 109.9):
        assert entry.is_stale(generations, now)
        assert not entry.is_live(generations, now)
        assert not entry.is_dead(generations, now)
    assert not entry.is_stale(generations, 110.0)
    assert entry.is_dead(generations, 110.0)


def test_P6_an_entry_is_kept_for_when_the_origin_is_lost(
    generations: Generations, make_entry: MakeEntry
) -> None:
    entry = make_entry(expires_at=100.0, grace=5.0, stale_if_error=20.0)
    assert entry.is_kept(generations, 99.0)
    assert entry.is_kept(generations, 119.9)
    assert not entry.is_stale(generations, 110.0)
    assert not entry.is_dead(generations, 119.9)
    assert not entry.is_kept(generations, 120.0)
    assert entry.is_dead(generations, 120.0)
    assert make_entry(expires_at=100.0, grace=5.0).kept_until == 105.0


def test_P3_what_moved_or_was_killed_is_not_kept(
    generations: Generations, make_entry: MakeEntry
) -> None:
    entry = make_entry(expires_at=100.0, stale_if_error=20.0)
    lock = generations.lock(frozenset({1}))
    assert not entry.is_kept(generations, 105.0)
    generations.unlock(lock, moved=False)
    assert entry.is_kept(generations, 105.0)
    generations.move([1])
    assert not entry.is_kept(generations, 105.0)
    killed = make_entry(expires_at=100.0, stale_if_error=20.0)
    killed.kill()
    assert not killed.is_kept(generations, 50.0)


def test_P3_what_moved_or_was_killed_is_never_stale(
    generations: Generations, make_entry: MakeEntry
) -> None:
    entry = make_entry(expires_at=100.0, grace=10.0)
    lock = generations.lock(frozenset({1}))
    assert not entry.is_stale(generations, 105.0)
    generations.unlock(lock, moved=True)
    assert not entry.is_stale(generations, 105.0)
    killed = make_entry(expires_at=100.0, grace=10.0)
    killed.kill()
    assert not killed.is_stale(generations, 105.0)
    assert killed.look_at < 0


def test_a_locked_entry_is_not_served_and_not_dead(
    generations: Generations, make_entry: MakeEntry
) -> None:
    entry = make_entry()
    assert entry.is_live(generations, 1.0)
    lock = generations.lock(frozenset({1}))
    assert not entry.is_live(generations, 1.0)
    assert not entry.is_dead(generations, 1.0)
    generations.unlock(lock, moved=False)
    assert entry.is_live(generations, 1.0)


def test_a_killed_entry_is_dead_for_every_holder(
    generations: Generations, make_entry: MakeEntry
) -> None:
    entry = make_entry()
    assert entry.is_live(generations, 1.0)
    entry.kill()
    assert not entry.is_live(generations, 1.0)
    assert entry.is_dead(generations, 1.0)


@pytest.mark.parametrize(
    ("complete", "limit", "holds"),
    [
        (True, 0, True),
        (True, 1, True),
        (True, 999, True),
        (False, 0, False),
        (False, 2, True),
        (False, 3, True),
        (False, 4, False),
    ],
)
def test_a_prefix_serves_only_limits_within_it(
    make_entry: MakeEntry, complete: bool, limit: int, holds: bool
) -> None:
    """W-65: max=50 fills, then max=0 must not return 50 rows."""
    assert make_entry(rows=3, complete=complete).holds(limit) is holds


def test_size_counts_all_bytes(make_entry: MakeEntry) -> None:
    entry = make_entry(b"k" * 50, rows=10)
    assert entry.row_description is not None
    assert entry.size >= 50 + len(entry.rows) + len(entry.row_description) + OVERHEAD


@pytest.mark.parametrize(("relations", "rows"), [(1, 1), (1, 40), (20, 1)])
def test_size_covers_what_python_takes(relations: int, rows: int) -> None:
    """``OVERHEAD`` is what is left when an entry's own bytes are taken off."""
    count = 500
    generations, store = Generations(), MemoryStore(1 << 30, 1 << 24)
    generations.capture(tuple(range(relations)))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        promised = sum(_store(store, generations, at, relations, rows) for at in range(count))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert promised - 600 * count < taken <= promised


def _store(store: MemoryStore, generations: Generations, at: int, relations: int, rows: int) -> int:
    tags = tuple(range(relations))
    vector = generations.capture(tags)
    assert vector is not None
    entry = Entry(
        b"k%08d" % at * 20,
        row_description=bytes(60),
        rows=b"D\0\0\0\x0b\0\1\0\0\0\1x" * rows,
        row_count=rows,
        tags=tags,
        vector=vector,
        stored_at=1.5 + at,
        expires_at=300.5 + at,
        note=f"select {at}" * 5,
    )
    store.put(entry, generations, 2.5)
    return entry.size


def test_repr_says_rows_and_hits(make_entry: MakeEntry) -> None:
    assert repr(make_entry(rows=3)).startswith("<Entry 3 rows, ")
    assert "first rows" in repr(make_entry(complete=False))


def row_of(width: int) -> bytes:
    body = (1).to_bytes(2, "big") + width.to_bytes(4, "big") + b"D" * width
    return b"D" + (len(body) + 4).to_bytes(4, "big") + body


@given(
    widths=st.lists(st.integers(0, 40), max_size=150),
    start=st.integers(0, 160),
    count=st.integers(0, 160),
)
def test_pages_are_whole_rows(widths: list[int], start: int, count: int) -> None:
    """W-50, W-59: every page of a portal comes from the one entry, row by row."""
    messages = [row_of(width) for width in widths]
    entry = Entry(
        b"key",
        row_description=None,
        rows=b"".join(messages),
        row_count=len(messages),
        tags=(),
        vector=(0,),
        stored_at=0.0,
        expires_at=1.0,
    )
    assert bytes(entry.row_slice(start, count)) == b"".join(messages[start : start + count])

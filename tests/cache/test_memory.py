"""The memory store: compare-and-set, bounds, second chance, bounded steps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations
from pgcache.cache.memory import MemoryStore
from pgcache.cache.store import NullStore, Outcome, Store

MakeEntry = Callable[..., Entry]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(1_000_000, 100_000)


def test_what_was_stored_is_found(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    entry = make_entry()
    assert store.put(entry, generations, 1.0) is Outcome.STORED
    assert store.get(b"key", generations, 2.0) is entry
    assert store.get(b"other", generations, 2.0) is None
    assert store.stats().bytes == entry.size


def test_a_fill_is_refused_when_something_moved_since_its_capture(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    """T-11: delay the SELECT's reply, commit meanwhile: the reply must not be stored."""
    entry = make_entry(tags=(1, 2))
    generations.move([2])
    assert store.put(entry, generations, 1.0) is Outcome.STALE
    assert store.get(b"key", generations, 1.0) is None
    assert store.stats().refused_stale == 1


def test_a_fill_is_refused_under_a_lock_and_accepted_after_a_rollback(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    entry = make_entry()
    lock = generations.lock(None)
    assert store.put(entry, generations, 1.0) is Outcome.STALE
    generations.unlock(lock, moved=False)
    assert store.put(entry, generations, 1.0) is Outcome.STORED


def test_an_expired_fill_is_refused(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    assert store.put(make_entry(expires_at=5.0), generations, 5.0) is Outcome.STALE


def test_dead_entries_are_dropped_on_touch_and_locked_ones_kept(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    for number, tag in enumerate((1, 2, 3)):
        store.put(make_entry(b"%d" % number, tags=(tag,)), generations, 1.0)
    store.put(make_entry(b"short", tags=(4,), expires_at=10.0), generations, 1.0)
    lock = generations.lock(frozenset({1}))
    generations.move([2])
    assert store.get(b"0", generations, 20.0) is None
    assert store.get(b"1", generations, 20.0) is None
    assert store.get(b"2", generations, 20.0) is not None
    assert store.get(b"short", generations, 20.0) is None
    assert [entry.key for entry in store] == [b"0", b"2"]
    stats = store.stats()
    assert (stats.moved, stats.expired) == (1, 1)
    generations.unlock(lock, moved=False)
    assert store.get(b"0", generations, 20.0) is not None


def test_a_new_entry_takes_the_place_of_the_old_one(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    old, new = make_entry(), make_entry(rows=1)
    store.put(old, generations, 1.0)
    store.put(new, generations, 1.0)
    assert store.get(b"key", generations, 1.0) is new
    assert not old.is_live(generations, 1.0)
    assert store.stats().bytes == new.size
    assert store.put(new, generations, 1.0) is Outcome.STORED
    assert store.get(b"key", generations, 1.0) is new


def test_an_entry_over_the_cap_is_refused(generations: Generations, make_entry: MakeEntry) -> None:
    """C-24."""
    entry = make_entry(rows=100)
    exact = MemoryStore(1_000_000, entry.size)
    assert exact.put(entry, generations, 1.0) is Outcome.STORED
    below = MemoryStore(1_000_000, entry.size - 1)
    assert below.put(make_entry(rows=100), generations, 1.0) is Outcome.TOO_LARGE
    assert below.stats().refused_large == 1
    assert MemoryStore(10, 1_000).put(entry, generations, 1.0) is Outcome.TOO_LARGE


def test_the_least_recently_stored_goes_first_unless_it_was_hit(
    generations: Generations, make_entry: MakeEntry
) -> None:
    size = make_entry(b"0").size
    store = MemoryStore(size * 3, size)
    entries = [make_entry(b"%d" % number) for number in range(5)]
    for entry in entries[:3]:
        store.put(entry, generations, 1.0)
    entries[0].hits += 1
    store.put(entries[3], generations, 1.0)
    assert {entry.key for entry in store} == {b"2", b"3", b"0"}
    store.put(entries[4], generations, 1.0)
    assert {entry.key for entry in store} == {b"3", b"0", b"4"}
    assert not entries[1].is_live(generations, 1.0)
    stats = store.stats()
    assert (stats.evicted, stats.evictions_unused) == (2, 2)


def test_eviction_ends_when_every_entry_was_hit(
    generations: Generations, make_entry: MakeEntry
) -> None:
    size = make_entry(b"0").size
    store = MemoryStore(size * 3, size)
    for number in range(4):
        entry = make_entry(b"%d" % number)
        entry.hits = 1
        store.put(entry, generations, 1.0)
    assert [entry.key for entry in store] == [b"1", b"2", b"3"]


def test_delete_and_clear(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    entries = [make_entry(b"%d" % number) for number in range(3)]
    for entry in entries:
        store.put(entry, generations, 1.0)
    assert store.delete(b"1")
    assert not store.delete(b"1")
    assert store.clear() == 2
    assert len(store) == 0
    assert store.stats().bytes == 0
    assert store.stats().deleted == 3
    assert not any(entry.is_live(generations, 1.0) for entry in entries)


def test_sweep_drops_the_dead_that_nobody_touches(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    store.put(make_entry(b"a:moved", tags=(1,)), generations, 1.0)
    store.put(make_entry(b"a:expired", tags=(2,), expires_at=5.0), generations, 1.0)
    store.put(make_entry(b"a:live", tags=(2,)), generations, 1.0)
    store.put(make_entry(b"b:database gone", tags=(2,)), generations, 1.0)
    generations.move([1])
    steps = store.sweep(
        lambda entry: generations if entry.key.startswith(b"a") else None, 6.0, step=3
    )
    assert list(steps) == [2, 1]
    assert [entry.key for entry in store] == [b"a:live"]


def test_the_null_store_keeps_nothing(generations: Generations, make_entry: MakeEntry) -> None:
    store: Store = NullStore()
    assert store.put(make_entry(), generations, 1.0) is not Outcome.STORED
    assert store.get(b"key", generations, 1.0) is None
    assert not store.delete(b"key")
    assert store.clear() == 0
    assert store.stats().entries == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "hit", "delete", "move", "tick"]), st.integers(0, 9)),
        max_size=60,
    )
)
def test_bytes_are_accounted_and_bounded_whatever_happens(steps: list[tuple[str, int]]) -> None:
    generations = Generations()
    store = MemoryStore(6_000, 3_000)
    now = 0.0
    for verb, number in steps:
        key = b"%d" % number
        if verb == "put":
            vector = generations.capture((number % 3,))
            assert vector is not None
            rows = b"D" + (500 * number).to_bytes(4, "big") + bytes(500 * number)
            entry = Entry(
                key,
                row_description=None,
                rows=rows,
                row_count=1,
                tags=(number % 3,),
                vector=vector,
                stored_at=now,
                expires_at=now + number,
            )
            store.put(entry, generations, now)
        elif verb == "hit":
            found = store.get(key, generations, now)
            if found is not None:
                assert now < found.expires_at
                found.hits += 1
        elif verb == "delete":
            store.delete(key)
        elif verb == "move":
            generations.move([number % 3])
        else:
            now += number
        stats = store.stats()
        assert stats.bytes == sum(entry.size for entry in store) <= 6_000
        assert stats.entries == len(store) == len({entry.key for entry in store})


def test_a_stale_entry_is_kept_for_its_grace(
    generations: Generations, make_entry: MakeEntry
) -> None:
    store = MemoryStore(100_000, 100_000)
    entry = make_entry(expires_at=100.0, grace=10.0)
    store.put(entry, generations, 1.0)
    assert store.get_stale(b"key", generations, 1.0) is None
    assert store.get(b"key", generations, 105.0) is None
    assert store.get_stale(b"key", generations, 105.0) is entry
    assert store.get_stale(b"other", generations, 105.0) is None
    assert store.get(b"key", generations, 110.0) is None
    assert len(store) == 0


def test_an_entry_is_kept_for_when_the_origin_is_lost(
    generations: Generations, make_entry: MakeEntry
) -> None:
    store = MemoryStore(100_000, 100_000)
    entry = make_entry(expires_at=100.0, stale_if_error=10.0)
    store.put(entry, generations, 1.0)
    assert store.get(b"key", generations, 105.0) is None
    list(store.sweep(lambda _: generations, 105.0))
    assert store.get_kept(b"key", generations, 105.0) is entry
    assert store.get_stale(b"key", generations, 105.0) is None
    assert store.get_kept(b"other", generations, 105.0) is None
    list(store.sweep(lambda _: generations, 110.0))
    assert len(store) == 0

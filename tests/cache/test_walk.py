"""Entries that are forgotten by a look at each key: in steps, and as if at once."""

from __future__ import annotations

import pytest

from pgcache.cache.generations import Generations
from pgcache.cache.memory import MemoryStore
from tests.cache.conftest import MakeEntry


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(100_000, 100_000)


def test_forgetting_goes_in_steps_and_bears_changes_between(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    for number in range(10):
        store.put(make_entry(b"%d" % number), generations, 1.0)
    walk = store.forget_where(lambda key: int(key) % 2 == 0)
    assert not store.go_on(walk, step=4)
    assert walk.count == 2
    store.delete(b"6")
    assert not store.go_on(walk, step=4)
    assert store.go_on(walk, step=4)
    assert walk.count == 4
    assert [entry.key for entry in store] == [b"1", b"3", b"5", b"7", b"9"]


def test_what_is_to_be_forgotten_is_not_given_before_the_walk_has_come_to_it(
    store: MemoryStore, generations: Generations, make_entry: MakeEntry
) -> None:
    old = {number: make_entry(b"%d" % number, grace=5.0) for number in range(8)}
    for entry in old.values():
        store.put(entry, generations, 1.0)
    walk = store.forget_where(lambda key: key >= b"4")
    assert not store.go_on(walk, step=1)
    assert store.get(b"5", generations, 1.0) is None
    assert old[5].expires_at < 0, "who holds it finds out"
    assert store.get_stale(b"6", generations, 102.0) is None
    assert store.get_kept(b"7", generations, 1.0) is None
    new = make_entry(b"5")
    store.put(new, generations, 1.0)
    assert store.get(b"5", generations, 1.0) is new, "it was stored after the order"
    later = store.forget_where(lambda key: key == b"5")
    assert store.get(b"5", generations, 1.0) is None, "and before this one"
    while not store.go_on(walk, step=1):
        pass
    assert store.go_on(later)
    assert (walk.count, later.count) == (4, 1)
    assert [entry.key for entry in store] == [b"0", b"1", b"2", b"3"]
    store.put(make_entry(b"7"), generations, 1.0)
    assert store.get(b"7", generations, 1.0) is not None, "the walks are over"

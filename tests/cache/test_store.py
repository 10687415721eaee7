"""The seam: whatever keeps entries satisfies the protocol."""

from __future__ import annotations

from pgcache.cache.memory import MemoryStore
from pgcache.cache.store import NullStore, Store, StoreStats


def test_both_stores_fit_the_seam() -> None:
    stores: list[Store] = [NullStore(), MemoryStore(1, 1)]
    assert [store.stats().entries for store in stores] == [0, 0]
    assert StoreStats() == NullStore().stats()

"""A cache that is full from the start: every entry has to be its own row's."""

from __future__ import annotations

import pytest

from benchmarks.crowded import FIRST, clone, crowd
from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations
from pgcache.cache.memory import MemoryStore
from pgcache.cache.store import Outcome

KEY = b"\0\0\0\x07%d"
GENERATIONS = Generations()


def entry(number: int) -> Entry:
    vector = GENERATIONS.capture(())
    assert vector is not None
    rows = b"D%d Member %d" % (number, number)
    return Entry(
        KEY % number,
        row_description=b"T",
        rows=rows,
        row_count=1,
        tags=(),
        vector=vector,
        stored_at=0.0,
        expires_at=10.0,
    )


@pytest.fixture
def _crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "put", MemoryStore.put)  # puts it back afterwards
    crowd(1000)


def test_a_clone_is_the_entry_of_another_row() -> None:
    twin = clone(entry(FIRST), FIRST + 7)
    wanted = entry(FIRST + 7)
    assert (twin.key, twin.rows, twin.size) == (wanted.key, wanted.rows, wanted.size)
    assert twin.expires_at == wanted.expires_at


@pytest.mark.usefixtures("_crowded")
def test_the_first_row_brings_all_others() -> None:
    store = MemoryStore(2**24, 2**20)
    assert store.put(entry(FIRST), GENERATIONS, 0.0) is Outcome.STORED
    assert len(store) == 1000
    for number in (FIRST, FIRST + 1, FIRST + 999):
        found = store.get(KEY % number, GENERATIONS, 1.0)
        assert found is not None
        assert found.rows == entry(number).rows
    assert store.get(KEY % (FIRST + 1000), GENERATIONS, 1.0) is None


@pytest.mark.usefixtures("_crowded")
def test_other_entries_come_alone() -> None:
    store = MemoryStore(2**24, 2**20)
    store.put(entry(2_000_000), GENERATIONS, 0.0)
    assert len(store) == 1

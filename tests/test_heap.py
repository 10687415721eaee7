"""The collector of garbage: what it is spared, and that cycles are found all the same."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from itertools import count
from weakref import ref

import pytest

from pgcache import heap
from pgcache.heap import look_at_all, tidy


class Thing:
    """Something that can be a cycle."""

    other: Thing | None = None


@pytest.fixture
def settled() -> Iterator[None]:
    """A process that has settled; afterwards it is one like any other."""
    heap.settle()
    yield
    heap.unsettle()
    assert not gc.get_freeze_count()


def _pair() -> tuple[Thing, ref[Thing]]:
    thing, other = Thing(), Thing()
    thing.other, other.other = other, thing
    return thing, ref(thing)


def _is_known(thing: Thing) -> bool:
    """Whether a collection would look at it."""
    return any(found is thing for found in gc.get_objects())


@pytest.mark.usefixtures("settled")
def test_what_has_survived_a_full_collection_is_not_looked_at_again() -> None:
    thing = Thing()
    assert _is_known(thing)
    gc.collect(1)
    assert _is_known(thing), "that was not a full one"
    gc.collect()
    assert not _is_known(thing)
    seen = ref(thing)
    del thing
    assert seen() is None, "its reference count frees it all the same"


@pytest.mark.usefixtures("settled")
def test_a_cycle_that_dies_later_is_found_by_looking_at_everything() -> None:
    thing, seen = _pair()
    gc.collect()
    del thing
    gc.collect()
    assert seen() is not None
    assert look_at_all(iter((10.0, 10.5)).__next__) == 0.5
    assert seen() is None
    later = Thing()
    gc.collect()
    assert not _is_known(later), "and everything is left out again"


async def test_everything_is_looked_at_as_seldom_as_it_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    looks = count()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise asyncio.CancelledError

    took = iter((0.001, 0.3, 0.07))
    monkeypatch.setattr(heap, "look_at_all", lambda clock: (next(looks), next(took))[1])
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await tidy()
    assert pauses == pytest.approx([600.0, 600.0, 3000.0, 700.0])
    assert next(looks) == 3


def test_settling_twice_is_settling_once() -> None:
    # Others may listen too, and come and go meanwhile.
    def ours() -> int:
        return sum(getattr(one, "__module__", "") == heap.__name__ for one in gc.callbacks)

    before = ours()
    heap.settle()
    heap.settle()
    assert ours() == max(before, 1)
    heap.unsettle()
    heap.unsettle()
    assert ours() == 0

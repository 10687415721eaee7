"""Generations against a model that remembers, for each capture, what happened since."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from pgcache.cache.generations import Generations, Lock, Tag, Vector

TAGS = st.frozensets(st.sampled_from([1, 2, 3, "revenue"]), max_size=3)


def capture(generations: Generations, *tags: Tag) -> Vector:
    vector = generations.capture(tags)
    assert vector is not None
    return vector


def test_a_capture_is_current_until_one_of_its_tags_moves() -> None:
    generations = Generations()
    vector = capture(generations, 1, 2)
    generations.move([3])
    assert generations.is_current((1, 2), vector)
    generations.move([2])
    assert not generations.is_current((1, 2), vector)
    assert generations.has_moved((1, 2), vector)


def test_moving_everything_kills_even_what_has_no_tags() -> None:
    generations = Generations()
    vector = capture(generations)
    generations.move(None)
    assert not generations.is_current((), vector)


def test_locked_tags_are_neither_served_nor_filled() -> None:
    generations = Generations()
    vector = capture(generations, 1, 2)
    lock = generations.lock(frozenset({2}))
    assert generations.capture((1, 2)) is None
    assert not generations.is_current((1, 2), vector)
    assert not generations.has_moved((1, 2), vector)
    assert generations.capture((1,)) is not None
    generations.unlock(lock, moved=False)
    assert generations.is_current((1, 2), vector)


def test_locking_everything_locks_even_what_has_no_tags() -> None:
    generations = Generations()
    lock = generations.lock(None)
    assert generations.capture(()) is None
    assert generations.locked_tags() is None
    generations.unlock(lock, moved=True)
    assert generations.capture(()) is not None
    assert generations.locked_tags() == frozenset()


def test_a_lock_has_owners_and_each_gives_up_its_own() -> None:
    """T-10: concurrent writers on one tag."""
    generations = Generations()
    vector = capture(generations, 1)
    first, second = generations.lock(frozenset({1})), generations.lock(frozenset({1, 2}))
    generations.unlock(first, moved=True)
    assert generations.capture((1,)) is None
    generations.unlock(second, moved=False)
    assert not generations.is_current((1,), vector)
    assert generations.capture((1,)) is not None


def test_releasing_a_lock_twice_is_an_error() -> None:
    generations = Generations()
    lock = generations.lock(frozenset({1}))
    generations.unlock(lock, moved=False)
    with pytest.raises(ValueError, match="already released"):
        generations.unlock(lock, moved=False)


def test_a_forgotten_tag_never_comes_back_with_an_old_token() -> None:
    """T-13: a missing token is unknown, not zero."""
    generations = Generations(max_tags=2)
    vector = capture(generations, 1)
    capture(generations, 2, 3)
    assert not generations.is_current((1,), vector)
    assert capture(generations, 1) != vector
    assert not generations.is_current((1,), vector)


def test_two_objects_share_no_token() -> None:
    first, second = capture(Generations(), 1, 2), capture(Generations(), 1, 2)
    assert set(first).isdisjoint(second)


def test_a_vector_of_other_length_is_dead() -> None:
    generations = Generations()
    vector = capture(generations, 1)
    assert not generations.is_current((1, 2), vector)
    assert not generations.is_current((), vector)


def test_reprs_say_what_matters() -> None:
    generations = Generations()
    lock = generations.lock(frozenset({1}))
    assert repr(lock) == "<Lock ['1'] held>"
    assert repr(generations) == "<Generations version=1 tags=0 locked=1>"
    generations.unlock(lock, moved=True)
    everything = generations.lock(None)
    assert repr(everything) == "<Lock everything held>"
    assert "locked=everything" in repr(generations)


@dataclass
class Captured:
    tags: tuple[Tag, ...]
    vector: Vector
    moved: bool = False
    checked_version: int = field(default=-1)


class Model(RuleBasedStateMachine):
    """Whatever happens, a capture is current exactly when nothing moved since and none is locked.

    ``checked_version`` is what entries do with ``version``: an equal one must never lie.
    """

    locks = Bundle("locks")

    def __init__(self) -> None:
        super().__init__()
        self.generations = Generations()
        self.captured: list[Captured] = []
        self.held: list[Lock] = []

    def is_locked(self, tags: tuple[Tag, ...]) -> bool:
        return any(lock.tags is None or lock.tags & set(tags) for lock in self.held)

    def note_move(self, tags: frozenset[Tag] | None) -> None:
        for capture in self.captured:
            if tags is None or tags & set(capture.tags):
                capture.moved = True

    @rule(tags=TAGS)
    def capture(self, tags: frozenset[Tag]) -> None:
        ordered = tuple(tags)
        vector = self.generations.capture(ordered)
        assert (vector is None) == self.is_locked(ordered)
        if vector is not None:
            self.captured.append(Captured(ordered, vector))

    @rule(target=locks, tags=st.none() | TAGS)
    def lock(self, tags: frozenset[Tag] | None) -> Lock:
        lock = self.generations.lock(tags)
        self.held.append(lock)
        return lock

    @rule(lock=consumes(locks), moved=st.booleans())
    def unlock(self, lock: Lock, moved: bool) -> None:
        self.generations.unlock(lock, moved=moved)
        self.held.remove(lock)
        if moved:
            self.note_move(lock.tags)

    @rule(tags=st.none() | TAGS)
    def move(self, tags: frozenset[Tag] | None) -> None:
        self.generations.move(tags)
        self.note_move(tags)

    @invariant()
    def captures_are_judged_rightly(self) -> None:
        for capture in self.captured:
            expected = not capture.moved and not self.is_locked(capture.tags)
            assert self.generations.is_current(capture.tags, capture.vector) == expected
            assert self.generations.has_moved(capture.tags, capture.vector) == capture.moved
            if capture.checked_version == self.generations.version:
                assert expected
            if expected:
                capture.checked_version = self.generations.version


def test_a_touch_is_taken_back_only_while_it_is_the_last() -> None:
    generations = Generations()
    seen = set()
    for _ in range(3):
        before = generations.touches
        generations.touch()
        touched, version = generations.touches, generations.version
        assert touched not in seen, "none is given twice"
        seen.add(touched)
        generations.untouch(touched, before)
        assert (generations.touches, generations.version) == (before, version + 1)
        generations.untouch(touched, before)
        assert generations.version == version + 1, "there is nothing to be taken back"
    generations.touch()
    first = generations.touches
    generations.touch()
    generations.untouch(first, before)
    assert generations.touches != before


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestModel = Model.TestCase

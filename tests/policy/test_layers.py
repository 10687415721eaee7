"""Values that obey transactions, without a server."""

from __future__ import annotations

import pytest

from pgcache.policy.layers import DEFAULT, Layers


def test_a_set_lasts_over_commit_and_not_over_rollback() -> None:
    layers = Layers()
    layers.begin()
    layers.put("a", "1")
    layers.commit()
    layers.begin()
    layers.put("a", "2")
    layers.rollback()
    assert layers.state.get("a") == "1"


def test_a_set_local_ends_with_the_transaction() -> None:
    layers = Layers()
    layers.put("a", "0", local=True)
    assert layers.state.get("a") is None
    layers.begin()
    layers.put("a", "1")
    layers.put("a", "2", local=True)
    assert layers.state.get("a") == "2"
    layers.commit()
    assert layers.state.get("a") == "1"


def test_states_come_back_as_the_same_object() -> None:
    """So that what was derived from them can be kept."""
    layers = Layers()
    before = layers.state
    layers.begin()
    layers.commit()
    assert layers.state is before
    layers.begin()
    layers.put("a", "1")
    layers.rollback()
    assert layers.state is before


def test_release_forgets_the_savepoint_and_those_after_it() -> None:
    layers = Layers()
    layers.begin()
    layers.savepoint("a")
    layers.put("x", "1")
    layers.savepoint("b")
    layers.release("a")
    for name in ("a", "b"):
        with pytest.raises(KeyError):
            layers.rollback_to(name)
    assert layers.state.get("x") == "1"


def test_a_failure_undoes_the_innermost_level() -> None:
    layers = Layers()
    layers.fail()
    layers.put("x", "0")
    layers.begin()
    layers.put("x", "1")
    layers.savepoint("a")
    layers.put("x", "2")
    layers.fail()
    assert layers.state.get("x") == "1"
    layers.release("a")
    layers.fail()
    assert layers.state.get("x") == "0"


def test_reset_all_keeps_what_it_is_told_to() -> None:
    layers = Layers()
    layers.put("role", "r")
    layers.put("x", "1")
    layers.reset_all(lambda name: name == "role")
    assert layers.state.get("role") == "r"
    assert layers.state.get("x") is DEFAULT


def test_temporary_relations_go_with_a_rollback() -> None:
    layers = Layers()
    layers.begin()
    layers.put_temporary(True)
    layers.rollback()
    assert not layers.state.temporary


def test_clear_ends_everything() -> None:
    layers = Layers()
    layers.begin()
    layers.savepoint("a")
    layers.put("x", "1")
    layers.clear()
    assert not layers.in_transaction
    assert layers.state.names() == set()

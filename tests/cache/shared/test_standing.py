"""Who may serve by what the state says; ``test_confirm`` and ``test_fetching`` ask for the rest."""

from __future__ import annotations

import pytest

from pgcache.cache.shared.standing import FIELDS, Viewpoint, fields_of, first_end, join
from tests.cache.shared.witness import ME, NOW, OTHER, Witness, member, token


def test_the_first_lease_to_end_counts_if_one_is_a_member_oneself() -> None:
    assert first_end(ME, member(ME, 9) + member(OTHER, 7)) == 7
    assert first_end(ME, member(OTHER, 7)) == 0
    assert first_end(ME, member(ME, 9) + member(OTHER, 0)) == 9, "it is gone, and writes no more"
    assert first_end(ME, member(ME, 0) + member(OTHER, 9)) == 0, "others think that we are gone"
    assert first_end(ME, None) == 0


@pytest.mark.parametrize(
    ("tokens", "vector"),
    [
        ((token("a"), token("b")), token("a") + token("b")),
        ((token("a"), None), None),
        ((token("a"), b"L" + b"o" * 24), None),
        ((token("a"), b""), None),
    ],
)
def test_a_vector_has_a_token_for_each_tag(
    tokens: tuple[bytes | None, ...], vector: bytes | None
) -> None:
    assert join(tokens) == vector


def test_a_member_may_serve_what_it_knows_while_all_are_heard() -> None:
    witness = Witness()
    view = Viewpoint(witness)
    values = [witness.state.get(field) for field in FIELDS]
    standing, orders = witness.standing, witness.orders
    assert standing.may_serve(view, values, NOW, orders)
    assert standing.may_serve(view, values, NOW + 500, orders)
    assert not standing.may_serve(view, values, NOW + 501, orders), "a lease has run out"
    orders.take(token("x"), b"")
    assert not standing.may_serve(view, values, NOW, orders), "orders were heard of meanwhile"


def test_tags_are_asked_for_behind_what_all_entries_hold() -> None:
    assert fields_of((7, "name")) == (*FIELDS, b"r7", b"nname")


def test_a_list_of_members_that_makes_no_sense_allows_nothing_however_often_it_is_seen() -> None:
    witness = Witness()
    view, standing, orders = Viewpoint(witness), witness.standing, witness.orders
    values = [witness.state.get(field) for field in FIELDS]
    assert standing.may_serve(view, values, NOW, orders)
    damaged = [b"?" * 47, *values[1:]]
    for _ in range(2):
        assert not standing.may_serve(view, damaged, NOW, orders)
    assert standing.may_serve(view, values, NOW, orders)

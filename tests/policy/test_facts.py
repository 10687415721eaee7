"""Names resolved for one query: candidates, calls, attribute notation (S-11, C-14)."""

from __future__ import annotations

import pytest

from pgcache.catalog.snapshot import Snapshot
from pgcache.policy.facts import ReadFacts, View, build_facts, display_name
from pgcache.sql.model import Name
from pgcache.sql.script import read_script


def facts(text: str, snapshot: Snapshot, *path: str) -> ReadFacts:
    (statement,) = read_script(text.encode()).statements
    assert statement.read is not None
    return build_facts(statement.read, View(path or ("public",), "app"), snapshot)


def names(found: ReadFacts) -> list[str]:
    return [relation.display for relation in found.relations]


@pytest.mark.postgres
def test_S11_every_relation_that_may_be_meant(snapshot: Snapshot) -> None:
    found = facts("select * from orders, targets", snapshot, "sales", "public")
    assert sorted(names(found)) == ["public.orders", "sales.orders", "sales.targets"]
    found = facts("select * from orders, targets", snapshot, "public")
    assert names(found) == ["public.orders"]
    assert found.unknown == ("targets",)


@pytest.mark.postgres
def test_only_binds_where_every_mention_says_so(snapshot: Snapshot) -> None:
    both = facts("select * from only vehicles a, vehicles b", snapshot)
    one = facts("select * from only vehicles a, only vehicles b", snapshot)
    assert len(both.closure.tags) == 2
    assert len(one.closure.tags) == 1


@pytest.mark.postgres
def test_C14_attribute_notation(snapshot: Snapshot) -> None:
    path = ("public", "tools")
    assert facts("select o.sneaky from orders o", snapshot, *path).attributes == ("sneaky",)
    assert facts("select o.id, o.note from orders o", snapshot, *path).attributes == ()


@pytest.mark.postgres
def test_C14_the_column_of_a_table_may_be_another_things_call(snapshot: Snapshot) -> None:
    found = facts("select s.sneaky from (select 1 as sneaky) s, orders", snapshot, "public")
    assert found.attributes == ("sneaky",)
    assert not found.by_attribute.may_write
    assert facts("select s.noting from orders s", snapshot, "public").by_attribute.may_write


@pytest.mark.postgres
def test_what_functions_add(snapshot: Snapshot) -> None:
    text = "select tools.known_region(id), current_setting('App.X'), now() from orders"
    found = facts(text, snapshot)
    (orders,) = snapshot.find(Name("orders"), ("public",))
    (regions,) = snapshot.find(Name("regions"), ("public",))
    assert found.tags == {orders.oid, regions.oid}
    assert found.settings == {"app.x"}
    assert found.clock


@pytest.mark.postgres
def test_operators_and_types(snapshot: Snapshot) -> None:
    found = facts("select note::allowed from orders where id =~= 3 and id <~> 4", snapshot)
    assert found.unsafe_operators == ("=~=",)
    assert found.writing_operators == ()
    assert found.unsafe_types == ("allowed",)


def test_display_names() -> None:
    assert display_name(Name("t")) == "t"
    assert display_name(Name("t", "s", "d")) == "d.s.t"

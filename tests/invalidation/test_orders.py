"""Orders as people and programs write them, and what is said of bad ones."""

from __future__ import annotations

from typing import Any

import pytest

from pgcache.invalidation.orders import (
    Order,
    OrderError,
    pack_order,
    parse_table,
    read_order,
    unpack_order,
)
from pgcache.sql.model import Name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("orders", Name("orders")),
        ("public.Orders", Name("orders", schema="public")),
        ('"My Schema"."My.Table"', Name("My.Table", schema="My Schema")),
        ('"say ""hi"""', Name('say "hi"')),
        ("shop.public.orders", Name("orders", schema="public")),
    ],
)
def test_a_tables_name_is_read_as_sql_reads_it(text: str, name: Name) -> None:
    assert parse_table(text) == name


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", 'a"b', '"a', "a.b.c.d", '"a"b'])
def test_what_is_no_tables_name_is_an_error(text: str) -> None:
    with pytest.raises(OrderError, match="is no table's name"):
        parse_table(text)


def test_an_order_in_json() -> None:
    given = {"tables": "public.t", "tags": ["a", "a", "b"], "matching": ["%x%"], "other": 1}
    assert read_order(given) == Order(tables=("public.t",), tags=("a", "b"), patterns=("%x%",))
    assert read_order({"all": True, "database": "shop"}) == Order(everything=True, database="shop")
    assert read_order({"all": True, "database": "other"}, database="shop").database == "shop"
    assert read_order({}).is_empty


def test_what_means_the_same_is_told_to_others_in_the_same_bytes() -> None:
    order = Order(tables=("t",), patterns=("b%", "a%"), keys=("beef", "0000"), database="shop")
    packed = pack_order(order)
    assert unpack_order(packed) == Order(patterns=("a%", "b%"), keys=("0000", "beef"))
    assert pack_order(unpack_order(packed)) == packed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tables": 1}, '"tables" must be a list of texts'),
        ({"tables": ["a", None]}, '"tables" must be a list of texts'),
        ({"tags": [""]}, '"tags" is too long'),
        ({"tags": ["x" * 3000]}, '"tags" is too long'),
        ({"tags": [str(n) for n in range(1001)]}, '"tags" is too long'),
        ({"all": "yes"}, '"all" must be true or false'),
        ({"database": 7}, '"database" must be a name'),
        ({"matching": ["a\\"]}, "must not end with escape character"),
        ({"queries": ["XYZ"]}, "is no key of an entry"),
        ({"tables": ["a..b"]}, "is no table's name"),
    ],
)
def test_bad_orders_are_refused_with_advice(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OrderError, match=said):
        read_order(given)

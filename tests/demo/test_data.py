from __future__ import annotations

import psycopg
import pytest

from pgcache.demo.data import Size
from tests.demo.conftest import Filled


def test_sizes() -> None:
    assert Size.scaled(1).orders == 1_200_000
    tiny = Size.scaled(0.0000001)
    assert min(tiny.customers, tiny.products, tiny.orders) >= 10


@pytest.mark.postgres
def test_what_was_asked_for_is_there(filled: Filled) -> None:
    with psycopg.connect(filled.url) as connection:

        def count(table: str) -> int:
            row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            assert row is not None
            return int(row[0])

        assert count("customers") == filled.size.customers
        assert count("products") == filled.size.products
        assert count("orders") == filled.size.orders
        assert 2 < count("order_items") / filled.size.orders < 4
    assert len(filled.reports) == filled.size.steps


@pytest.mark.postgres
def test_the_service_role_reads_no_sales(filled: Filled) -> None:
    with (
        psycopg.connect(filled.service_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT FROM orders")

"""Rules named where one asks for them, and a pause that holds for what is underway."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.operate.conftest import Site
from tests.support.raw import eventually

pytestmark = pytest.mark.postgres

QUERY = "SELECT count(*) FROM orders"
RULES = """
[[rules]]
name = "no loads"
application_name = "etl*"
off = true

[[rules]]
name = "orders by the hour"
relation = "public.orders"
ttl = "1h"

[[rules]]
name = "comes too late"
query = "count"
off = true
"""


@pytest.fixture
def shop(site: Site) -> Site:
    """A table, and a proxy with rules."""
    site.execute("CREATE TABLE orders (id int)")
    site.start(RULES)
    return site


def test_explain_names_the_first_rule_that_fits(shop: Site) -> None:
    told = {str(name): value for name, value in shop.console(f"EXPLAIN {QUERY}")}
    assert (told["verdict"], told["rule"]) == ("cacheable", "orders by the hour")
    assert told["ttl_s"] == "3600"
    told = {
        str(name): value for name, value in shop.console("EXPLAIN SELECT count(*) FROM settling")
    }
    assert told["rule"] == "comes too late"
    assert str(told["reason"]).startswith("rule")
    with shop.connect() as connection:
        connection.execute("SET application_name = 'etl nightly'")
        connection.execute(QUERY.encode())
        last = connection.execute("SHOW pgcache.last").fetchone()
    assert last is not None
    assert 'detail=rule; about="no loads"' in str(last[0])


def test_a_pause_stores_nothing_not_even_what_was_underway(shop: Site) -> None:
    with shop.server.connect(user="app", database=shop.database) as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE orders")
        with ThreadPoolExecutor() as pool, shop.connect() as client:
            asked = pool.submit(lambda: client.execute(QUERY.encode()).fetchall())
            eventually(lambda: _is_blocked(shop))
            shop.console("PAUSE")
            holder.execute("ROLLBACK")
            assert asked.result() == [(0,)]
    assert "detail=paused" in shop.verdict(QUERY)
    assert _entries(shop) == []
    shop.console("RESUME")
    eventually(lambda: shop.is_hit(QUERY))


def _is_blocked(shop: Site) -> bool:
    with shop.server.connect(user="app", database=shop.database) as connection:
        found = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return found is not None and found[0] == 1


def _entries(shop: Site) -> list[str]:
    return [str(row) for row in shop.console("SHOW ENTRIES") if "orders" in str(row)]

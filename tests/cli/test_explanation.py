from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pgcache.cli.explanation import Explanation, explain_text
from pgcache.config import Config
from tests.conftest import fresh_database
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def config(newest_postgres: Server) -> Iterator[Config]:
    """A database with tables, and lifetimes for one of them."""
    for database in fresh_database(newest_postgres):
        newest_postgres.execute(
            "CREATE TABLE orders (a int)",
            "CREATE TABLE slow (a int)",
            "CREATE VIEW everything AS SELECT a FROM orders UNION SELECT a FROM slow",
            user="app",
            database=database,
        )
        yield Config.model_validate(
            {
                "upstream": {"url": newest_postgres.url("app", database)},
                "tables": {"public.orders": {"ttl": 30, "clock_ttl": 5, "tags": ["revenue"]}},
            }
        )


async def test_a_query_that_is_cached(config: Config) -> None:
    told = await explain_text(config, "select  A from Everything -- with a comment")
    assert told.is_cacheable
    assert told.verdict == "miss"
    assert told.sentence == ""
    assert {"public.everything", "public.orders", "public.slow"} <= set(told.relations)
    assert "revenue" in told.tags
    assert told.ttl == 30.0
    same = await explain_text(config, "SELECT a FROM everything")
    assert same.key == told.key
    assert same.fingerprint == told.fingerprint


@pytest.mark.parametrize(
    ("sql", "ttl"),
    [
        ("SELECT a FROM slow", 300.0),
        ("SELECT a FROM slow JOIN orders USING (a)", 30.0),
        ("SELECT a FROM orders WHERE now() > '2020-01-01'", 5.0),
        ("SELECT a FROM slow /* pgcache: ttl=7 */", 7.0),
    ],
)
async def test_the_shortest_lifetime_wins(sql: str, ttl: float, config: Config) -> None:
    assert (await explain_text(config, sql)).ttl == ttl


@pytest.mark.parametrize(
    ("sql", "reason", "detail"),
    [
        ("", "empty-query", ""),
        ("SELECT 1", "no-table", ""),
        ("SELECT a FROM slow; SELECT 2", "multi-statement", ""),
        ("SELECT a FROM slow /* pgcache: off */", "hint", ""),
        ("INSERT INTO slow VALUES (1)", "not-a-select", "INSERT"),
        ("SELECT random() FROM slow", "volatile-function", "random"),
        ("SELECT a FROM nowhere", "unknown-relation", "nowhere"),
        ("SELECT relname FROM pg_class", "system-catalog", "pg_catalog.pg_class"),
        ("SELECT a FROM slow FOR UPDATE", "row-lock", ""),
    ],
)
async def test_a_query_that_is_not(sql: str, reason: str, detail: str, config: Config) -> None:
    told: Explanation = await explain_text(config, sql)
    assert (told.verdict, told.reason) == ("bypass", reason)
    assert detail in told.detail
    assert told.key is None
    assert told.ttl is None
    assert told.sentence
    shown: dict[str, Any] = told.as_object()
    assert shown["reason"] == reason
    assert shown["remedy"]


async def test_the_rule_that_fits_is_named(config: Config) -> None:
    ruled = config.model_copy(
        update={
            "rules": Config.model_validate(
                {
                    "upstream": {"url": config.origin},
                    "rules": [
                        {"name": "never", "relation": "public.slow", "off": True},
                        {"user": "app", "ttl": "1h", "tags": ["mine"]},
                    ],
                }
            ).rules
        }
    )
    told = await explain_text(ruled, "SELECT a FROM slow")
    assert (told.reason, told.detail, told.rule) == ("rule", "never", "never")
    told = await explain_text(ruled, "SELECT a FROM orders")
    assert (told.rule, told.ttl) == ("rule 2", 30.0)
    assert "mine" in told.tags
    assert len(told.statement) == 16

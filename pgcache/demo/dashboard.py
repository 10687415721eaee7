"""A sales dashboard: what a BI tool sends, and how long each query took.

Queries go through a real driver to whatever URL is given; the verdict is what pgcache says on the
wire (``SET pgcache.notices = on``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

NOTICE_PREFIX = "pgcache; "


@dataclass(frozen=True, slots=True)
class Tile:
    """One query of the dashboard."""

    title: str
    sql: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, how long it took (milliseconds), and what pgcache said of it."""

    rows: list[Any]
    elapsed_ms: float
    verdict: str

    @property
    def short(self) -> str:
        """The verdict in a word: ``hit``, ``miss``, or the reason why it was forwarded."""
        words = dict(part.partition("=")[::2] for part in self.verdict.split("; "))
        return words.get("detail") or words.get("fwd") or next(iter(words)) or "no notice"

    @property
    def is_hit(self) -> bool:
        """Whether it came from the cache."""
        return self.verdict.split(";")[0] == "hit"


TILES = (
    Tile(
        "Monthly revenue",
        """
SELECT date_trunc('month', o.created_at) AS month, p.category, c.segment,
       count(DISTINCT o.id) AS orders, count(DISTINCT c.id) AS buyers,
       count(DISTINCT c.id) FILTER (WHERE f.first_at >= NOW() - INTERVAL '30 days') AS new_buyers,
       round(sum(i.quantity * i.unit_price), 2) AS revenue,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY i.quantity * i.unit_price) AS median_line,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY i.quantity * i.unit_price) AS p95_line
FROM orders AS o
JOIN customers AS c ON c.id = o.customer_id
JOIN order_items AS i ON i.order_id = o.id
JOIN products AS p ON p.id = i.product_id
JOIN (SELECT customer_id, min(created_at) AS first_at FROM orders GROUP BY customer_id) AS f
  ON f.customer_id = o.customer_id
WHERE o.created_at >= NOW() - INTERVAL '30 days' AND o.status <> 'returned'
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
    ),
    Tile(
        "Revenue per day",
        """
SELECT day, revenue, round(avg(revenue) OVER (ORDER BY day ROWS 6 PRECEDING), 2) AS week_average
FROM (SELECT date_trunc('day', o.created_at) AS day, sum(i.quantity * i.unit_price) AS revenue
      FROM orders AS o JOIN order_items AS i ON i.order_id = o.id
      WHERE o.created_at >= NOW() - INTERVAL '60 days' GROUP BY 1) AS days
ORDER BY day""",
    ),
    Tile(
        "Top ten products",
        """
SELECT p.name, p.category, sum(i.quantity) AS sold, sum(i.quantity * i.unit_price) AS revenue
FROM order_items AS i JOIN products AS p ON p.id = i.product_id
JOIN orders AS o ON o.id = i.order_id
WHERE o.created_at >= NOW() - INTERVAL '30 days'
GROUP BY p.id, p.name, p.category ORDER BY revenue DESC, p.name LIMIT 10""",
    ),
    Tile(
        "Buyers by country",
        """
SELECT c.country, count(DISTINCT c.id) AS buyers, count(*) AS orders,
       round(count(*)::numeric / count(DISTINCT c.id), 2) AS orders_per_buyer
FROM orders AS o JOIN customers AS c ON c.id = o.customer_id
GROUP BY c.country ORDER BY orders DESC""",
    ),
    Tile(
        "Basket size",
        """
SELECT items, count(*) AS orders, round(avg(total), 2) AS average_total
FROM (SELECT order_id, count(*) AS items, sum(quantity * unit_price) AS total
      FROM order_items GROUP BY order_id) AS baskets
GROUP BY items ORDER BY items""",
    ),
    Tile(
        "Repeat buyers",
        """
WITH buyers AS (
    SELECT c.id, date_trunc('month', c.signed_up_at) AS cohort, count(o.id) AS orders
    FROM customers AS c LEFT JOIN orders AS o ON o.customer_id = c.id
    GROUP BY c.id, cohort)
SELECT cohort, count(*) AS customers, count(*) FILTER (WHERE orders > 10) AS repeat_buyers
FROM buyers GROUP BY cohort ORDER BY cohort""",
    ),
    Tile(
        "Returns by category",
        """
SELECT p.category, count(*) FILTER (WHERE o.status = 'returned') AS returned,
       round(100.0 * count(*) FILTER (WHERE o.status = 'returned') / count(*), 2) AS percent
FROM orders AS o JOIN order_items AS i ON i.order_id = o.id JOIN products AS p
  ON p.id = i.product_id
WHERE o.created_at >= CURRENT_DATE - 90
GROUP BY p.category ORDER BY percent DESC""",
    ),
)


class Viewer:
    """Someone who looks at the dashboard: one connection, with pgcache's notices on."""

    def __init__(self, url: str) -> None:
        self._verdict = ""
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.add_notice_handler(self._on_notice)
        self._connection.execute("SET pgcache.notices = on")

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _on_notice(self, notice: psycopg.errors.Diagnostic) -> None:
        text = notice.message_primary or ""
        if text.startswith(NOTICE_PREFIX):
            self._verdict = text.removeprefix(NOTICE_PREFIX)

    def ask(self, sql: str) -> Answer:
        """Run one statement and wait for all of its rows."""
        self._verdict = ""
        started = time.perf_counter()
        cursor = self._connection.execute(sql.encode())
        rows = cursor.fetchall() if cursor.description else []
        elapsed = (time.perf_counter() - started) * 1000
        return Answer(rows, elapsed, self._verdict)

    def look(self) -> Iterator[tuple[Tile, Answer]]:
        """The whole dashboard, tile by tile."""
        for tile in TILES:
            yield tile, self.ask(tile.sql)

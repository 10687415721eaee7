"""How long it takes to understand a dashboard's query: tokens, key text, everything.

Run with ``python -m benchmarks.bench_lexer``; prints microseconds, the best of many rounds.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable

from pgcache.sql.analyses import Analyses, Text
from pgcache.sql.hints import read_hints
from pgcache.sql.lexer import tokenize
from pgcache.sql.normal import normalise
from pgcache.sql.script import read_script

QUERY = """\
-- Metabase:: userID: 5 queryType: native queryHash: 8f14e45fceea167a5a36dedd4bea2543
SELECT date_trunc('month', o.created_at) AS month, c.region, c."Segment" AS segment,
       SUM(oi.quantity * oi.unit_price) AS revenue, COUNT(DISTINCT o.id) AS orders,
       AVG(oi.unit_price)::numeric(10, 2) AS average_price,
       SUM(oi.quantity * oi.unit_price) / NULLIF(COUNT(DISTINCT o.customer_id), 0) AS per_customer,
       ROW_NUMBER() OVER (PARTITION BY c.region ORDER BY SUM(oi.quantity) DESC) AS position
FROM sales.orders o
JOIN sales.order_items oi ON oi.order_id = o.id
JOIN sales.customers c ON c.id = o.customer_id
LEFT JOIN sales.products p ON p.id = oi.product_id AND p.category IN ('Books', 'Games', 'Music')
LEFT JOIN sales.refunds r ON r.order_id = o.id /* refunds come later */
WHERE o.created_at >= NOW() - INTERVAL '30 days'
  AND o.status <> 'cancelled'
  AND c.company_id = 42
  AND r.id IS NULL
GROUP BY 1, 2, 3
HAVING SUM(oi.quantity) > 10.5
ORDER BY revenue DESC NULLS LAST, month
LIMIT 100
"""


def best(action: Callable[[], object]) -> float:
    """Microseconds of one call, in the best of 20 rounds."""
    return min(timeit.repeat(action, number=50, repeat=20)) / 50 * 1e6


def main() -> None:
    """Print the figures."""
    tokens = tokenize(QUERY)
    raw = QUERY.encode()
    analyses, another = Analyses(100), QUERY.replace("42", "43").encode()
    analyses.script(Text(raw, True, "utf-8"))
    commented, differing = (Text(text, True, "utf-8") for text in (raw + b" -- 1", another))
    print(f"{len(QUERY)} bytes, {len(tokens)} tokens")
    print(f"tokens       {best(lambda: tokenize(QUERY)):8.1f} us")
    print(f"key text     {best(lambda: normalise(QUERY, tokens)):8.1f} us")
    print(f"hints        {best(lambda: read_hints(QUERY, tokens)):8.1f} us")
    print(f"known by key {best(lambda: analyses.find(commented)):8.1f} us")
    print(f"by outline   {best(lambda: analyses.find(differing)):8.1f} us")
    print(f"everything   {best(lambda: read_script(raw)):8.1f} us")


if __name__ == "__main__":
    main()

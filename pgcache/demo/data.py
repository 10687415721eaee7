"""The demo's data: a year of sales, made inside PostgreSQL in batches.

Nothing is sent but the statements. Rows are spread by hashes, so every run gives the same sales
(but for their dates, which end today).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

DATABASE = "sales"
ANALYST = "analyst"  # who looks at the dashboard
SERVICE = "pgcache"  # pgcache's own role: it may log in and read the system catalogs, no more

_BATCHES = 20

_TABLES = """
CREATE TABLE customers (
    id bigint PRIMARY KEY, name text NOT NULL, country text NOT NULL, segment text NOT NULL,
    signed_up_at timestamptz NOT NULL);
CREATE TABLE products (
    id bigint PRIMARY KEY, name text NOT NULL, category text NOT NULL,
    price numeric(10,2) NOT NULL);
CREATE TABLE orders (
    id bigint, customer_id bigint NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE order_items (
    order_id bigint NOT NULL, product_id bigint NOT NULL, quantity integer NOT NULL,
    unit_price numeric(10,2) NOT NULL)
"""

_CUSTOMERS = """
INSERT INTO customers
SELECT n, 'Customer ' || n,
       (ARRAY['Germany','France','Spain','Italy','Poland','Austria','Norway','Japan'])
           [1 + (hashint8(n) & 2147483647) %% 8],
       (ARRAY['consumer','business','public'])[1 + (hashint8(n * 31) & 2147483647) %% 3],
       now() - ((hashint8(n * 7) & 2147483647) %% 1000) * interval '1 day'
FROM generate_series(1, %(customers)s) AS n
"""

_PRODUCTS = """
INSERT INTO products
SELECT n, 'Product ' || n,
       (ARRAY['Books','Garden','Kitchen','Music','Office','Sports','Toys'])
           [1 + (hashint8(n) & 2147483647) %% 7],
       5 + (hashint8(n * 13) & 2147483647) %% 20000 / 100.0
FROM generate_series(1, %(products)s) AS n
"""

_ORDERS = """
INSERT INTO orders
SELECT n, 1 + (hashint8(n * 17) & 2147483647) %% %(customers)s,
       (ARRAY['paid','paid','paid','shipped','shipped','returned'])
           [1 + (hashint8(n * 3) & 2147483647) %% 6],
       now() - (1 - n / %(orders)s::float8) * interval '180 days'
FROM generate_series(%(first)s, %(last)s) AS n
"""

_ITEMS = """
INSERT INTO order_items
SELECT n, p.id, 1 + (hashint8(n * 5 + k) & 2147483647) %% 4, p.price
FROM generate_series(%(first)s, %(last)s) AS n
CROSS JOIN LATERAL generate_series(1, 1 + (hashint8(n * 11) & 2147483647) %% 5) AS k
JOIN products AS p ON p.id = 1 + (hashint8(n * 19 + k) & 2147483647) %% %(products)s
"""

_FINISH = (
    ("indexing orders", "ALTER TABLE orders ADD PRIMARY KEY (id)"),
    ("indexing orders", "CREATE INDEX ON orders (created_at)"),
    ("indexing order_items", "CREATE INDEX ON order_items (order_id)"),
    ("analysing", "VACUUM (ANALYZE) customers, products, orders, order_items"),
    (
        "permissions",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ANALYST}",
    ),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows; an order has three items on average."""

    customers: int
    products: int
    orders: int

    @classmethod
    def scaled(cls, scale: float) -> Size:
        """``scale`` 1 is what makes the dashboard's main query take seconds."""
        return cls(
            customers=max(10, round(80_000 * scale)),
            products=max(10, round(2_000 * min(scale, 1.0))),
            orders=max(_BATCHES, round(1_200_000 * scale)),
        )

    @property
    def steps(self) -> int:
        """How often ``load`` reports."""
        return 2 + 2 * _BATCHES + len(_FINISH)


def create_database(url: str, passwords: dict[str, str]) -> None:
    """Make the roles (their passwords by name) and the empty database."""
    with psycopg.connect(url, autocommit=True) as connection:
        for role, password in passwords.items():
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'".encode())
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())


def load(url: str, size: Size, report: Callable[[str], None]) -> None:
    """Fill the database; ``report`` is called ``size.steps`` times, with what was done."""
    rows = {"customers": size.customers, "products": size.products, "orders": size.orders}
    # psycopg would send parameters typed as the smallest integer that holds them, and the
    # statements multiply; literals are bigint where PostgreSQL needs them to be
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(_TABLES.encode())
        connection.execute(_CUSTOMERS, rows)
        report("customers")
        connection.execute(_PRODUCTS, rows)
        report("products")
        for name, statement in (("orders", _ORDERS), ("order_items", _ITEMS)):
            for batch in range(_BATCHES):
                first = size.orders * batch // _BATCHES + 1
                last = size.orders * (batch + 1) // _BATCHES
                connection.execute(statement, {**rows, "first": first, "last": last})
                report(name)
        for name, statement in _FINISH:
            connection.execute(statement.encode())
            report(name)

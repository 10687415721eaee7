"""A day of an operator with the documentation only: everything from the outside."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.operate.conftest import TOKEN, Site
from tests.support.postgres import password_of
from tests.support.raw import eventually

pytestmark = pytest.mark.postgres

DOCS = Path(__file__).parents[2] / "docs" / "invalidation.md"
QUERY = "SELECT count(*) FROM orders"


@pytest.fixture
def shop(site: Site, admin_port: int) -> Site:
    """A table with a lifetime, a tag and an event of its own; the admin address is there."""
    site.execute("CREATE TABLE orders (id int)", "CREATE TABLE staging_orders (id int)")
    site.start(
        f"""
        [tables."public.orders"]
        ttl = "1h"
        tags = ["revenue"]

        [events."order.created"]
        tags = ["revenue"]

        [invalidation]
        notify_channel = "pgcache"

        [admin]
        address = "127.0.0.1:{admin_port}"
        token = "{TOKEN}"

        [[warm]]
        query = "{QUERY}"
        user = "app"
        password = "{password_of("app")}"
        database = "{site.database}"
        schedule = []
        """
    )
    return site


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_a_tables_lifetime_is_what_the_file_says(shop: Site) -> None:
    shop.verdict(QUERY)
    assert re.search(r"pgcache; hit; ttl=(3600|359\d);", shop.verdict(QUERY))


def test_why_a_query_is_not_cached(shop: Site) -> None:
    url = shop.server.url("service", shop.database)
    told = json.loads(shop.command("explain", "--upstream", url, "--json", "SELECT random()"))
    assert (told["verdict"], bool(told["reason"])) == ("bypass", True)
    said = shop.verdict("SELECT random() FROM orders")
    assert "detail=volatile-function" in said
    assert "calls a volatile function" in said


@pytest.mark.parametrize("way", ["command", "event", "console", "notify"])
def test_invalidate_after_a_load(way: str, shop: Site, admin_port: int) -> None:
    for _ in range(2):
        shop.verdict(QUERY)
    shop.execute("INSERT INTO orders VALUES (1)")
    assert shop.is_hit(QUERY), "nobody told pgcache"
    if way == "command":
        shop.command("invalidate", "--tag", "revenue", *shop.console_flag())
    elif way == "console":
        shop.console("INVALIDATE MATCHING 'select%from orders%'")
    elif way == "event":
        request = urllib.request.Request(
            f"http://127.0.0.1:{admin_port}/events",
            data=b'{"event": "order.created", "id": "1"}',
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.loads(answer.read())["status"] == "applied"
    else:
        before = _invalidations(shop, "notify")
        shop.execute("NOTIFY pgcache, 'order.created'")
        while _invalidations(shop, "notify") == before:
            pass
    with shop.connect() as connection:
        assert connection.execute(QUERY.encode()).fetchone() == (1,)


def _invalidations(shop: Site, source: str) -> str:
    stats = {str(name): str(value) for name, value in shop.console("SHOW STATS")}
    return stats.get(f"invalidations:{source}", "0")


def test_the_script_of_the_documentation(shop: Site, admin_port: int) -> None:
    match = re.search(r"<!-- a test runs this -->\n```sh\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert match is not None
    shop.execute("INSERT INTO staging_orders VALUES (1), (2)")
    for _ in range(2):
        shop.verdict(QUERY)
    subprocess.run(
        ["sh", "-euc", match[1].replace("psql ", f"{shop.server.bin('psql')} ", 1)],
        env={
            **os.environ,
            "ORIGIN_URL": shop.server.url("app", shop.database),
            "PGCACHE_ADMIN": f"http://127.0.0.1:{admin_port}",
            "PGCACHE_TOKEN": TOKEN,
            "LOAD_ID": "7",
        },
        check=True,
        timeout=60,
    )
    with shop.connect() as connection:
        assert connection.execute(QUERY.encode()).fetchone() == (2,)


def test_warm_a_dashboard_and_watch_it(shop: Site, admin_port: int) -> None:
    assert shop.command("warm", *shop.console_flag()).strip() == "1 warmed"
    assert shop.is_hit(QUERY)
    figures = json.loads(shop.command("stats", "--json", *shop.console_flag()))
    assert figures
    assert re.search(r"^pgcache_hits_total [1-9]", _get(admin_port, "/metrics"), re.MULTILINE)
    page = _get(admin_port, "/")
    assert "public.orders" in page
    assert sys.executable not in page


def test_events_warm_up_and_the_log_by_reload(shop: Site) -> None:
    """The file is edited, RELOAD says what it has taken over, and it holds at once."""
    shop.execute("INSERT INTO orders VALUES (1)")
    for _ in range(2):
        shop.verdict(QUERY)
    assert shop.is_hit(QUERY)
    assert "no event is called" in shop.command(
        "invalidate", "--event", "order.paid", *shop.console_flag(), code=1
    )
    other = "SELECT max(id) FROM orders"
    shop.file.write_text(
        shop.file.read_text()
        + '[events."order.paid"]\ntags = ["revenue"]\n'
        + f'[[warm]]\nquery = "{other}"\nuser = "app"\nschedule = "1s"\n'
        + f'database = "{shop.database}"\npassword = "{password_of("app")}"\n'
        + '[log]\nlevel = "error"\nformat = "console"\n'
    )
    assert sorted(shop.console("RELOAD")) == [
        ("events", "applied"),
        ("log.format", "needs a restart"),
        ("log.level", "applied"),
        ("warm", "applied"),
    ]
    shop.command("invalidate", "--event", "order.paid", *shop.console_flag())
    with shop.connect() as connection:
        assert connection.execute(QUERY.encode()).fetchone() == (1,)
    eventually(lambda: any(row[1] == "warmed" for row in shop.console("SHOW WARM")))
    eventually(lambda: shop.is_hit(other))
    assert "warmed up" not in shop.proxy.log.read_text(), "that would be a line of level info"


def test_functions_by_reload(shop: Site) -> None:
    """What a function reads is declared while pgcache runs: its results are kept, and dropped."""
    shop.execute(
        "CREATE FUNCTION rate() RETURNS bigint STABLE LANGUAGE plpgsql AS "
        "'BEGIN RETURN (SELECT count(*) FROM staging_orders); END'"
    )
    rated = "SELECT count(*), rate() FROM orders"
    eventually(lambda: "detail=user-function" in shop.verdict(rated))
    shop.file.write_text(
        shop.file.read_text() + '[functions."public.rate"]\nreads = ["public.staging_orders"]\n'
    )
    assert shop.console("RELOAD") == [("functions", "applied")]
    eventually(lambda: shop.is_hit(rated))
    with shop.connect() as connection:
        connection.execute("INSERT INTO staging_orders VALUES (1)")
        assert connection.execute(rated.encode()).fetchone() == (0, 1)

"""Warming up, from the outside: what real drivers asked is asked again, and they find it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pg8000.native
import psycopg
import psycopg2
import pytest

from tests.operate.conftest import Site
from tests.support.postgres import SUPERUSER, Server, password_of

pytestmark = [pytest.mark.postgres, pytest.mark.driver]

QUERY = "SELECT region, amount FROM sales ORDER BY region"
WITH_PARAMETER = "SELECT amount FROM sales WHERE region = "
Ask = Callable[[Site, str], str]


def _last(cursor: Any) -> str:
    cursor.execute("SHOW pgcache.last")
    return str(cursor.fetchone()[0])


def _psycopg2(site: Site, user: str) -> str:
    """The simple protocol, inside of a transaction and after a SET, as Superset does."""
    with closing(psycopg2.connect(site.proxy.url(user, site.database))) as connection:
        cursor = connection.cursor()
        cursor.execute("SET search_path = public, pg_catalog")
        cursor.execute(QUERY)
        return _last(cursor)


def _psycopg(site: Site, user: str) -> str:
    """The extended protocol with a parameter, and settings in the startup packet."""
    url = site.proxy.url(user, site.database)
    with psycopg.connect(url, options="-c TimeZone=Asia/Tokyo", autocommit=True) as connection:
        connection.execute(f"{WITH_PARAMETER}%s".encode(), ("it's \\ north",))
        row = connection.execute("SHOW pgcache.last").fetchone()
        assert row is not None
        return str(row[0])


def _asyncpg(site: Site, user: str) -> str:
    """A prepared statement with a name, binary values and results."""

    async def ask() -> str:
        connection = await asyncpg.connect(site.proxy.url(user, site.database))
        try:
            await connection.execute("SET extra_float_digits = 2")
            await connection.fetch(f"{WITH_PARAMETER}$1", "north")
            return str(await connection.fetchval("SHOW pgcache.last"))
        finally:
            await connection.close()

    return asyncio.run(ask())


def _pg8000(site: Site, user: str) -> str:
    connection: Any = pg8000.native.Connection(
        user,
        host=site.proxy.host,
        port=site.proxy.port,
        database=site.database,
        password=password_of(user),
        application_name="report",
    )
    with closing(connection):
        connection.run(f"{WITH_PARAMETER}:region", region="north")
        return str(connection.run("SHOW pgcache.last")[0][0])


DRIVERS = [_psycopg2, _psycopg, _asyncpg, _pg8000]


@pytest.fixture
def shop(site: Site) -> Site:
    """A table whose rows belong to roles, and nobody asked anything yet."""
    site.execute(
        "CREATE TABLE sales (region text, amount float8, owner text)",
        "INSERT INTO sales VALUES ('north', 1.5, 'alice'), ('south', 2, 'bob')",
        "ALTER TABLE sales ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON sales USING (owner = current_user)",
        "GRANT SELECT ON sales TO alice, bob",
    )
    return site


def _configuration(site: Site, *more: str) -> str:
    return "\n".join(["[warm_up]", f'record = "{site.folder / "questions.json"}"', *more]) + "\n"


def _superuser() -> tuple[str, str]:
    return f'user = "{SUPERUSER}"', f'password = "{password_of(SUPERUSER)}"'


@pytest.mark.parametrize("by", ["passfile", "superuser"])
def test_what_drivers_asked_is_warm_after_a_restart(
    by: str, shop: Site, passfile: Callable[..., Path]
) -> None:
    if by == "passfile":
        file = passfile(f"*:*:*:alice:{password_of('alice')}")
        configuration = _configuration(shop, f'passfile = "{file}"')
    else:
        configuration = _configuration(shop, *_superuser())
    shop.start(configuration)
    for ask in DRIVERS:
        assert "stored" in ask(shop, "alice"), ask.__name__
        assert ask(shop, "alice").startswith("pgcache; hit"), ask.__name__
    shop.start(configuration)
    said = shop.command("warm", "--top", "4", *shop.console_flag())
    assert said.strip() == f"{len(DRIVERS)} warmed"
    assert [ask(shop, "alice")[:12] for ask in DRIVERS] == ["pgcache; hit"] * len(DRIVERS)
    again = shop.command("warm", "--top", "4", *shop.console_flag())
    assert again.strip() == f"{len(DRIVERS)} warm-already"
    refreshed = shop.command("warm", "--top", "2", "--refresh", *shop.console_flag())
    assert refreshed.strip() == "2 warmed"


@pytest.mark.parametrize("by", ["passfile", "superuser"])
def test_nobody_gets_what_another_may_see(
    by: str, shop: Site, passfile: Callable[..., Path]
) -> None:
    file = passfile(f"*:*:*:alice:{password_of('alice')}")
    ways = {"passfile": [f'passfile = "{file}"'], "superuser": _superuser()}
    configuration = _configuration(shop, *ways[by])
    shop.start(configuration)
    query = "SELECT region FROM sales"
    with shop.connect("alice") as connection:
        assert connection.execute(query.encode()).fetchall() == [("north",)]
    shop.start(configuration)
    shop.command("warm", "--top", "2", *shop.console_flag())
    assert shop.is_hit(query, "alice")
    assert not shop.is_hit(query, "bob")
    for user, row in (("alice", "north"), ("bob", "south")):
        with shop.connect(user) as connection:
            assert connection.execute(query.encode()).fetchall() == [(row,)]
    with shop.connect(SUPERUSER) as connection:
        assert len(connection.execute(query.encode()).fetchall()) == 2


def test_what_cannot_be_warmed_is_said_and_fails(shop: Site) -> None:
    shop.start()
    shop.verdict(QUERY, "alice")
    shop.start(
        f"""
        [[warm]]
        query = "{QUERY}"
        user = "alice"
        database = "{shop.database}"
        schedule = []

        [[warm]]
        query = "SELECT random() FROM sales"
        user = "app"
        password = "{password_of("app")}"
        database = "{shop.database}"
        schedule = []

        [[warm]]
        query = "SELECT nothing FROM sales"
        user = "app"
        password = "{password_of("app")}"
        database = "{shop.database}"
        schedule = []
        """
    )
    said = shop.command("warm", *shop.console_flag(), code=1)
    assert "2 failed, 1 not-stored" in said or "1 not-stored" in said
    assert 'no password is known for role "alice" (put it in warm_up.passfile' in said
    assert "not-stored: volatile-function: SELECT random() FROM sales (as app)" in said
    assert 'column "nothing" does not exist' in said


def test_configured_queries_are_warm_from_the_start(shop: Site) -> None:
    def secret(user: str) -> str:
        return f'user = "{user}"\npassword = "{password_of(user)}"\ndatabase = "{shop.database}"'

    proxy = shop.start(
        f"""
        [[warm]]
        query = "{QUERY}"
        {secret("alice")}

        [[warm]]
        query = "SELECT amount FROM sales"
        settings = {{ TimeZone = "Asia/Tokyo", search_path = "public, pg_catalog" }}
        protocol = "extended"
        {secret("alice")}
        """
    )
    job = shop.console("SHOW WARM")
    while any(row[1] in ("waiting", "asking") for row in job):
        job = shop.console("SHOW WARM")
    assert [row[1] for row in job] == ["warmed"] * 2, proxy.log.read_text()
    with closing(psycopg2.connect(shop.proxy.url("alice", shop.database))) as connection:
        cursor = connection.cursor()
        cursor.execute(QUERY)
        assert _last(cursor).startswith("pgcache; hit")
        cursor.execute("SET search_path = public, pg_catalog; SET TimeZone = 'Asia/Tokyo'")
        cursor.execute("SELECT amount FROM sales")
        assert _last(cursor).startswith("pgcache; hit")


def test_the_file_is_its_owners_alone(shop: Site) -> None:
    configuration = _configuration(shop, *_superuser())
    shop.start(configuration)
    shop.verdict(QUERY, "alice")
    shop.stop()
    file = shop.folder / "questions.json"
    assert file.stat().st_mode & 0o777 == 0o600
    questions = json.loads(file.read_text())["questions"]
    (question,) = [one for one in questions if "settling" not in one["text"]]
    assert (question["user"], question["text"]) == ("alice", QUERY)
    assert password_of("alice") not in file.read_text()
    file.chmod(0o640)
    proxy = shop.start(configuration)
    assert "others may read it" in proxy.log.read_text()
    assert "recorded questions read" not in proxy.log.read_text()


def test_a_role_with_settings_of_its_own_is_not_mistaken(
    shop: Site, newest_postgres: Server
) -> None:
    """ALTER ROLE … SET counts at login only: SET SESSION AUTHORIZATION cannot repeat it."""
    configuration = _configuration(shop, *_superuser())
    newest_postgres.execute(
        f"ALTER ROLE alice IN DATABASE {shop.database} SET extra_float_digits=0"
    )
    shop.start(configuration)
    shop.verdict(QUERY, "alice")
    shop.start(configuration)
    said = shop.command("warm", "--top", "9", *shop.console_flag(), code=1)
    assert "other-key" in said
    assert not shop.is_hit(QUERY, "alice")

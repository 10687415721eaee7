"""The page's buttons, pressed in a browser; what came of it is asked of the console."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.admin.conftest import TOKEN, with_page
from tests.support.browser import Browser, needs_browser
from tests.support.postgres import Server
from tests.support.proxy import SERVICE, Proxy
from tests.support.raw import eventually

READ = "select count(*) from orders"
INVALIDATE, PAUSE = 'form[action="/do/invalidate"]', "#pause"

pytestmark = [pytest.mark.postgres, needs_browser]


@dataclass(frozen=True, slots=True)
class Desk:
    """A browser on the page of a proxy, and the console beside it."""

    proxy: Proxy
    database: str
    base: str
    browser: Browser

    def visit(self) -> None:
        """Open the page as somebody does who was never here."""
        self.browser.open(f"{self.base}/")
        self.browser.run("sessionStorage.clear()")
        self.browser.open(f"{self.base}/?done=")

    def press(self, form: str, token: str) -> None:
        """Give the token, and press the form's button."""
        self.browser.type(f"{form} input[name=token]", token)
        self.browser.click(f"{form} button")

    def is_told(self, text: str) -> None:
        """Wait until the page says so at its top."""
        eventually(lambda: self.browser.text(".note").startswith(text))
        self.browser.settle()

    def show(self, table: str) -> list[dict[str, str]]:
        """One table of the console's."""
        url = self.proxy.url(SERVICE, "pgcache")
        with psycopg.connect(url, autocommit=True) as console:
            rows = console.execute(f"SHOW {table}".encode())
            names = [column.name for column in rows.description or ()]
            return [dict(zip(names, map(str, row), strict=True)) for row in rows]

    def stat(self, name: str) -> str:
        """One of `SHOW STATS`."""
        return next(row["value"] for row in self.show("STATS") if row["name"] == name)

    def store(self) -> None:
        """Have something in the cache."""
        url = self.proxy.url("app", self.database)
        with psycopg.connect(url, autocommit=True) as client:

            def is_stored() -> bool:
                client.execute(READ)
                return bool(self.show("ENTRIES"))

            eventually(is_stored)


@pytest.fixture(scope="module")
def desk(newest_postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder: Path = tmp_path_factory.mktemp("buttons")
    with with_page(newest_postgres, folder) as there, Browser(folder) as browser:
        yield Desk(*there, browser)


@pytest.fixture(autouse=True)
def visited(desk: Desk) -> None:
    desk.visit()


def test_pause_and_resume(desk: Desk) -> None:
    desk.press(PAUSE, TOKEN)
    desk.is_told("Paused: nothing is served")
    assert desk.stat("paused") == "true"
    assert desk.browser.text("#state").startswith("paused")
    assert desk.browser.text(f"{PAUSE} button") == "Resume"
    desk.browser.click(f"{PAUSE} button")  # the token is still there
    desk.is_told("Resumed.")
    assert desk.stat("paused") == "false"
    assert desk.browser.text(f"{PAUSE} button") == "Pause"


def test_invalidate_a_table(desk: Desk) -> None:
    desk.store()
    desk.browser.type("input[name=name]", "public.orders")
    desk.press(INVALIDATE, TOKEN)
    desk.is_told("Invalidated table public.orders: 1.")
    assert desk.show("ENTRIES") == []


def test_invalidate_everything(desk: Desk) -> None:
    desk.store()
    desk.browser.run("document.querySelector('select[name=kind]').value = 'ALL'")
    desk.press(INVALIDATE, TOKEN)
    desk.is_told("Invalidated all")
    assert desk.show("ENTRIES") == []


def test_a_wrong_token_is_told_on_the_page_and_forgotten(desk: Desk) -> None:
    desk.press(PAUSE, "a guess")
    desk.is_told("Nothing was done: the token is wrong.")
    assert desk.stat("paused") == "false"
    assert "Hottest queries" in desk.browser.text("main"), "it is the page"
    assert desk.browser.run("document.querySelector('input[name=token]').value") == ""


def test_a_table_that_is_not_there_is_told_on_the_page(desk: Desk) -> None:
    desk.store()
    desk.browser.type("input[name=name]", "public.nothing")
    desk.press(INVALIDATE, TOKEN)
    desk.is_told("Nothing was done: no database in use has a table")


def test_a_button_that_somebody_else_has_pressed(desk: Desk) -> None:
    url = desk.proxy.url(SERVICE, "pgcache")
    with psycopg.connect(url, autocommit=True) as console:
        console.execute("PAUSE")
        eventually(lambda: desk.browser.text(f"{PAUSE} button") == "Resume")
        assert desk.browser.text("#state").startswith("paused")
        console.execute("RESUME")
        eventually(lambda: desk.browser.text(f"{PAUSE} button") == "Pause")


@pytest.mark.parametrize(("name", "width"), [("desktop", 1280), ("dark", 1280), ("phone", 390)])
def test_nothing_is_wider_than_the_window(
    desk: Desk, tmp_path: Path, name: str, width: int
) -> None:
    """With something to show; where PGCACHE_TEST_PICTURES names a folder, it keeps pictures."""
    desk.store()
    desk.browser.look(width, 2000, dark=name == "dark")
    desk.visit()
    assert desk.browser.run("document.documentElement.scrollWidth") == width
    assert desk.browser.run("getComputedStyle(document.body).backgroundColor") == (
        "rgb(20, 23, 26)" if name == "dark" else "rgb(251, 251, 250)"
    )
    folder = Path(os.environ.get("PGCACHE_TEST_PICTURES") or tmp_path)
    (folder / f"{name}.png").write_bytes(desk.browser.picture())

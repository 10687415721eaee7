"""The page: what it says, what its buttons do, how it looks in a browser."""

from __future__ import annotations

import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request as Ask
from urllib.request import urlopen

import pytest

from tests.admin.conftest import TOKEN, with_page
from tests.support.browser import CHROMIUM, FLAGS, needs_browser
from tests.support.postgres import Server
from tests.support.proxy import Proxy

SECRET = 424242
_VOID = frozenset(("meta", "input", "link", "br", "hr", "img"))

pytestmark = pytest.mark.postgres


@dataclass(frozen=True, slots=True)
class Place:
    """A proxy with a page."""

    proxy: Proxy
    database: str
    base: str

    def get(self, path: str = "/") -> str:
        """A page's text."""
        with urlopen(self.base + path, timeout=10) as answer:
            return str(answer.read().decode())

    def press(self, path: str, **fields: str) -> str:
        """Send a form, and follow to what it leads to."""
        with urlopen(Ask(self.base + path, urlencode(fields).encode()), timeout=10) as answer:
            return str(answer.read().decode())

    def ask(self, *queries: str) -> None:
        """Run queries through the proxy."""
        with self.proxy.connect("app", self.database) as connection:
            for text in queries:
                connection.execute(text.encode())


@pytest.fixture(scope="module")
def place(newest_postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A proxy that has something to show."""
    folder: Path = tmp_path_factory.mktemp("page")
    with with_page(newest_postgres, folder) as there:
        place = Place(*there)
        select = f"SELECT a FROM orders WHERE a < {SECRET} /* <b>comment</b> */"
        odd = "SELECT '<script>alert(1)</script>' AS \"<i>x</i>\", a FROM orders"
        place.ask(*[select] * 4, "SELECT random() FROM orders", odd)
        yield place


class _Tags(HTMLParser):
    """Checks that what is opened is closed, and collects what leads elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        self.scripts += tag == "script"
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_figures_are_there_without_scripts(place: Place) -> None:
    page = place.get()
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.scripts == 1
    assert all(re.fullmatch(r"/[a-z/]+", link) for link in tags.links), "nothing from elsewhere"
    text = re.sub(r"<[^>]+>", " ", page)
    for said in (
        "select a from orders where a &lt; ?",
        "public.orders",
        "The query calls a volatile function.",
        "Take the function out",
        "Hit ratio",
        "running",
    ):
        assert said in text, said


def test_nothing_of_a_query_becomes_markup_and_no_literal_is_shown(place: Place) -> None:
    page = place.get()
    assert "alert(1)" not in page
    assert "<i>x" not in page
    assert "&lt;i&gt;x&lt;/i&gt;" in page
    assert str(SECRET) not in page


def test_only_its_own_style_and_script_may_run(place: Place) -> None:
    with urlopen(place.base + "/", timeout=10) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == 2
    assert "unsafe" not in policy


def test_buttons_want_the_token(place: Place) -> None:
    for fields in ({}, {"token": "wrong"}):
        with pytest.raises(HTTPError) as raised:
            place.press("/do/pause", **fields)
        with raised.value as error:
            assert error.code == 401
    assert "Pause</button>" in place.get()


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"token": "wrong"}, 401, "the token is wrong"),
        ({"token": TOKEN, "kind": "TABLE", "name": ""}, 400, "INVALIDATE what?"),
    ],
)
def test_what_is_refused_is_told_on_the_page(
    place: Place, fields: dict[str, str], status: int, words: str
) -> None:
    """To a browser, which says that it reads HTML; a program gets one line."""
    for headers, is_page in ({"Accept": "text/html"}, True), ({}, False):
        request = Ask(f"{place.base}/do/invalidate", urlencode(fields).encode(), headers)
        with pytest.raises(HTTPError) as raised:
            urlopen(request, timeout=10)
        with raised.value as error:
            assert error.code == status
            said = error.read().decode()
        assert ("Hottest queries" in said) is is_page
        assert (f"Nothing was done: {words}" in said) is is_page


def test_a_foreign_name_is_not_shown_the_page_either(place: Place) -> None:
    headers = {"Accept": "text/html", "Host": "elsewhere.example"}
    request = Ask(f"{place.base}/do/pause", urlencode({"token": "wrong"}).encode(), headers)
    with pytest.raises(HTTPError) as raised:
        urlopen(request, timeout=10)
    with raised.value as error:
        assert error.code == 403
        assert b"Hottest" not in error.read()


def test_pause_and_resume(place: Place) -> None:
    page = place.press("/do/pause", token=TOKEN)
    assert "Paused: nothing is served" in page
    assert '<b class="warn">paused</b>' in page
    page = place.press("/do/resume", token=TOKEN)
    assert '<b class="good">running</b>' in page


def test_invalidate(place: Place) -> None:
    place.ask("SELECT a FROM orders")
    page = place.press("/do/invalidate", token=TOKEN, kind="TABLE", name="public.orders")
    assert "Invalidated table public.orders: 1." in page
    assert "Invalidated all" in place.press("/do/invalidate", token=TOKEN, kind="ALL", name="x")
    with pytest.raises(HTTPError) as raised:
        place.press("/do/invalidate", token=TOKEN, kind="TABLE", name="public.nothing")
    with raised.value as error:
        assert error.code == 400
        assert b"no database in use has a table" in error.read()


def test_a_note_is_text(place: Place) -> None:
    assert "<u>" not in place.get("/?done=%3Cu%3Ehello")


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize(
    ("name", "width", "more"),
    [
        ("light", 1280, ()),
        ("dark", 1280, ("--blink-settings=preferredColorScheme=0",)),
        ("phone", 500, ()),
    ],
)
def test_in_a_browser(
    place: Place, tmp_path: Path, name: str, width: int, more: tuple[str, ...]
) -> None:
    """It is drawn, in the asked colours, and its script breaks none of the page's own rules."""
    picture = tmp_path / f"{name}.png"
    log = _browse(place, tmp_path, f"--screenshot={picture}", f"--window-size={width},1600", *more)
    assert "Content Security Policy" not in log
    pixels, size = _read_png(picture.read_bytes())
    assert size == (width, 1600)
    ground = pixels[0][:3]
    assert (sum(ground) < 150) is (name == "dark"), ground
    colours = {bytes(row[x : x + 3]) for row in pixels[::8] for x in range(0, width * 3, 24)}
    assert len(colours) > 20, "a page with text and charts"


@needs_browser
def test_the_script_refreshes_the_figures(place: Place, tmp_path: Path) -> None:
    """The document as the browser has it, six seconds later by its own clock."""
    shown = _browse(place, tmp_path, "--dump-dom", "--virtual-time-budget=6000", output=True)
    assert 'id="figures"' in shown
    assert "select a from orders" in shown


def _browse(place: Place, folder: Path, *flags: str, output: bool = False) -> str:
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        "--enable-logging=stderr",
    ]
    done = subprocess.run(
        [*command, *flags, f"{place.base}/"], capture_output=True, text=True, timeout=90, check=True
    )
    return done.stdout if output else done.stderr


def _read_png(data: bytes) -> tuple[list[bytearray], tuple[int, int]]:
    """The rows of a PNG of eight bits, as red, green and blue; alpha is dropped."""
    width, height, depth, kind = struct.unpack("!IIBB", data[16:26])
    assert depth == 8
    step = {2: 3, 6: 4}[kind]
    packed, position = b"", 8
    while position < len(data):
        (length,) = struct.unpack_from("!I", data, position)
        if data[position + 4 : position + 8] == b"IDAT":
            packed += data[position + 8 : position + 8 + length]
        position += length + 12
    raw = zlib.decompress(packed)
    stride = width * step
    rows: list[bytearray] = []
    above = bytearray(stride)
    for number in range(height):
        start = number * (stride + 1)
        row = _unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, step)
        above = row
        rows.append(row)
    if step == 3:
        return rows, (width, height)
    return [_without_alpha(row) for row in rows], (width, height)


def _without_alpha(row: bytearray) -> bytearray:
    out = bytearray(len(row) // 4 * 3)
    for channel in range(3):
        out[channel::3] = row[channel::4]
    return out


def _unfilter(kind: int, row: bytearray, above: bytearray, step: int) -> bytearray:
    for x in range(len(row)):
        left = row[x - step] if x >= step else 0
        corner = above[x - step] if x >= step else 0
        if kind == 1:
            add = left
        elif kind == 2:
            add = above[x]
        elif kind == 3:
            add = (left + above[x]) // 2
        elif kind == 4:
            guess = left + above[x] - corner
            add = min((left, above[x], corner), key=lambda value: abs(guess - value))
        else:
            return row
        row[x] = (row[x] + add) & 255
    return row

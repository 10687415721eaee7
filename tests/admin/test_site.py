"""Who may ask what of the admin address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import structlog

from pgcache.admin.site import Access, Refused, Request, Response, Site, parse_target
from pgcache.config.model import AdminConfig
from pgcache.proxy.siblings import REQUEST, Answers, Part

TOKEN = "correct horse"


def _site(token: str | None = TOKEN, **options: Any) -> Site:
    site = Site(AdminConfig.model_validate({"token": token, **options}))
    site.add("GET", "/open", lambda _: Response.text(200, "open"), Access.OPEN)
    site.add("GET", "/read", lambda _: Response.text(200, "read"), Access.READ)
    site.add("POST", "/job", lambda _: Response.text(200, "done"), Access.PROGRAM)
    site.add("POST", "/write", lambda _: Response.text(200, "written"), Access.WRITE)
    return site


def _ask(site: Site, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _answer(site, Request(method, path, headers={"host": "localhost", **named}, body=body))


def _answer(site: Site, request: Request) -> tuple[int, str]:
    answer = asyncio.run(site.respond(request))
    return answer.status, answer.body.decode().strip()


def test_what_is_not_there() -> None:
    assert _ask(_site(), "GET", "/nothing") == (404, "known are /job, /open, /read, /write")
    assert _ask(_site(), "POST", "/read") == (405, "use GET")
    assert _ask(_site(), "DELETE", "/write") == (405, "use POST")
    assert _ask(_site(), "HEAD", "/read") == (200, "read")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:6480", "127.0.0.1:6480", "[::1]:6480", "10.1.2.3", "ops.test"]
)
def test_hosts_that_may_read(host: str) -> None:
    assert _ask(_site(hosts=["Ops.test"]), "GET", "/read", host=host) == (200, "read")


@pytest.mark.parametrize("host", ["evil.test", "evil.test:6480", "", "localhost.evil.test", "[::1"])
def test_other_names_may_not(host: str) -> None:
    status, advice = _ask(_site(), "GET", "/read", host=host)
    assert (status, advice.endswith("list it in admin.hosts")) == (403, True)
    assert _ask(_site(), "GET", "/open", host=host) == (200, "open")
    assert _ask(_site(), "POST", "/write", host=host, authorization=f"Bearer {TOKEN}")[0] == 403


def test_the_address_that_it_listens_on_is_a_name_of_its_own() -> None:
    site = _site(address="db1.internal:6480")
    assert _ask(site, "GET", "/read", host="db1.internal:6480") == (200, "read")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, b"", 200),
        ({"authorization": f"bearer   {TOKEN} "}, b"", 200),
        ({"authorization": "Bearer wrong"}, b"", 401),
        ({"authorization": f"Basic {TOKEN}"}, b"", 401),
        ({}, b"", 401),
        ({"content-type": "application/x-www-form-urlencoded"}, b"token=correct+horse", 200),
        ({"content-type": "application/x-www-form-urlencoded"}, b"token=wrong", 401),
        ({"content-type": "text/plain"}, b"token=correct+horse", 401),
        ({"authorization": f"Bearer {TOKEN}", "origin": "http://localhost"}, b"", 200),
        ({"authorization": f"Bearer {TOKEN}", "origin": "http://evil.test"}, b"", 403),
        ({"authorization": f"Bearer {TOKEN}", "origin": "null"}, b"", 403),
        ({"authorization": "Bearer żółć"}, b"", 401),
    ],
)
def test_writing_wants_the_token(headers: Mapping[str, str], body: bytes, status: int) -> None:
    request = Request("POST", "/write", headers={"host": "localhost", **headers}, body=body)
    with structlog.testing.capture_logs() as logs:
        assert _answer(_site(), request)[0] == status
    assert [line["event"] for line in logs] == (["wrong admin token"] if status == 401 else [])
    assert TOKEN not in str(logs)


def test_without_a_token_nothing_is_written() -> None:
    answer = _ask(_site(token=None), "POST", "/write", authorization="Bearer ")
    assert answer == (403, "set admin.token to allow this")


def test_handlers_may_wait_refuse_and_fail() -> None:
    async def wait(request: Request) -> Response:
        await asyncio.sleep(0)
        return Response.json(200, request.json())

    def refuse(_request: Request) -> Response:
        raise Refused(409, "not now")

    def fail(_request: Request) -> Response:
        raise ZeroDivisionError

    site = _site()
    site.add("POST", "/wait", wait, Access.OPEN)
    site.add("GET", "/refuse", refuse, Access.OPEN)
    site.add("GET", "/fail", fail, Access.OPEN)
    assert _ask(site, "POST", "/wait", b'{"a": 1}') == (200, '{"a": 1}')
    status, advice = _ask(site, "POST", "/wait", b"{")
    assert (status, advice.startswith("the body is no JSON")) == (400, True)
    assert _ask(site, "GET", "/refuse") == (409, "not now")
    with structlog.testing.capture_logs() as logs:
        assert _ask(site, "GET", "/fail") == (500, "this failed; the log says why")
    assert [(line["event"], line["path"]) for line in logs] == [("request failed", "/fail")]


def test_targets() -> None:
    assert parse_target("/a?b=1&b=2&c=&d=%20x") == ("/a", {"b": "2", "c": "", "d": " x"})
    assert parse_target("/") == ("/", {})


def test_a_program_needs_the_token_in_its_header_and_may_use_any_name() -> None:
    bearer = f"Bearer {TOKEN}"
    assert _ask(_site(), "POST", "/job", host="pgcache:6480", authorization=bearer)[0] == 200
    assert _ask(_site(), "POST", "/job", host="pgcache:6480")[0] == 401
    form = {"content_type": "application/x-www-form-urlencoded"}
    body = f"token={TOKEN}".encode()
    assert _ask(_site(), "POST", "/job", body, **form)[0] == 401
    assert _ask(_site(), "POST", "/job", origin="http://evil.test", authorization=bearer)[0] == 403
    assert _ask(_site(None), "POST", "/job", authorization=bearer)[0] == 403


class Fleet:
    """Two workers with a site each; the second one's table is known to it alone."""

    def __init__(self) -> None:
        self.count = 2
        self.done: list[int] = []
        self.sites = [Site(AdminConfig(), self) for _ in range(2)]
        for number, site in enumerate(self.sites):
            site.add("POST", "/do", partial(self._do, number), Access.OPEN)
            site.add("GET", "/do", partial(self._do, number), Access.OPEN)

    def _do(self, number: int, request: Request) -> Response:
        self.done.append(number)
        if request.body == b"\xffwho" and number == 0:
            raise Refused(404, "nobody")
        return Response.text(200, f"{number} {request.query['a']} {request.headers['host']}")

    async def ask(self, what: str, payload: Any = None, *, others: bool = False) -> list[Part]:
        assert what == REQUEST
        carried = json.loads(json.dumps(payload))
        parts = [Part(n + 1, await site.answer(carried)) for n, site in enumerate(self.sites)]
        return [Part(0, error="gone"), *parts] if self.count else []

    def answer_with(self, answers: Answers) -> None:
        """They answer by themselves."""


async def test_what_is_sent_to_one_worker_is_done_by_all() -> None:
    fleet = Fleet()
    request = Request("POST", "/do", {"a": "ä"}, {"host": "x"}, b"\xffwho")
    answer = await fleet.sites[0].respond(request)
    assert (answer.status, answer.body.decode()) == (200, "1 ä x\n")
    assert fleet.done == [0, 1]
    answer = await fleet.sites[0].respond(replace(request, method="GET", body=b""))
    assert answer.body.decode() == "0 ä x\n"
    assert fleet.done == [0, 1, 0]
    fleet.count = 0
    assert (await fleet.sites[0].respond(request)).status == 503

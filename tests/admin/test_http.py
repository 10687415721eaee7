"""The admin address over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pgcache.admin.http import serve_site
from pgcache.admin.site import Access, Request, Response, Site
from pgcache.config import Address
from pgcache.config.model import AdminConfig
from pgcache.errors import StartError

ANY_PORT = Address("127.0.0.1", 0)


def _site() -> Site:
    site = Site(AdminConfig())

    def echo(request: Request) -> Response:
        told = [request.method, request.path, dict(request.query), request.body.decode()]
        return Response.json(200, told)

    for method in ("GET", "POST"):
        site.add(method, "/echo", echo, Access.OPEN)
    return site


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """A running site's HOST:PORT."""
    async with serve_site(ANY_PORT, _site()) as real:
        assert real is not None
        yield real


async def _ask(address: str, *pieces: bytes, eof: bool = True) -> tuple[bytes, bytes]:
    """Head and body of the answer to bytes sent piece by piece."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    if eof:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


async def test_get(address: str) -> None:
    head, body = await _ask(address, b"GET /echo?a=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b'["GET", "/echo", {"a": "1"}, ""]\n'
    for header in (b"Cache-Control: no-store", b"X-Frame-Options: DENY", b"Connection: close"):
        assert header in head


async def test_head_has_no_body(address: str) -> None:
    head, body = await _ask(address, b"HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Length: 0" not in head
    assert body == b""


async def test_a_body_in_pieces_and_in_chunks(address: str) -> None:
    pieces = [b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-", b"Length: 6\r\n\r\nab", b"cdef"]
    assert (await _ask(address, *pieces, eof=False))[1].endswith(b'"abcdef"]\n')
    chunked = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
    assert (await _ask(address, chunked, eof=False))[1].endswith(b'"abcdef"]\n')


async def test_one_that_waits_to_be_let_go_on(address: str) -> None:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    writer.write(head)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"ab")
    assert (await reader.read()).endswith(b'"ab"]\n')
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /echo\r\n\r\n",
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f\r\n\r\n",
        b"GET /echo HTTP/1.1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\nab",
    ],
)
async def test_what_is_no_http(address: str, request_bytes: bytes) -> None:
    assert (await _ask(address, request_bytes))[0].startswith(b"HTTP/1.1 400 ")


async def test_what_is_too_much(address: str) -> None:
    head, _ = await _ask(address, b"GET /" + b"x" * 200_000)
    assert head.startswith(b"HTTP/1.1 431 ")
    length = 1024 * 1024 + 1
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length
    assert (await _ask(address, head, b"x" * length))[0].startswith(b"HTTP/1.1 413 ")


async def test_half_a_request_is_not_taken(address: str) -> None:
    half = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
    assert (await _ask(address, half))[0].startswith(b"HTTP/1.1 400 ")
    short = half + b"Content-Length: 9\r\n\r\nab"
    assert (await _ask(address, short))[0].startswith(b"HTTP/1.1 400 ")
    assert await _ask(address) == (b"", b"")


async def test_what_waits_for_a_request_ends_with_the_process_in_silence(address: str) -> None:
    """Browsers open connections ahead and say nothing on them."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    before = asyncio.all_tasks()
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    for _ in range(1000):
        conversations = asyncio.all_tasks() - before
        if conversations:
            break
        await asyncio.sleep(0.01)
    for conversation in conversations:
        conversation.cancel()
    await asyncio.wait(conversations)
    await asyncio.sleep(0)
    writer.close()
    assert complaints == []


async def test_without_an_address_nothing_listens() -> None:
    async with serve_site(None, _site()) as address:
        assert address is None


async def test_a_taken_port_is_advice(address: str) -> None:
    taken = Address("127.0.0.1", int(address.rpartition(":")[2]))
    with pytest.raises(StartError, match="cannot listen on") as raised:
        async with serve_site(taken, _site()):
            pass
    assert raised.value.hint is not None

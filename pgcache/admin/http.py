"""HTTP/1.1 on the admin address: h11 reads and writes it, ``site`` answers.

One request a connection: probes, scrapers and an operator's browser need no more. Decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import h11

from pgcache.admin.site import Request, Response, Site, parse_target
from pgcache.config import Address
from pgcache.errors import StartError

_PATIENCE = 5.0  # seconds for a request to come; one that is slower has gone
_FAREWELL = 1.0  # seconds for the rest of one that is not taken
_MAX_BODY = 1024 * 1024
_CHUNK = 65536
_GONE = (OSError, TimeoutError)

# Nothing of this may be framed, sniffed, kept or told of elsewhere. (With no-referrer, browsers
# would send the Origin of our own forms as "null".)
_HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@asynccontextmanager
async def serve_site(
    address: Address | None, site: Site, bound: list[socket.socket] | None = None
) -> AsyncIterator[str | None]:
    """Serve ``site`` while the block runs; gives the real address, None where there is none.

    ``bound``: sockets that listen there already. Raises StartError.
    """
    if address is None:
        yield None
        return

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _converse(site, reader, writer)
        except _GONE:
            pass  # the other end left: nothing is owed
        except asyncio.CancelledError:
            pass  # the process ends; asyncio's streams take a cancelled conversation for a failure
        finally:
            writer.close()

    async with AsyncExitStack() as stack:
        try:
            if bound:
                servers = [await asyncio.start_server(converse, sock=sock) for sock in bound]
            else:
                where = address.host or None, address.port
                servers = [await asyncio.start_server(converse, *where)]
        except OSError as error:
            raise StartError(
                f"cannot listen on {address} for the admin address: {error.strerror or error}",
                hint="choose another --admin HOST:PORT",
            ) from None
        for server in servers:
            await stack.enter_async_context(server)
        host, port = servers[0].sockets[0].getsockname()[:2]
        yield str(Address(host, port))


async def _converse(site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h11.Connection(h11.SERVER)
    try:
        async with asyncio.timeout(_PATIENCE):
            request = await _receive(connection, reader, writer)
    except h11.RemoteProtocolError as error:
        await _send(connection, writer, Response.text(error.error_status_hint, str(error)))
        await _discard(reader)
        return
    if request is None:
        return
    if len(request.body) > _MAX_BODY:
        await _send(connection, writer, Response.text(413, f"a body has at most {_MAX_BODY} bytes"))
        await _discard(reader)
        return
    await _send(connection, writer, await site.respond(request))


async def _discard(reader: asyncio.StreamReader) -> None:
    """Read on for a moment: closing on unread bytes would take the answer with it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL):
            while await reader.read(_CHUNK):
                pass


async def _receive(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """The whole request; None where the client left before its end.

    Of a body that is too large no more is read than shows that it is.
    """
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                writer.write(connection.send(go_on) or b"")
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            return None
        if isinstance(event, h11.EndOfMessage) or len(body) > _MAX_BODY:
            return None if head is None else _build_request(head, bytes(body))


def _build_request(head: h11.Request, body: bytes) -> Request:
    path, query = parse_target(head.target.decode("latin-1"))
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return Request(head.method.decode("latin-1"), path, query, headers, body)


async def _send(
    connection: h11.Connection, writer: asyncio.StreamWriter, response: Response
) -> None:
    if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    headers = {
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        **_HEADERS,
        **response.headers,
    }
    head = h11.Response(status_code=response.status, headers=list(headers.items()))
    for event in (head, h11.Data(data=response.body), h11.EndOfMessage()):
        writer.write(connection.send(event) or b"")
    await writer.drain()

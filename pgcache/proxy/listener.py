"""Accepting clients, also those that begin with TLS at once (W-03).

Where TLS is offered, the first byte of each connection is looked at without taking it, because a
handshake that has been read cannot be handed to the TLS layer any more.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import Final

import structlog

from pgcache.proxy.client import ClientConnection
from pgcache.proxy.gate import Gate
from pgcache.proxy.sockets import advice, bind, bound_address, close, listen, why

log = structlog.get_logger("pgcache.proxy")

_TLS_HANDSHAKE: Final = b"\x16"


class Listener:
    """The sockets that clients connect to. ``address`` is where, once started.

    ``sockets``: bound by somebody else already, for this process alone to accept on.
    """

    def __init__(self, gate: Gate, sockets: list[socket.socket] | None = None) -> None:
        self._gate = gate
        self._sockets = sockets or []
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = gate.config.listen.address

    async def start(self) -> None:
        """Listen. Raises StartError where the address cannot be used."""
        config = self._gate.config.listen
        self._sockets = self._sockets or await bind(config.address)
        self.address = bound_address(config.address, self._sockets)
        listen(self._sockets, config.address, config.backlog)
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            self._tasks.add(loop.create_task(self._accept(sock)))

    async def stop(self) -> None:
        """Accept no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        close(self._sockets)

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(sock)
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    continue  # that client has gone again
                log.error("cannot accept clients", error=why(error), advice=advice(error))
                await asyncio.sleep(0.1)
                continue
            connection.setblocking(False)
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._gate.client_tls is None:
                await self._take(connection, None)
            else:
                self._gate.background(self._look(connection))

    async def _take(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: ClientConnection(self._gate), connection, ssl=context
            )
        except OSError as error:
            log.info("client lost while connecting", error=str(error))
            connection.close()

    async def _look(self, connection: socket.socket) -> None:
        """Find out whether the client begins with TLS, then go on accordingly."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(connection, readable.set)
        try:
            async with asyncio.timeout(self._gate.config.listen.startup_timeout):
                await readable.wait()
            first = connection.recv(1, socket.MSG_PEEK)
        except (OSError, TimeoutError):
            first = b""
        finally:
            loop.remove_reader(connection)
        if not first:
            connection.close()
        else:
            begins_with_tls = first == _TLS_HANDSHAKE
            await self._take(connection, self._gate.client_tls if begins_with_tls else None)

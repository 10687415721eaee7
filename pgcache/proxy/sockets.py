"""The sockets that clients connect to: where to bind them, and what to say when that fails.

Counterpart: ``listener`` accepts on them; with several workers a supervisor binds them.
"""

from __future__ import annotations

import asyncio
import errno
import socket

from pgcache.config import Address
from pgcache.errors import StartError


async def bind(address: Address, *, shared: bool = False) -> list[socket.socket]:
    """Sockets for all addresses of the host, on one port, not listening yet. Raises StartError.

    ``shared``: several processes may bind the address, and the kernel deals connections out among
    those that listen (SO_REUSEPORT).
    """
    loop = asyncio.get_running_loop()
    sockets: list[socket.socket] = []
    port = address.port
    try:
        found = await loop.getaddrinfo(
            address.host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, where in dict.fromkeys(found):
            sock = socket.socket(family, kind, protocol)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setblocking(False)
            sock.bind((where[0], port, *where[2:]))
            port = int(sock.getsockname()[1])
    except OSError as error:
        close(sockets)
        raise cannot_listen(address, error) from error
    return sockets


def listen(sockets: list[socket.socket], address: Address, backlog: int) -> None:
    """Let clients connect. Raises StartError, and then they are closed."""
    try:
        for sock in sockets:
            sock.listen(backlog)
    except OSError as error:
        close(sockets)
        raise cannot_listen(address, error) from error


def close(sockets: list[socket.socket]) -> None:
    """Close them all."""
    for sock in sockets:
        sock.close()


def bound_address(address: Address, sockets: list[socket.socket]) -> Address:
    """The address with the port that it really got."""
    return Address(address.host, int(sockets[0].getsockname()[1]))


def cannot_listen(address: Address, error: OSError) -> StartError:
    """What happened, and what to do about it."""
    return StartError(f"cannot listen on {address}: {why(error)}", hint=advice(error))


def why(error: OSError) -> str:
    """An operating system error in its own words."""
    return error.strerror or str(error)


def advice(error: OSError) -> str:
    """What to do about an address that cannot be used."""
    if error.errno == errno.EADDRINUSE:
        return "something already listens there: stop it, or choose another --listen HOST:PORT"
    if error.errno == errno.EACCES:
        return "ports below 1024 need privileges: choose another --listen HOST:PORT"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "raise the limit of open files (ulimit -n)"
    return "give --listen an address of this machine, such as 127.0.0.1:6432"

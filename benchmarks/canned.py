"""A server that answers everything with the same bytes: the least that any proxy could do.

What pgbench reaches against it is an upper bound for a hit on the machine of the moment, for any
single process written with uvloop. Run as ``python -m benchmarks.canned PORT``.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psutil
import uvloop

from pgcache.demo import process


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def _column(name: bytes, oid: int, size: int) -> bytes:
    numbers = ((0, 4), (0, 2), (oid, 4), (size & 0xFFFF, 2), (0xFFFFFFFF, 4), (0, 2))
    return name + b"\0" + b"".join(value.to_bytes(width, "big") for value, width in numbers)


def _row(*values: bytes) -> bytes:
    columns = b"".join(len(value).to_bytes(4, "big") + value for value in values)
    return _message(b"D", len(values).to_bytes(2, "big") + columns)


_READY = _message(b"Z", b"I")
_COLUMNS = _column(b"id", 23, 4), _column(b"name", 25, -1), _column(b"amount", 1700, -1)
_RESULT = (
    _message(b"T", b"\0\3" + b"".join(_COLUMNS))
    + _row(b"57", b"Account 57", b"85.50")
    + _message(b"C", b"SELECT 1\0")
    + _READY
)
_PARSED = _message(b"1", b"")
_BOUND = _message(b"2", b"")
_WELCOME = _message(b"R", b"\0\0\0\0") + _message(b"S", b"client_encoding\0UTF8\0") + _READY
_DESCRIBE = b"D\0\0\0\6P\0"


class Canned(asyncio.Protocol):
    """One client; its chunks are taken for whole turns."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer by the first byte."""
        assert self._transport is not None
        if not self._greeted:
            self._greeted = True
            self._transport.write(_WELCOME)
        elif data[0] == 0x51:  # Query
            self._transport.write(_RESULT)
        elif data[0] == 0x42:  # Bind
            self._transport.write(_BOUND + _RESULT)
        elif data[0] == 0x50:  # Parse, alone or with Bind
            alone = _DESCRIBE not in data
            self._transport.write(_PARSED + (_READY if alone else _BOUND + _RESULT))
        else:
            self._transport.close()


@contextlib.contextmanager
def serve_canned() -> Iterator[int]:
    """Run it in a process of its own; gives the port."""
    with serve("benchmarks.canned") as (port, _):
        yield port


@contextlib.contextmanager
def serve(module: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """Run ``module`` with a free port before its arguments; gives the port and the process id."""
    port = process.free_port()
    child = process.start(
        [sys.executable, "-m", module, str(port), *arguments],
        environment={"PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parent.parent,
    )
    try:
        deadline = time.monotonic() + 10.0
        while not _listens(child, port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{module} did not start")
            time.sleep(0.02)
        yield port, child.pid
    finally:
        process.stop(child, signal.SIGTERM)


def _listens(child: subprocess.Popen[bytes], port: int) -> bool:
    found = psutil.Process(child.pid).net_connections(kind="tcp4")
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in found)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))

"""Commands as bytes: scripts by their names, and what is read without one.

Those that read fields of a state ask for three things more in the same breath: whether the server
knows this process (T-13), its time, and that it takes writes, by one that changes nothing: what a
replica says may be old. Counterpart: ``client`` sends them and reads the answers. Must not know:
connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import hiredis

from pgcache.cache.shared.scripts import Script

PEEKED: Final = 4  # answers to ``Peeks.pack``
FETCHED: Final = 6  # to ``Peeks.pack_fetch``
_FETCH: Final = b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n*2\r\n$4\r\nPTTL\r\n$%d\r\n%b\r\n"
_MAX_PACKED: Final = 1_024
_NO_FIELD: Final = b""  # the state has none of this name


def pack(*words: Any) -> bytes:
    """One command."""
    command: Any = words  # as the library's types have it, a command has one word
    packed: bytes = hiredis.pack_command(command)
    return packed


def pack_run(script: Script, keys: Sequence[bytes], arguments: Sequence[Any]) -> bytes:
    """Run a script."""
    return pack("EVALSHA", script.sha, len(keys), *keys, *arguments)


_TIME: Final = pack("TIME")


class Peeks:
    """What is read by native commands, of a server that knows ``script``."""

    __slots__ = ("_known", "_packed")

    def __init__(self, script: Script) -> None:
        self._known = pack("SCRIPT", "EXISTS", script.sha) + _TIME
        self._packed: dict[tuple[bytes, tuple[bytes, ...]], bytes] = {}

    def pack(self, key: bytes, fields: tuple[bytes, ...]) -> bytes:
        """Fields of the hash ``key``. HOT PATH: see ``make bench-shared``."""
        packed = self._packed.get((key, fields))
        if packed is None:
            packed = pack("HMGET", key, *fields) + self._known + pack("HDEL", key, _NO_FIELD)
            if len(self._packed) >= _MAX_PACKED:
                self._packed.clear()
            self._packed[key, fields] = packed
        return packed

    def pack_fetch(self, key: bytes, fields: tuple[bytes, ...], name: bytes) -> bytes:
        """The same, then the value of ``name``, and for how long it is kept."""
        size = len(name)
        return self.pack(key, fields) + _FETCH % (size, name, size, name)

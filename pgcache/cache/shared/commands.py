"""Commands as bytes: scripts by their names, and what is read without one.

Those that read fields of a state ask for three things more in the same breath: whether the server
knows this process (T-13), its time, and that it takes writes, by one that changes nothing: what a
replica says may be old. Counterpart: ``client`` sends them and reads the answers. Must not know:
connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import hiredis

from pgcache.cache.shared.scripts import Script

PEEKED: Final = 4  # answers to ``Peeks.pack``
FETCHED: Final = 6  # to ``Peeks.pack_fetch``
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


@lru_cache(maxsize=1_024)
def _pack_fields(key: bytes, fields: tuple[bytes, ...]) -> bytes:
    return pack("HMGET", key, *fields)


class Peeks:
    """What is read by native commands, of a server that knows ``script``."""

    __slots__ = ("_known", "_tails")

    def __init__(self, script: Script) -> None:
        self._known = pack("SCRIPT", "EXISTS", script.sha) + _TIME
        self._tails: dict[bytes, bytes] = {}  # of what is asked about a database, by its state

    def pack(self, key: bytes, fields: Sequence[bytes]) -> bytes:
        """Fields of the hash ``key``."""
        tail = self._tails.get(key)
        if tail is None:
            tail = self._tails[key] = self._known + pack("HDEL", key, _NO_FIELD)
        return _pack_fields(key, tuple(fields)) + tail

    def pack_fetch(self, key: bytes, fields: Sequence[bytes], name: bytes) -> bytes:
        """The same, then the value of ``name``, and for how long it is kept."""
        return self.pack(key, fields) + pack("GET", name) + pack("PTTL", name)

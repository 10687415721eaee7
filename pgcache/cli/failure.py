"""Why the origin could not be asked, in one sentence and one piece of advice."""

from __future__ import annotations

import os
import re

import asyncpg

from pgcache.catalog.connect import advise
from pgcache.config import Origin

# What a connection or query of the service role may fail with.
FAILURES = (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError)

_ERRNO = re.compile(r"\[Errno (-?\d+)\] ")
_NOT_NOW = "pgcache tries again"  # true of the proxy, not of a command that ends


def describe_failure(error: Exception, origin: Origin) -> tuple[str, str]:
    """What happened, and what to do about it (maybe nothing)."""
    words, _, advice = advise(error, origin.dbname).rpartition(" (")
    advice = advice.removesuffix(")").removesuffix(_NOT_NOW).rstrip("; ")
    if _ERRNO.search(words):
        words = plain(words)
    elif isinstance(error, TimeoutError):
        words = f"no answer within {origin.connect_timeout:g} seconds"
    return words, advice


def plain(words: str) -> str:
    """The system's own words for a number, instead of asyncio's, which are about sockets."""
    number = _ERRNO.search(words)
    if number is None:
        return words
    code = int(number[1])
    return os.strerror(code) if code > 0 else _ERRNO.sub("", words)  # names have negative ones

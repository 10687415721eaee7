from __future__ import annotations

import asyncpg
import pytest

from pgcache.cli.failure import describe_failure
from pgcache.config.origin import parse_origin

ORIGIN = parse_origin("postgresql://u@h/d")


@pytest.mark.parametrize(
    ("error", "found", "advice"),
    [
        (
            OSError(111, "Connect call failed ('127.0.0.1', 1)"),
            "Connection refused",
            "is PostgreSQL running, and is upstream.url right?",
        ),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), …"),
            "Connection refused",
            "is PostgreSQL running, and is upstream.url right?",
        ),
        (OSError(-2, "Name or service not known"), "Name or service not known", "upstream.url"),
        (TimeoutError(), "no answer within 10 seconds", "did not answer in time"),
        (asyncpg.InvalidPasswordError("nein"), "nein", "user and password in upstream.url"),
        (asyncpg.InsufficientPrivilegeError("nein"), "nein", 'grant CONNECT on database "d"'),
        (asyncpg.PostgresError("kaputt"), "kaputt", ""),
    ],
)
def test_words_and_advice(error: Exception, found: str, advice: str) -> None:
    words, told = describe_failure(error, ORIGIN)
    assert words == found
    assert advice in told
    assert "tries again" not in told

"""What the log tells of queries, and what it keeps to itself."""

from __future__ import annotations

import pytest

from tests.isolation.arena import Arena
from tests.support.proxy import start_proxy


@pytest.mark.parametrize(("redact", "shown"), [("true", "v = ?"), ("false", "v = 'secret'")])
def test_queries_that_are_not_cached_are_shown_on_request(
    arena: Arena, redact: str, shown: str
) -> None:
    settings = {"PGCACHE_LOG__WHY_NOT_CACHED": "all", "PGCACHE_LOG__REDACT": redact}
    proxy = start_proxy(arena.server, arena.proxy.log.parent, environment=settings)
    try:
        talker = Arena(arena.server, proxy, arena.database).talk()
        talker.ask("select random() from kv where v = 'secret'")
        talker.connection.close()
    finally:
        proxy.stop()
    told = proxy.log.read_text()
    assert shown in told
    assert ("secret" in told) is (redact == "false")
    assert "volatile-function" in told
    assert not proxy.complaints()

"""A standby may lag behind what was invalidated: nothing is kept of what it says (S-14)."""

from __future__ import annotations

from pathlib import Path

from tests.isolation.arena import Arena
from tests.support.postgres import Cluster, Server
from tests.support.proxy import start_proxy

ROWS = "select * from kv"


def test_S14_nothing_of_a_standby_is_cached(
    cluster: Cluster, newest_postgres: Server, tmp_path: Path
) -> None:
    server = cluster.server(newest_postgres.major, hot_standby="on")
    server.execute("create table kv (k int)", "insert into kv values (1)")
    server.execute("grant select on kv to public")
    server.stop()
    (server.data / "standby.signal").touch()
    server.account.own(server.data / "standby.signal")
    server.start()
    proxy = start_proxy(server, tmp_path)
    arena = Arena(server, proxy, "postgres")
    try:
        talker = arena.talk()
        assert talker.ask("show in_hot_standby") == [("on",)]
        for _ in range(4):
            assert talker.ask(ROWS) == [(1,)]
            verdict = talker.verdict()
        assert "fwd=bypass; detail=hot-standby" in verdict
    finally:
        arena.close()
        proxy.stop()
        cluster.discard(server)
    assert proxy.complaints() == []

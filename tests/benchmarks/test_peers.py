"""How the peers are configured. They run in ``make bench``."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from benchmarks import peers
from benchmarks.origin import STEADY, Origin
from benchmarks.peers import Peer, PgBouncer, Pgpool, Redis, parse_redis_rate
from pgcache.errors import StartError

ORIGIN = cast(Origin, SimpleNamespace(port=5999, passwords={"analyst": "secret"}))


def written(peer: Peer, name: str) -> str:
    path = peer.folder / name
    assert path.stat().st_mode & 0o077 == 0, "passwords are nobody else's business"
    return path.read_text()


def test_pgbouncer_keeps_sessions_and_logs_in_as_the_origin_does(tmp_path: Path) -> None:
    with_folder = PgBouncer(ORIGIN, 64)
    try:
        command = with_folder.command(tmp_path / "pgbouncer")
        text = written(with_folder, "pgbouncer.ini")
        assert command[1] == str(with_folder.folder / "pgbouncer.ini")
        assert "pool_mode = session\n" in text
        assert "listen_addr = 127.0.0.1\n" in text
        assert "* = host=127.0.0.1 port=5999\n" in text
        assert '"analyst" "secret"' in written(with_folder, "users")
        assert f"host all {STEADY} 127.0.0.1/32 trust" in written(with_folder, "hba")
    finally:
        with_folder.__exit__(None, None, None)
    assert not with_folder.folder.exists()


@pytest.mark.parametrize(
    ("version", "name"), [("4.3.5", "socket_dir"), ("4.5.0", "unix_socket_directories")]
)
def test_pgpool_caches_everything_for_good(tmp_path: Path, version: str, name: str) -> None:
    program = tmp_path / "pgpool"
    program.write_text(f"#!/bin/sh\necho 'pgpool-II version {version} (x)' >&2\n")
    program.chmod(0o755)
    pool = Pgpool(ORIGIN, 8, block_mb=16)
    try:
        pool.command(program)
        text = written(pool, "pgpool.conf")
        assert "memory_cache_enabled = 'on'\n" in text
        assert "memqcache_expire = '0'\n" in text
        assert "memqcache_cache_block_size = '16MB'\n" in text
        assert "listen_addresses = '127.0.0.1'\n" in text
        assert f"\n{name} = '" in text
    finally:
        pool.__exit__(None, None, None)


def test_redis_keeps_nothing_on_disk(tmp_path: Path) -> None:
    redis = Redis()
    try:
        command = redis.command(tmp_path / "redis-server")
        assert command[command.index("--save") + 1] == ""
        assert command[command.index("--appendonly") + 1] == "no"
        assert command[command.index("--bind") + 1] == "127.0.0.1"
    finally:
        redis.__exit__(None, None, None)


def test_a_peer_that_does_not_start_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho 'no such option'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(peers, "find", lambda _: Path("/bin/false"))
    redis = Redis()
    with pytest.raises(StartError, match="did not start"):
        redis.__enter__()
    assert not redis.folder.exists()


def test_a_peer_that_is_not_installed_is_not_found() -> None:
    assert peers.find("surely-no-such-program") is None
    assert peers.find("sh") is not None


def test_the_rate_is_read_from_either_form_of_redis_benchmark() -> None:
    assert parse_redis_rate('"GET","71428.57"\n') == 71428.57
    headed = '"test","rps","avg_latency_ms"\n"GET","35971.22","0.122"\n'
    assert parse_redis_rate(headed) == 35971.22
    with pytest.raises(RuntimeError, match="nothing that can be read"):
        parse_redis_rate("Could not connect")

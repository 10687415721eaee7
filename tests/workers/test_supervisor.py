"""Several processes are one pgcache: one address, one console, one drain."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import frames
from tests.support.frames import query
from tests.support.postgres import Cluster, Server
from tests.support.proxy import SERVICE, await_line, start_proxy
from tests.support.raw import RawClient, errors_of, eventually, kinds
from tests.support.redis import RedisServer
from tests.support.tls import Certificates
from tests.workers.conftest import Workers


def _metrics(workers: Workers) -> dict[str, float]:
    with urlopen(f"http://{workers.admin}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


def test_one_line_says_that_all_are_ready(workers: Workers) -> None:
    lines = [json.loads(line) for line in workers.proxy.log.read_text().splitlines()]
    (ready,) = [line for line in lines if line["event"] == "pgcache ready"]
    assert ready["workers"] == 2
    assert ready["listen"] == f"127.0.0.1:{workers.proxy.port}"
    assert ready["admin"] == workers.admin
    assert len(workers.pids) == 2
    with urlopen(f"http://{workers.admin}/readyz", timeout=10) as answer:
        assert answer.read() == b"ready\n"


def test_all_workers_serve(workers: Workers) -> None:
    for client in workers.spread(lambda: RawClient(workers.proxy.address)).values():
        with client:
            assert client.rows("select 1") == [("1",)]


def test_a_cancel_request_finds_its_worker(workers: Workers) -> None:
    """The request comes on a connection of its own, which any worker may get (W-30)."""
    with RawClient(workers.proxy.address) as client:
        home = workers.worker_of(client)
        cancellers = workers.spread(lambda: RawClient.bare(workers.proxy.address))
        for pid in sorted(cancellers, key=lambda pid: pid == home):
            client.send(query("select pg_sleep(60)"))
            asleep = f"select 1 from pg_stat_activity where pid = {client.pid} and state = 'active'"
            with workers.proxy.server.connect() as watcher:
                eventually(lambda s=asleep: watcher.execute(s.encode()).fetchone() is not None)  # type: ignore[misc]
            with cancellers[pid] as canceller:
                canceller.send(frames.cancel(client.pid, client.secret))
                assert canceller.rest() == b""
            assert errors_of(client.replies()) == ["57014"]


def test_W32_a_cancel_from_another_worker_hits_nothing_later(workers: Workers) -> None:
    with RawClient(workers.proxy.address) as client:
        home = workers.worker_of(client)
        client.query("select 1")
        for pid, canceller in workers.spread(lambda: RawClient.bare(workers.proxy.address)).items():
            with canceller:
                if pid != home:
                    canceller.send(frames.cancel(client.pid, client.secret))
                    assert canceller.rest() == b""
        assert errors_of(client.query("select pg_sleep(0.3)")) == []


def test_a_cancel_request_for_nobody_ends(workers: Workers) -> None:
    with RawClient.bare(workers.proxy.address) as canceller:
        canceller.send(frames.cancel(1, b"nope"))
        assert canceller.rest() == b""


def test_numbers_are_of_all_workers(workers: Workers) -> None:
    opened = workers.spread(lambda: RawClient(workers.proxy.address))
    for client in opened.values():
        for _ in range(3):
            assert errors_of(client.query("select count(*) from pg_class")) == []
    stats, metrics = workers.stats(), _metrics(workers)
    assert stats["bypass"] == "6"
    assert int(stats["clients"]) == 3  # the console is one
    assert stats["workers"] == stats["workers_answering"] == "2"
    eventually(lambda: _metrics(workers)["pgcache_clients"] == 2)
    assert metrics["pgcache_workers"] == metrics["pgcache_workers_answering"] == 2
    for client in opened.values():
        client.socket.close()


def test_orders_are_for_all_workers(workers: Workers, newest_database: str) -> None:
    workers.proxy.server.execute("create table t as select 1 a", database=newest_database)
    opened = workers.spread(lambda: RawClient(workers.proxy.address, newest_database))

    def verdicts() -> set[str]:
        found = set()
        for client in opened.values():
            client.query("select a from t")
            found.add(str(client.rows("show pgcache.last")))
        return found

    verdicts()
    assert workers.console("PAUSE") == ["PAUSE"]
    assert workers.stats()["paused"] == "true"
    assert all("paused" in verdict for verdict in verdicts())
    assert workers.console("RESUME") == ["RESUME"]
    # A store that is new is used a little later, when nobody can be writing unheard.
    eventually(lambda: all("; hit" in verdict for verdict in verdicts()))
    assert workers.console("INVALIDATE ALL")[0].startswith("INVALIDATE ")
    assert any("; hit" not in verdict for verdict in verdicts())
    with pytest.raises(psycopg.errors.SyntaxError, match="takes no SQL"):
        workers.console("delete from t")
    for client in opened.values():
        client.socket.close()


def test_a_worker_that_hangs_is_replaced(
    cluster: Cluster, newest_postgres: Server, redis_server: RedisServer
) -> None:
    """Its clients are let go, and new ones do not wait in its queue for ever."""
    proxy = start_proxy(
        newest_postgres,
        cluster.root,
        "--workers=2",
        f"--store={redis_server.url()}",
        environment={"PGCACHE_LISTEN__WORKER_TIMEOUT": "3s"},
    )
    workers = Workers(proxy, "")
    with RawClient(proxy.address) as client:
        victim = workers.worker_of(client)
        os.kill(victim, signal.SIGSTOP)
        await_line(proxy, "worker hangs")
        assert client.rest() == b""
    workers.await_pids(lambda pids: len(pids) == 2 and victim not in pids)
    for one in workers.spread(lambda: RawClient(proxy.address)).values():
        with one:
            assert one.rows("select 1") == [("1",)]
    proxy.stop()
    assert not proxy.complaints()


def test_a_killed_worker_is_replaced(workers: Workers) -> None:
    opened = workers.spread(lambda: RawClient(workers.proxy.address))
    for client in opened.values():
        client.query("select count(*) from pg_class")
    before = _metrics(workers)
    victim, other = opened
    os.kill(victim, signal.SIGKILL)
    with opened[victim] as lost, pytest.raises(ConnectionError):
        lost.query("select 1")
    with opened[other] as spared:
        assert spared.rows("select 1") == [("1",)]
    for _ in range(20):  # nobody is refused meanwhile
        with RawClient(workers.proxy.address) as client:
            assert client.rows("select 1") == [("1",)]
    pids = workers.await_pids(lambda pids: len(pids) == 2 and victim not in pids)
    assert other in pids
    for client in workers.spread(lambda: RawClient(workers.proxy.address)).values():
        client.socket.close()
    after = _metrics(workers)
    for name in ("pgcache_client_connections_total", "pgcache_forward_duration_seconds_count"):
        assert after[name] >= before[name] > 0
    await_line(workers.proxy, "worker ended")


def test_all_workers_drain_together(workers: Workers) -> None:
    inside = workers.spread(lambda: RawClient(workers.proxy.address))
    idle = workers.spread(lambda: RawClient(workers.proxy.address))
    for client in inside.values():
        client.query("begin")
    workers.proxy.process.send_signal(signal.SIGTERM)
    for client in idle.values():
        with client:
            assert errors_of([client.read()]) == ["57P01"]
    with pytest.raises(ConnectionRefusedError):
        RawClient.bare(workers.proxy.address)
    for client in inside.values():
        with client:
            assert client.rows("select 1") == [("1",)]
            assert kinds(client.query("commit")) == "CZ"
            assert errors_of([client.read()]) == ["57P01"]
    assert workers.proxy.process.wait(30) == 0
    assert "worker ended" not in workers.proxy.log.read_text()


def test_a_second_sigterm_does_not_wait(workers: Workers) -> None:
    inside = workers.spread(lambda: RawClient(workers.proxy.address))
    for client in inside.values():
        client.query("begin")
    workers.proxy.process.send_signal(signal.SIGTERM)
    eventually(lambda: workers.proxy.log.read_text().count("stopping") == 3)
    workers.proxy.process.send_signal(signal.SIGTERM)
    for client in inside.values():
        with client, pytest.raises(ConnectionError):
            client.read()
    assert workers.proxy.process.wait(30) == 0


def test_workers_do_not_outlive_their_supervisor(workers: Workers) -> None:
    pids = [psutil.Process(pid) for pid in workers.pids]
    with RawClient(workers.proxy.address) as client:
        workers.proxy.process.kill()
        assert errors_of([client.read()]) == ["57P01"]
    _, alive = psutil.wait_procs(pids, timeout=30)
    assert alive == []


def test_sighup_reaches_all_workers(
    cluster: Cluster,
    newest_postgres: Server,
    redis_server: RedisServer,
    certificates: Certificates,
    tmp_path: Path,
) -> None:
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    shutil.copy(certificates.proxy.certificate, certificate)
    shutil.copy(certificates.proxy.key, key)
    proxy = start_proxy(
        newest_postgres,
        cluster.root,
        "--workers=2",
        f"--store={redis_server.url()}",
        environment={"PGCACHE_TLS__CERT": str(certificate), "PGCACHE_TLS__KEY": str(key)},
    )
    proxy.process.send_signal(signal.SIGHUP)
    eventually(lambda: proxy.log.read_text().count("certificates reloaded") == 2)
    assert proxy.stop() == 0


def test_a_reload_reaches_workers_of_later(
    cluster: Cluster, newest_postgres: Server, redis_server: RedisServer, tmp_path: Path
) -> None:
    file = tmp_path / "pgcache.toml"
    file.write_text('[cache]\nttl = "50s"\n')
    proxy = start_proxy(
        newest_postgres,
        cluster.root,
        "--workers=2",
        f"--store={redis_server.url()}",
        f"--config={file}",
    )
    workers = Workers(proxy, "")
    file.write_text('[cache]\nttl = "70s"\n')
    assert ("cache.ttl", "applied") in [row[-2:] for row in workers.console("RELOAD")]
    victims = workers.pids
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    workers.await_pids(lambda pids: len(pids) == 2 and not set(pids) & set(victims))
    assert dict(workers.console("SHOW CONFIG"))["cache.ttl"] == "70s"
    assert proxy.stop() == 0


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pgcache", "serve", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"], **environment},
    )


def test_what_one_worker_cannot_do_is_said_once(
    newest_postgres: Server, redis_server: RedisServer
) -> None:
    done = _run(
        "--workers=2",
        f"--store={redis_server.url()}",
        "--listen=127.0.0.1:0",
        PGCACHE_UPSTREAM=newest_postgres.url(SERVICE),
        PGCACHE_TLS__CERT="/nowhere.crt",
        PGCACHE_TLS__KEY="/nowhere.key",
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 2
    assert len(said) == 1
    assert "/nowhere" in said[0]


def test_a_taken_port_is_one_line_of_advice(
    newest_postgres: Server, redis_server: RedisServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        for flag in ("--listen", "--admin"):
            others = ["--listen=127.0.0.1:0"] if flag == "--admin" else []
            done = _run(
                "--workers=2",
                f"--store={redis_server.url()}",
                *others,
                f"{flag}={address}",
                PGCACHE_UPSTREAM=newest_postgres.url(SERVICE),
            )
            said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
            assert (done.returncode, len(said)) == (1, 1)
            assert said[0].startswith(f"pgcache: cannot listen on {address}")
            assert flag in said[0]


def test_without_a_shared_store_it_says_what_to_do(newest_postgres: Server) -> None:
    started = time.monotonic()
    done = _run("--workers=2", PGCACHE_UPSTREAM=newest_postgres.url(SERVICE))
    assert done.returncode == 2
    assert "2 workers need a store that all of them share" in done.stderr
    assert "--store redis://HOST:PORT" in done.stderr
    assert time.monotonic() - started < 30

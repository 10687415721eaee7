from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import psycopg
import pytest

from pgcache import __version__
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres


@contextmanager
def _serving(url: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A running ``pgcache serve`` and its ready line; killed if the test does not stop it."""
    with subprocess.Popen(
        [sys.executable, "-m", "pgcache", "serve", "--listen", "127.0.0.1:0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PGCACHE_UPSTREAM": url},
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                event = json.loads(line)
                if event["event"] == "pgcache ready":
                    yield process, event
                    return
            raise AssertionError("it ended before it was ready")
        finally:
            process.kill()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_serves_and_stops(
    sent: signal.Signals, newest_postgres: Server
) -> None:
    with _serving(newest_postgres.url("app"), "--admin", "127.0.0.1:0") as (process, ready):
        assert ready["upstream"] == f"127.0.0.1:{newest_postgres.port}"
        assert ready["version"] == __version__
        with urlopen(f"http://{ready['admin']}/readyz", timeout=10) as answer:
            assert answer.read() == b"ready\n"
        host, _, port = ready["listen"].rpartition(":")
        with psycopg.connect(
            f"postgresql://app:app-secret@{host}:{port}/postgres", autocommit=True
        ) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        process.send_signal(sent)
        assert process.wait(30) == 0


@pytest.mark.parametrize("flag", ["--listen", "--admin"])
def test_a_taken_port_is_one_line_of_advice(flag: str, newest_postgres: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        others = ["--listen", "127.0.0.1:0"] if flag == "--admin" else []
        done = subprocess.run(
            [sys.executable, "-m", "pgcache", "serve", *others, flag, address],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "PGCACHE_UPSTREAM": newest_postgres.url("app")},
        )
    assert (done.returncode, done.stdout) == (1, "")
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(said) == 1
    assert said[0].startswith("pgcache: ")
    assert address in said[0]
    assert said[0].endswith(")"), "what to do about it"

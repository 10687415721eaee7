from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from pgcache.demo import process

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def test_a_child_stops_when_asked() -> None:
    child = process.start(SLEEPER, environment={}, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    assert os.getpgid(child.pid) == child.pid, "Ctrl-C must not reach it before us"
    process.stop(child, signal.SIGTERM)
    assert child.returncode == -signal.SIGTERM
    process.stop(child, signal.SIGTERM)  # once more is no harm
    child.stdout.close()


def test_a_server_is_never_root() -> None:
    account = process.choose_account()
    told = subprocess.run(["id", "-u"], capture_output=True, check=True, **account.popen_options)
    assert int(told.stdout) != 0


def test_what_the_server_can_reach(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert process.Account().can_reach(closed / "x")
    assert not process.Account(65534, 65534).can_reach(closed / "x")
    assert process.Account(65534, 65534).can_reach(Path("/usr/bin/env"))


def test_a_port_is_the_one_wanted_or_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert process.free_port(port) != port
    assert process.free_port(port) == port

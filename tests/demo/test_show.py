from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pgcache.demo.dashboard import TILES
from pgcache.demo.show import run_demo

pytestmark = pytest.mark.postgres

DEMO = [sys.executable, "-m", "pgcache", "demo", "--scale", "0.01"]


def test_once() -> None:
    console = Console(file=io.StringIO(), width=250)
    assert run_demo(console, once=True, scale=0.01)
    assert isinstance(console.file, io.StringIO)
    out = console.file.getvalue()
    assert "12,000 orders" in out
    assert out.count("miss → hit") == len(TILES)
    assert "Every warm tile came from memory" in out
    assert "the new result" in out
    assert "Ctrl-C" not in out


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_stays_until_told_and_leaves_nothing(sent: signal.Signals) -> None:
    with subprocess.Popen(
        DEMO, stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    ) as demo:
        assert demo.stdout is not None
        said = []
        for line in demo.stdout:
            said.append(line)
            if "Ctrl-C stops everything" in line:
                break
        demo.send_signal(sent)
        assert demo.wait(60) == 0, "".join(said)
    text = "".join(said)
    assert "postgresql://analyst:" in text
    psql = Path(next(word for word in text.split() if word.endswith("/bin/psql")))
    assert psql.exists() or "pgcache-demo-" in str(psql)

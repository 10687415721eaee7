"""node-postgres and pg-cursor through the proxy, where node and the packages are present.

The packages are looked for on NODE_PATH, where `make test` puts them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.conftest import Arena

pytestmark = pytest.mark.driver
_PROGRAM = Path(__file__).with_name("node_session.js")


def _node_modules() -> Path:
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    for folder in os.environ.get("NODE_PATH", "").split(os.pathsep):
        if folder and (Path(folder) / "pg" / "package.json").exists():
            return Path(folder)
    pytest.skip("node-postgres is not on NODE_PATH (make test installs it)")


def _run(url: str, task: str) -> Any:
    done = subprocess.run(
        ["node", str(_PROGRAM), url, task],
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(_node_modules())},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "task", ["queries", "cursors", "transactions", "errors", "pool", "notifications"]
)
def test_same_answers(arena: Arena, task: str) -> None:
    arena.same_thrice(lambda url: _run(url, task))


@pytest.mark.parametrize("task", ["hit_text", "hit_prepared"])
def test_hits(arena: Arena, task: str) -> None:
    def read(url: str) -> Any:
        return _run(url, task)[-1]

    _node_modules()
    arena.comes_from_the_cache(read)

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pgcache.demo.child import Child
from pgcache.errors import StartError


class Script(Child):
    """Runs a line of Python that writes into a file; ready once that is there."""

    called = "the script"

    def __init__(self, line: str, folder: Path) -> None:
        super().__init__()
        self._line = line
        self._told = folder / "told"
        self.closed = 0

    def _start(self) -> None:
        self._launch([sys.executable, "-c", self._line, str(self._told)], {})
        self._await(self._told.exists, lambda: "nothing good")

    def _close(self) -> None:
        super()._close()
        self.closed += 1


_WRITE = "import sys, pathlib, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"


def test_it_runs_within_its_block(tmp_path: Path) -> None:
    script = Script(_WRITE, tmp_path)
    with script:
        running, pid = script.is_running, script.pid
    assert (running, script.is_running) == (True, False)
    assert pid > 0
    assert script.closed == 1


def test_one_that_ends_too_early_is_an_error(tmp_path: Path) -> None:
    script = Script("raise SystemExit(3)", tmp_path)
    with pytest.raises(StartError, match=r"^the script did not start: nothing good$"), script:
        pass
    assert script.closed == 1


def test_one_that_is_never_ready_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Script, "start_timeout", 0.1)
    script = Script("import time; time.sleep(60)", tmp_path)
    with pytest.raises(StartError, match="did not start"), script:
        pass
    assert not script.is_running


def test_it_is_sent_its_own_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "stop_signal", signal.SIGUSR1)
    with Script(_WRITE, tmp_path) as script:
        assert isinstance(script._process, subprocess.Popen)
    assert script._process.returncode == -signal.SIGUSR1

"""The benchmark of the shared store: what it makes of what it saw."""

from __future__ import annotations

import io
import json
from math import isnan
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import fleet, shared
from benchmarks.peers import find
from benchmarks.storehits import quantile
from tests.support.frames import message


def test_quantiles() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert quantile(values, 0.5) == 3.0
    assert quantile(values, 0.99) == 5.0
    assert isnan(quantile([], 0.5))


def test_an_old_read_was_sent_after_the_acknowledgement_and_read_something_older() -> None:
    acknowledged = [(1.0, 2), (2.0, 3)]
    seen = [
        (0.9, 1),  # before anything was acknowledged
        (1.1, 2),
        (1.5, 3),  # ahead: committed, and not acknowledged yet
        (2.25, 2),  # old
        (2.5, 2),  # old, and the last
        (2.75, 3),
    ]
    assert fleet.old_reads(acknowledged, seen) == [0.0, 0.5]


def test_the_number_is_found_in_a_reply() -> None:
    row = message("D", b"\0\1\0\0\0\5" + b"42.00")
    assert fleet._value(message("T", b"\0\1amount\0" + b"\0" * 18) + row) == 42


def test_the_command_line() -> None:
    options = shared.Options.parse(["--only", "af", "--crowd", "5"])
    assert (options.only, options.crowd) == ("af", 5)
    assert shared.Options.parse([]).only == "abcdefg"


@pytest.mark.postgres
@pytest.mark.skipif(find("redis-server") is None, reason="there is no redis-server")
def test_a_case_is_shown_and_written(tmp_path: Path) -> None:
    path, shown = tmp_path / "shared.json", io.StringIO()
    options = shared.Options.parse(
        ["--only", "f", "--scale", "0.001", "--crowd", "1", "--json", str(path)]
    )
    shared.run(options, Console(file=shown, width=150))
    told = json.loads(path.read_text())
    assert "Compression of results" in shown.getvalue()
    assert told["cases"]["f"]["figures"]["zstd, 10,000 rows"] > 1
    assert "redis" in told["about"]

"""Choosing cases, going on after a failure, what is written."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from benchmarks import plots
from benchmarks.arena import QUICK, Arena, Result
from benchmarks.machine import Moment
from benchmarks.origin import Origin
from benchmarks.sheets import Sheet
from benchmarks.suite import CASES, Options, Run, parse_cases, publish, run_cases, write
from benchmarks.summary import document, parse_version, plain

SHEET = Sheet("Table", ("case",), (("one",),))


@pytest.mark.parametrize(
    ("text", "letters"),
    [("", tuple(CASES)), ("b,a", ("a", "b")), ("PE", ("e", "p")), (" c ", ("c",))],
)
def test_cases_are_chosen_by_letters(text: str, letters: tuple[str, ...]) -> None:
    assert parse_cases(text) == letters


def test_unknown_cases_are_named() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no such case: x, z"):
        parse_cases("a,z,x")


def test_the_command_line() -> None:
    options = Options.parse(["--quick", "--case", "a,b", "--rounds", "2"])
    assert options.quick
    assert options.case == ("a", "b")
    assert options.rounds == 2
    assert Options.parse([]).case == tuple(CASES)


def test_a_case_that_fails_is_noted_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    shown: list[Result] = []
    runs: list[str] = []

    def fail(_: Arena) -> Result:
        raise RuntimeError("no such table")

    def pass_(_: Arena) -> Result:
        runs.append("pass")
        return Result([SHEET], {"speed": 2.0})

    monkeypatch.setitem(CASES, "a", ("failing", fail))
    for letter in "bc":
        monkeypatch.setitem(CASES, letter, ("passing", pass_))
    origin = Origin(1)
    try:
        arena = Arena(origin, QUICK, "abc", said.append)
        run, steps = Run(), []
        run_cases(arena, "abc", run, shown.append, lambda: steps.append(1))
    finally:
        origin.__exit__(None, None, None)
    assert run.failures == {"a": "RuntimeError: no such table"}
    assert "no such table" in capsys.readouterr().err
    assert run.figures == {"speed": 2.0}
    assert runs == ["pass"], "cases that share their rounds run once"
    assert len(shown) == 1
    assert len(steps) == 3


def test_what_is_written(tmp_path: Path) -> None:
    run = Run(about={"cores": 2}, moments={"before": Moment((0.1, 0.2, 0.3), 150.0)})
    run.results["d"] = Result([SHEET], {"cold/direct": 0.98}, {"odd": float("nan")})
    run.failures["e"] = "RuntimeError: gone"
    options = Options.parse(["--quick", "--out", str(tmp_path)])
    write(options, run, Console(file=io.StringIO()))
    told = json.loads((tmp_path / "bench.json").read_text())
    assert told["cases"]["d"]["data"] == {"odd": None}
    assert told["failures"] == {"e": "RuntimeError: gone"}
    kept = {verdict["case"]: verdict["holds"] for verdict in told["verdicts"]}
    assert kept["cold dashboard query, over direct"] is True
    text = (tmp_path / "bench.md").read_text()
    for words in ("### Table", "quick run", "The machine was busy", "Case e failed", "0.98x"):
        assert words in text, words


def test_a_published_document_has_its_pictures_beside_it(tmp_path: Path) -> None:
    picture = tmp_path / "hits.png"
    picture.write_bytes(b"PNG")
    sheets = [SHEET]
    results = {"about": {}, "moments": {}, "missing": {}, "failures": {}, "quick": False}
    text = document(results, sheets, ["hits.png"])
    assert "![hits](hits.png)" in text
    target = tmp_path / "docs" / "benchmarks.md"
    publish(text, [picture], target)
    assert "![hits](benchmarks/hits.png)" in target.read_text()
    assert (tmp_path / "docs" / "benchmarks" / "hits.png").read_bytes() == b"PNG"


def test_json_knows_no_odd_numbers() -> None:
    odd = {"a": [float("nan"), 1.0, (float("inf"),)], "b": "nan", "c": 3}
    assert plain(odd) == {"a": [None, 1.0, [None]], "b": "nan", "c": 3}


def test_versions_are_found_in_what_programs_say() -> None:
    assert parse_version("PgBouncer 1.18.0\nlibevent 2.1.12") == "1.18.0"
    assert parse_version("pgpool-II version 4.3.5 (tamahomeboshi)") == "4.3.5"
    assert parse_version("what?") == "?"


@pytest.mark.skipif(not plots.is_available(), reason="matplotlib is not installed")
def test_pictures_of_what_was_run(tmp_path: Path) -> None:
    rate = {"per_second": {"median": 2.0, "min": 1.0, "max": 3.0}, "pgcache_cpu_us": 10.0}
    rows = [{"shape": "simple, 8 clients", "targets": {"direct": rate, "hit": rate}}]
    cases = {
        "a": {"data": {"rows": rows}},
        "i": {"data": {"the same ten": {"targets": {"10": rate, "1,000": rate}}}},
    }
    paths = plots.draw({"cases": cases}, tmp_path)
    assert [path.name for path in paths] == ["hits.png", "growth.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


@pytest.mark.postgres
def test_a_whole_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real PostgreSQL, a real pgcache, a table, and nothing left running."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    run = Run()
    with Origin(30) as origin:
        origin.load(0.001, lambda _: None)
        run_cases(Arena(origin, QUICK, "d", lambda _: None), "d", run, lambda _: None, lambda: None)
    assert run.failures == {}
    assert run.figures["cold/direct"] > 0
    assert run.results["d"].sheets[0].rows[0][-1] == "100 %"
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before

"""``make bench``: pgcache against PostgreSQL alone, PgBouncer, Pgpool-II and Redis.

Starts everything itself, on the loopback interface, and stops it again. Targets take turns in short
rounds; a figure is the median over the rounds, a ratio the median of the rounds' ratios. The load
generator and the servers share the machine, so figures of one run compare with each other and
with nothing else. Writes a file of results, tables and pictures into ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from benchmarks import machine, plots, report, summary
from benchmarks.arena import FULL, QUICK, Arena, Result, missing_peers
from benchmarks.cases.clients import measure_clients
from benchmarks.cases.cold import measure_cold
from benchmarks.cases.growth import measure_growth
from benchmarks.cases.large import measure_large, measure_million
from benchmarks.cases.peak import measure_peak
from benchmarks.cases.rows import measure_rows
from benchmarks.cases.scene import measure_scene
from benchmarks.cases.stampede import measure_stampede
from benchmarks.machine import Moment
from benchmarks.musts import judge, verdict_sheet
from benchmarks.origin import Origin
from pgcache import __version__
from pgcache.errors import PgcacheError

_RESULTS = Path(__file__).parent / "results"
_DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_CONNECTIONS = 1400  # of PostgreSQL: the clients of all peers, which keep theirs for a while

CASES: dict[str, tuple[str, Callable[[Arena], Result]]] = {
    "a": ("hits of one row", measure_rows),
    "b": ("hits and forwards of 1,000 rows and 10 MB", measure_large),
    "c": ("forwards of one row", measure_rows),
    "d": ("a cold dashboard", measure_cold),
    "e": ("the scene", measure_scene),
    "f": ("a stampede", measure_stampede),
    "g": ("a million rows", measure_million),
    "h": ("connections, idle clients", measure_clients),
    "i": ("growth", measure_growth),
    "p": ("latency at the peak", measure_peak),
}


def parse_cases(text: str) -> tuple[str, ...]:
    """Letters from ``a,b`` or ``ab``, in the order of the table; all for an empty text."""
    letters = {letter for letter in text.lower() if letter not in ", "}
    if unknown := letters - set(CASES):
        raise argparse.ArgumentTypeError(
            f"no such case: {', '.join(sorted(unknown))} (of {', '.join(CASES)})"
        )
    return tuple(letter for letter in CASES if letter in letters or not letters)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    quick: bool
    case: tuple[str, ...]
    rounds: int | None
    idle: int | None
    out: Path
    publish: bool

    @classmethod
    def parse(cls, arguments: list[str]) -> Options:
        """Read the command line."""
        told = "; ".join(f"{letter} {title}" for letter, (title, _) in CASES.items())
        parser = argparse.ArgumentParser(prog="python -m benchmarks.suite", description=__doc__)
        parser.add_argument("--quick", action="store_true", help="shorter, under five minutes")
        parser.add_argument("--case", type=parse_cases, default=tuple(CASES), help=told)
        parser.add_argument("--rounds", type=int, help="of each case, at most")
        parser.add_argument("--idle", type=int, help="idle clients of case h")
        parser.add_argument("--out", type=Path, default=_RESULTS, help="folder of results")
        parser.add_argument("--publish", action="store_true", help=f"write docs/{_DOCUMENT.name}")
        return cls(**vars(parser.parse_args(arguments)))


@dataclass(slots=True)
class Run:
    """What a run found so far."""

    about: dict[str, str | int] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    moments: dict[str, Moment] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float]:
        """Those of all cases."""
        return {k: v for result in self.results.values() for k, v in result.figures.items()}


def run_cases(
    arena: Arena,
    letters: Collection[str],
    run: Run,
    show: Callable[[Result], None],
    advance: Callable[[], None],
) -> None:
    """Run each case; one that fails is noted, and the rest goes on."""
    done: set[Callable[[Arena], Result]] = set()
    for letter in letters:
        title, measure = CASES[letter]
        if measure not in done:  # two letters may share their rounds
            done.add(measure)
            arena.say(title)
            began = time.monotonic()
            try:
                result = measure(arena)
            except Exception as error:
                run.failures[letter] = f"{type(error).__name__}: {error}"
                traceback.print_exc()
            else:
                run.results[letter] = result
                show(result)
            run.took[letter] = round(time.monotonic() - began, 1)
        advance()


def run_all(options: Options, console: Console) -> Run:
    """Everything, start to end."""
    run = Run()
    machine.raise_file_limit()
    run.moments["before"] = machine.look()
    report.warn(console, "Before", run.moments["before"])
    missing = missing_peers()
    for name, why in missing.items():
        console.print(f"[yellow]{name} is left out: {why}[/]")
    sizes = QUICK if options.quick else FULL
    sizes = replace(sizes, rounds=options.rounds or sizes.rounds, idle=options.idle or sizes.idle)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[what]}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with ExitStack() as stack:
        bar = Progress(*columns, console=console, transient=True, refresh_per_second=2)
        progress = stack.enter_context(bar)
        task = progress.add_task("", total=len(options.case), what="starting PostgreSQL")

        def say(what: str) -> None:
            progress.update(task, what=what)

        def show(result: Result) -> None:
            for sheet in result.sheets:
                console.print(sheet.as_rich())

        origin = stack.enter_context(Origin(_CONNECTIONS))
        origin.load(sizes.scale, lambda name: say(f"loading {name}"))
        run.about = {**machine.describe(), "postgresql": origin.version, "pgcache": __version__}
        run.about |= summary.peer_versions()
        console.print(", ".join(f"{name} {value}" for name, value in run.about.items()))
        arena = Arena(origin, sizes, options.case, say)
        run_cases(arena, options.case, run, show, lambda: progress.advance(task))
    run.moments["after"] = machine.look()
    report.warn(console, "After", run.moments["after"])
    return run


def write(options: Options, run: Run, console: Console) -> None:
    """The verdicts, the file of results, the tables, the pictures."""
    verdicts = judge(run.figures)
    sheet = verdict_sheet(verdicts)
    console.print(sheet.as_rich())
    options.out.mkdir(parents=True, exist_ok=True)
    moments = {name: summary.moment_as_json(moment) for name, moment in run.moments.items()}
    results = {
        "about": run.about,
        "quick": options.quick,
        "moments": moments,
        "missing": missing_peers(),
        "took_seconds": run.took,
        "failures": run.failures,
        "verdicts": [verdict.as_json() for verdict in verdicts],
        "figures": run.figures,
        "cases": {
            letter: {"title": CASES[letter][0], "data": result.data}
            for letter, result in run.results.items()
        },
    }
    (options.out / "bench.json").write_text(json.dumps(summary.plain(results), indent=1) + "\n")
    pictures: list[Path] = []
    if plots.is_available():
        pictures = plots.draw(results, options.out)
    else:
        console.print("[yellow]No pictures: matplotlib is missing (pip install '.[bench]').[/]")
    sheets = [sheet, *(one for result in run.results.values() for one in result.sheets)]
    text = summary.document(results, sheets, [path.name for path in pictures])
    (options.out / "bench.md").write_text(text)
    if options.publish:
        publish(text, pictures, _DOCUMENT)
    names = ", ".join(path.name for path in pictures)
    console.print(f"Written to {options.out}: bench.json, bench.md{', ' if names else ''}{names}.")


def publish(text: str, pictures: Collection[Path], document: Path) -> None:
    """The document with its pictures in a folder beside it, as it is kept with the sources."""
    folder = document.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        shutil.copy(picture, folder)
        text = text.replace(f"]({picture.name})", f"]({folder.name}/{picture.name})")
    document.write_text(text)


def main() -> int:
    """The command; 1 where a case failed."""
    console = Console(width=None if sys.stdout.isatty() else 190, highlight=False)
    options = Options.parse(sys.argv[1:])
    # What was started is stopped in order, whoever ends the run.
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell may have it ignored
        signal.signal(number, signal.default_int_handler)
    started = time.monotonic()
    try:
        run = run_all(options, console)
    except PgcacheError as error:
        console.print(f"[red]{error}[/]")
        return 1
    except KeyboardInterrupt:
        console.print("[yellow]Interrupted; everything that was started is stopped.[/]")
        return 130
    write(options, run, console)
    for letter, why in run.failures.items():
        console.print(f"[red]Case {letter} failed: {why}[/]")
    console.print(f"Took {time.monotonic() - started:.0f} s.")
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())

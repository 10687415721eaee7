"""``make bench-quick``: what pgcache costs and saves on this machine, in under three minutes.

Starts its own PostgreSQL and its own ``pgcache serve``. Figures of one run compare with each other
and with nothing else: targets take turns in short rounds, and ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import machine, report, scenes, throughput
from benchmarks.canned import serve_canned
from benchmarks.origin import STEADY, Origin
from benchmarks.pgbench import Job, Pgbench, Sample, Target
from benchmarks.serving import Proxy
from benchmarks.throughput import CANNED, DIRECT, DISABLED, HIT, MODE_OFF, Measured, Shape, Work
from pgcache import __version__
from pgcache.demo import data
from pgcache.errors import PgcacheError

_RESULTS = Path(__file__).parent / "results" / "quick.json"
_CASES = "acdefg"  # b, forwarding, takes turns with a
# Seconds for the rounds of a case; a slow or busy machine gets fewer of them.
_BUDGETS = {"a": 95.0, "c": 15.0, "e": 12.0}
# The cache must not forget in the course of a run.
_SETTINGS = {"CACHE__TTL": "1h"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    rounds: int
    seconds: float
    scale: float
    idle: int
    crowd: int
    only: str
    json: Path

    @classmethod
    def parse(cls, arguments: list[str]) -> Options:
        """Read the command line."""
        parser = argparse.ArgumentParser(prog="python -m benchmarks.quick", description=__doc__)
        parser.add_argument("--rounds", type=int, default=5, help="of each throughput case")
        parser.add_argument("--seconds", type=float, default=0.4, help="of each throughput sample")
        parser.add_argument("--scale", type=float, default=0.15, help="of the sales data")
        parser.add_argument("--idle", type=int, default=1000, help="idle clients")
        parser.add_argument("--crowd", type=int, default=200, help="clients of the stampede")
        parser.add_argument("--only", default=_CASES, help=f"cases, of {_CASES}")
        parser.add_argument("--json", type=Path, default=_RESULTS, help="file of results")
        return cls(**vars(parser.parse_args(arguments)))


class Bench:
    """One run: its servers, and what it measured so far."""

    def __init__(self, options: Options, origin: Origin, say: Callable[[str], None]) -> None:
        self.options = options
        self.results: dict[str, object] = {}
        self._origin = origin
        self._say = say
        self._pgbench = Pgbench(origin.bin / "pgbench", data.DATABASE)

    def throughput(
        self, proxy: Proxy, plain: Proxy, canned: int
    ) -> list[tuple[str, list[Measured]]]:
        """Cases a, b, c and e, by letter."""
        analyst = self._origin.passwords[data.ANALYST]
        steady = {
            DIRECT: Target(DIRECT, self._origin.port, STEADY),
            HIT: Target(HIT, proxy.port, STEADY, server=proxy),
            MODE_OFF: Target(
                MODE_OFF, proxy.port, STEADY, options="-c pgcache.mode=off", server=proxy
            ),
            DISABLED: Target(DISABLED, plain.port, STEADY, server=plain),
            CANNED: Target(CANNED, canned, STEADY),
        }
        login = {
            DIRECT: Target(DIRECT, self._origin.port, data.ANALYST, analyst),
            HIT: Target(HIT, proxy.port, data.ANALYST, analyst, server=proxy),
        }
        self._say("filling the cache")
        throughput.fill(self._pgbench, steady[HIT])
        throughput.fill_one(self._pgbench, login[HIT])
        plans = (
            ("a", throughput.one_row_shapes(), steady),
            ("c", throughput.many_rows_shapes(), steady),
            ("e", throughput.connection_shapes(), login),
        )
        return [
            (letter, self._measure(letter, shapes, targets))
            for letter, shapes, targets in plans
            if letter in self.options.only
        ]

    def _measure(
        self, letter: str, shapes: list[Shape], targets: dict[str, Target]
    ) -> list[Measured]:
        def take(name: str, work: Work, times: int) -> Sample:
            assert isinstance(work, Job)
            return self._pgbench.run(targets[name], work, times)

        measured = throughput.measure(
            take,
            shapes,
            rounds=self.options.rounds,
            seconds=self.options.seconds,
            budget=_BUDGETS[letter],
            report=self._say,
        )
        self.results[letter] = [one.as_json() for one in measured]
        return measured

    def cold(self, proxy: Proxy) -> list[scenes.Cold]:
        """Case d."""
        rounds = max(3, 3 * self.options.rounds)
        measured = scenes.measure_cold(self._origin, proxy, rounds, self._say)
        self.results["d"] = [cold.as_json() for cold in measured]
        return measured

    def idle(self) -> scenes.Idle:
        """Case f, on a pgcache that has done nothing before."""
        with Proxy(self._origin, **_SETTINGS) as proxy:
            idle = scenes.measure_idle(self._origin, proxy, self.options.idle, self._say)
        self.results["f"] = idle.as_json()
        return idle

    def stampede(self, proxy: Proxy) -> scenes.Stampede:
        """Case g."""
        stampede = scenes.measure_stampede(self._origin, proxy, self.options.crowd, self._say)
        self.results["g"] = stampede.as_json()
        return stampede


_TABLES = {
    "a": (report.hits_table, report.limits_table, report.forwards_table),
    "c": (report.many_rows_table,),
    "e": (report.connections_table,),
}


def run(options: Options, console: Console) -> None:
    """Everything, start to end."""
    started = time.monotonic()
    before = machine.look()
    report.warn(console, "Before", before)
    connections = max(options.idle, options.crowd) + 50
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(*columns, console=console, transient=True))
        task = progress.add_task("starting PostgreSQL")

        def say(what: str) -> None:
            progress.update(task, description=what)

        origin = stack.enter_context(Origin(connections))
        origin.load(options.scale, lambda name: say(f"loading {name}"))
        about = {**machine.describe(), "postgresql": origin.version, "pgcache": __version__}
        console.print(", ".join(f"{name} {value}" for name, value in about.items()))
        bench = Bench(options, origin, say)
        _run_cases(bench, origin, console, stack)
        say("looking at the machine")
        after = machine.look()
    report.warn(console, "After", after)
    bench.results = {
        "about": about,
        "options": {"rounds": options.rounds, "seconds": options.seconds, "scale": options.scale},
        "took_seconds": round(time.monotonic() - started, 1),
        **bench.results,
    }
    report.write(options.json, bench.results, {"before": before, "after": after})
    console.print(f"Took {time.monotonic() - started:.0f} s. Everything is in {options.json}.")


def _run_cases(bench: Bench, origin: Origin, console: Console, stack: ExitStack) -> None:
    only = bench.options.only
    if set(only) & set("ace"):
        with Proxy(origin, **_SETTINGS) as proxy, serve_canned() as canned:
            plain = stack.enter_context(Proxy(origin, CACHE__ENABLED="false"))
            for letter, measured in bench.throughput(proxy, plain, canned):
                for table in _TABLES[letter]:
                    console.print(table(measured))
    with Proxy(origin, **_SETTINGS) as proxy:
        if "d" in only:
            console.print(report.cold_table(bench.cold(proxy)))
        if "g" in only:
            console.print(report.stampede_line(bench.stampede(proxy)))
    if "f" in only:
        console.print(report.idle_line(bench.idle()))


def main() -> int:
    """The command."""
    console = Console(width=None if sys.stdout.isatty() else 170, highlight=False)
    try:
        run(Options.parse(sys.argv[1:]), console)
    except PgcacheError as error:
        console.print(f"[red]{error}[/]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

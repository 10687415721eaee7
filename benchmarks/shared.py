"""``make bench-shared``: what the shared store costs and saves on this machine, in three minutes.

Starts its own PostgreSQL, its own Redis and its own proxies. Figures of one run compare with each
other and with nothing else: targets take turns in short rounds, and ratios are medians over the
rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import redis
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import machine, report
from benchmarks.arena import Result
from benchmarks.fleet import (
    measure_staleness,
    measure_stampede,
    measure_tiers,
    measure_workers,
)
from benchmarks.origin import Origin
from benchmarks.peers import Redis
from benchmarks.squeeze import measure_compression
from benchmarks.storehits import Say, measure_hits, measure_updates
from benchmarks.summary import plain
from pgcache import __version__
from pgcache.errors import PgcacheError

_RESULTS = Path(__file__).parent / "results" / "shared.json"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    rounds: int
    count: int
    seconds: float
    writes: int
    crowd: int
    cold: float
    scale: float
    only: str
    json: Path

    @classmethod
    def parse(cls, arguments: list[str]) -> Options:
        """Read the command line."""
        parser = argparse.ArgumentParser(prog="python -m benchmarks.shared", description=__doc__)
        parser.add_argument("--rounds", type=int, default=7, help="in which targets take turns")
        parser.add_argument("--count", type=int, default=400, help="questions a round")
        parser.add_argument("--seconds", type=float, default=15.0, help="of the dashboards")
        parser.add_argument("--writes", type=int, default=200, help="that others look for")
        parser.add_argument("--crowd", type=int, default=200, help="clients of each proxy")
        parser.add_argument("--cold", type=float, default=2.0, help="seconds of the cold query")
        parser.add_argument("--scale", type=float, default=0.1, help="of the sales data")
        parser.add_argument("--only", default="".join(CASES), help=f"cases, of {''.join(CASES)}")
        parser.add_argument("--json", type=Path, default=_RESULTS, help="file of results")
        return cls(**vars(parser.parse_args(arguments)))


@dataclass(frozen=True, slots=True)
class Bench:
    """One run's servers."""

    origin: Origin
    store: Redis
    options: Options
    say: Say

    def hits(self) -> Result:
        """Case a."""
        options = self.options
        return measure_hits(self.origin, self.store, options.rounds, options.count, self.say)

    def tiers(self) -> Result:
        """Case b."""
        return measure_tiers(self.origin, self.store, self.options.seconds, self.say)

    def staleness(self) -> Result:
        """Case c."""
        return measure_staleness(self.origin, self.store, self.options.writes, self.say)

    def stampede(self) -> Result:
        """Case d."""
        options = self.options
        return measure_stampede(self.origin, self.store, options.crowd, options.cold, self.say)

    def workers(self) -> Result:
        """Case e."""
        options = self.options
        rounds = max(1, options.rounds // 2)
        return measure_workers(self.origin, self.store, rounds, options.count, self.say)

    def compression(self) -> Result:
        """Case f."""
        return measure_compression(self.origin, self.say)

    def updates(self) -> Result:
        """Case g."""
        options = self.options
        count = max(1, options.count // 4)
        return measure_updates(self.origin, self.store, options.rounds, count, self.say)


CASES: dict[str, Callable[[Bench], Result]] = {
    "a": Bench.hits,
    "b": Bench.tiers,
    "c": Bench.staleness,
    "d": Bench.stampede,
    "e": Bench.workers,
    "f": Bench.compression,
    "g": Bench.updates,
}


def run(options: Options, console: Console) -> dict[str, object]:
    """Everything, start to end; returns what was measured."""
    started = time.monotonic()
    before = machine.look()
    report.warn(console, "Before", before)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    results: dict[str, object] = {}
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(*columns, console=console, transient=True))
        task = progress.add_task("starting PostgreSQL and Redis")

        def say(what: str) -> None:
            progress.update(task, description=what)

        origin = stack.enter_context(Origin(3 * options.crowd + 100))
        store = stack.enter_context(Redis())
        origin.load(options.scale, lambda name: say(f"loading {name}"))
        about = {**machine.describe(), **_versions(origin, store)}
        console.print(", ".join(f"{name} {value}" for name, value in about.items()))
        bench = Bench(origin, store, options, say)
        for letter in options.only:
            with redis.Redis(port=store.port) as client:
                client.flushall()
            result = CASES[letter](bench)
            for sheet in result.sheets:
                console.print(sheet.as_rich())
            results[letter] = {"figures": result.figures, **result.data}
        after = machine.look()
    report.warn(console, "After", after)
    took = time.monotonic() - started
    found = {"about": about, "took_seconds": round(took, 1), "cases": plain(results)}
    report.write(options.json, found, {"before": before, "after": after})
    console.print(f"Took {took:.0f} s. Everything is in {options.json}.")
    return found


def _versions(origin: Origin, store: Redis) -> dict[str, str]:
    with redis.Redis(port=store.port) as client:
        version = str(client.info("server")["redis_version"])
    return {"postgresql": origin.version, "redis": version, "pgcache": __version__}


def main() -> int:
    """The command."""
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    try:
        run(Options.parse(sys.argv[1:]), console)
    except PgcacheError as error:
        console.print(f"[red]{error}[/]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

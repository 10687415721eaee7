"""``python -m benchmarks.floor``: what forwarding a statement costs at least, and pgcache on top.

One row by primary key, 8 clients, caching off; beside it relays that look at nothing (``bare``) and
PgBouncer in session mode, where it is installed. All take turns. CPU time is the figure that others
on the machine disturb least.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks import bare, machine, report, throughput
from benchmarks.canned import serve
from benchmarks.origin import STEADY, Origin
from benchmarks.peers import PgBouncer, find
from benchmarks.pgbench import PROTOCOLS, Job, Pgbench, Sample, Target
from benchmarks.serving import Proxy
from benchmarks.throughput import DIRECT, FEW_KEYS, RANDOM_ROW, Measured, Shape, Work
from pgcache.demo import data
from pgcache.errors import PgcacheError

_CLIENTS = 8
_SCALE = 0.01
_PGCACHE, _BOUNCER = "pgcache", "PgBouncer"


@dataclass(frozen=True, slots=True)
class Relay:
    """A process that has no cache."""

    pid: int

    def hits(self) -> int:
        """None."""
        return 0

    def cpu_seconds(self) -> float:
        """CPU time that it has used so far."""
        return machine.cpu_seconds(self.pid)


@contextmanager
def _targets() -> Iterator[tuple[Origin, dict[str, Target]]]:
    with ExitStack() as stack:
        origin = stack.enter_context(Origin(200))
        origin.load(_SCALE, lambda _: None)
        targets = {DIRECT: Target(DIRECT, origin.port, STEADY)}
        if find(PgBouncer.program) is not None:
            bouncer = stack.enter_context(PgBouncer(origin, 100))
            targets[_BOUNCER] = Target(_BOUNCER, bouncer.port, STEADY, server=bouncer)
        for kind in bare.KINDS:
            port, pid = stack.enter_context(serve("benchmarks.bare", str(origin.port), kind))
            targets[f"relay, {kind}"] = Target(kind, port, STEADY, server=Relay(pid))
        proxy = stack.enter_context(Proxy(origin, CACHE__ENABLED="false"))
        targets[_PGCACHE] = Target(_PGCACHE, proxy.port, STEADY, server=proxy)
        yield origin, targets


def _table(measured: list[Measured]) -> Table:
    table = Table(title=f"A forwarded statement, {_CLIENTS} clients: medians of the rounds")
    table.add_column("")
    for one in measured:
        table.add_column(f"{one.shape.title}, over direct", justify="right")
        table.add_column("CPU us", justify="right")
    for name in measured[0].shape.targets:
        cells = []
        for one in measured:
            cpu = one.proxy_us(name)
            cells += [report.ratio(one.ratio(name)), "" if name == DIRECT else f"{cpu.median:.1f}"]
        table.add_row(name, *cells)
    return table


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each sample")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    console.print(f"{machine.describe()['processor']}, {machine.look()}.")
    try:
        with _targets() as (origin, targets):
            pgbench = Pgbench(origin.bin / "pgbench", data.DATABASE)

            def take(name: str, work: Work, times: int) -> Sample:
                assert isinstance(work, Job)
                return pgbench.run(targets[name], work, times)

            keys = {"keys": FEW_KEYS}
            measured = throughput.measure(
                take,
                [
                    Shape(protocol, Job(RANDOM_ROW, protocol, _CLIENTS, keys), tuple(targets))
                    for protocol in PROTOCOLS
                ],
                rounds=options.rounds,
                seconds=options.seconds,
                budget=120.0,
                report=lambda _: None,
            )
    except PgcacheError as error:
        console.print(f"[red]{error}[/]")
        return 1
    console.print(_table(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())

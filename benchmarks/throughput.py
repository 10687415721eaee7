"""Cases a to c and e: how many a second, through pgcache and past it, round by round."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.pgbench import EXTENDED, PREPARED, PROTOCOLS, SIMPLE, Job, Pgbench, Sample, Target
from benchmarks.samples import Series

DIRECT, HIT, MODE_OFF, DISABLED, CANNED = "direct", "hit", "mode=off", "disabled", "canned"
CLIENTS = (1, 8, 64)
FEW_KEYS, MANY_KEYS = 20, 10_000

ONE_ROW = "SELECT id, name, amount FROM accounts WHERE id = :id;\n"
RANDOM_ROW = "\\set id random(1, :keys)\n" + ONE_ROW
_IN_TURN = "\\set id 1 + mod(:id, :keys)\n" + ONE_ROW
MANY_ROWS = "SELECT id, name, amount, opened_at FROM accounts WHERE id <= 1000;\n"
A_ROW = "SELECT id, name, amount FROM accounts WHERE id = 57;\n"


class Work(Protocol):
    """What is done to a server many times over; see ``pgbench.Job``."""

    @property
    def clients(self) -> int:
        """How many do it at once."""
        ...

    @property
    def trial(self) -> int:
        """How often it is done to find out how fast that goes."""
        ...

    @property
    def least(self) -> int:
        """How often each client does it at least."""
        ...


Run = Callable[[str, Work, int], Sample]
"""Does work to a target, so many times for each client."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One line of a table: what is run, and against what."""

    title: str
    job: Work
    targets: tuple[str, ...]


@dataclass(slots=True)
class Measured:
    """The samples of one shape, by target, one a round."""

    shape: Shape
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def rates(self, target: str) -> Series:
        """Transactions a second."""
        return Series.of(sample.rate for sample in self.samples.get(target, ()))

    def ratio(self, target: str, base: str = DIRECT) -> Series:
        """The rate over the direct one of the same round; nothing where one is missing."""
        if target not in self.samples or base not in self.samples:
            return Series.of(())
        return self.rates(target).over(self.rates(base))

    def proxy_us(self, target: str) -> Series:
        """CPU time of pgcache for each transaction, in microseconds."""
        return Series.of(sample.proxy_us for sample in self.samples.get(target, ()))

    def client_us(self, target: str) -> Series:
        """CPU time of pgbench for each transaction, in microseconds."""
        return Series.of(sample.client_us for sample in self.samples.get(target, ()))

    def hit_share(self, target: str) -> Series:
        """Hits that pgcache counted for each transaction."""
        return Series.of(sample.hit_share for sample in self.samples.get(target, ()))

    def as_json(self) -> dict[str, object]:
        """For the file of results."""
        return {
            "shape": self.shape.title,
            "clients": self.shape.job.clients,
            "targets": {
                name: {
                    "per_second": self.rates(name).as_json(),
                    "over_direct": self.ratio(name).as_json() if DIRECT in self.samples else None,
                    "pgcache_cpu_us": self.proxy_us(name).median,
                    "pgbench_cpu_us": self.client_us(name).median,
                    "hits_per_transaction": self.hit_share(name).median,
                }
                for name in self.samples
            },
        }


def one_row_shapes() -> list[Shape]:
    """Cases a and b: a row by its primary key, in all protocols, for some numbers of clients."""
    shapes = []
    for clients in CLIENTS:
        for protocol in PROTOCOLS:
            targets = [DIRECT, HIT, MODE_OFF]
            if clients == 8:
                targets += [DISABLED] if protocol == EXTENDED else [DISABLED, CANNED]
            job = Job(RANDOM_ROW, protocol, clients, {"keys": FEW_KEYS})
            shapes.append(Shape(f"{protocol}, {count(clients)}", job, tuple(targets)))
    for protocol in (SIMPLE, PREPARED):
        job = Job(RANDOM_ROW, protocol, 8, {"keys": MANY_KEYS})
        title = f"{protocol}, 8 clients, {MANY_KEYS:,} keys"
        shapes.append(Shape(title, job, (DIRECT, HIT)))
    return shapes


def many_rows_shapes() -> list[Shape]:
    """Case c: a result of 1 000 rows."""
    targets = (DIRECT, HIT, MODE_OFF)
    return [
        Shape(f"{protocol}, 8 clients", Job(MANY_ROWS, protocol, 8), targets)
        for protocol in (SIMPLE, PREPARED)
    ]


def connection_shapes() -> list[Shape]:
    """Case e: connect, authenticate, one query, disconnect."""
    return [
        Shape(count(clients), Job(A_ROW, SIMPLE, clients, reconnect=True), (DIRECT, HIT))
        for clients in (1, 8)
    ]


def count(clients: int) -> str:
    """Clients in words."""
    return f"{clients} client" + ("s" if clients > 1 else "")


def fill(pgbench: Pgbench, target: Target) -> None:
    """Ask for whatever is to be a hit, until it is one at the first look.

    Simple and extended results share no key here. The first ask stores, the second one proves the
    turn to the fast lane (of a prepared statement, to one session only).
    """
    for protocol in (SIMPLE, PREPARED):
        variables = {"keys": MANY_KEYS, "id": 0}
        times = MANY_KEYS * (2 if protocol == SIMPLE else 1)
        pgbench.run(target, Job(_IN_TURN, protocol, 1, variables), times)
        pgbench.run(target, Job(MANY_ROWS, protocol), 2)


def fill_one(pgbench: Pgbench, target: Target) -> None:
    """The same for the one question that is asked by those who log in for it."""
    pgbench.run(target, Job(A_ROW), 2)


def measure(
    run: Run,
    shapes: list[Shape],
    *,
    rounds: int,
    seconds: float,
    budget: float,
    report: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> list[Measured]:
    """Run all shapes against their targets, one after the other, for some rounds.

    The targets of a shape follow each other at once, in an order that changes with the round. How
    many transactions fill the time is known from the run before; the very first is not counted.
    No round but the first is begun that would not end within ``budget`` seconds.
    """
    measured = [Measured(shape) for shape in shapes]
    rates: dict[tuple[str, str], float] = {}
    ends, took = clock() + budget, 0.0
    for number in range(rounds):
        started = clock()
        if number and started + took > ends:
            break
        for one in measured:
            names, work = one.shape.targets, one.shape.job
            for index in range(len(names)):
                name = names[(index + number) % len(names)]
                report(f"round {number + 1} of {rounds}: {one.shape.title}, {name}")
                known = one.shape.title, name
                rate = rates.get(known) or run(name, work, -(-work.trial // work.clients)).rate
                times = max(work.least, round(rate * seconds / work.clients))
                sample = run(name, work, times)
                rates[known] = sample.rate
                one.samples.setdefault(name, []).append(sample)
        took = clock() - started
    return measured

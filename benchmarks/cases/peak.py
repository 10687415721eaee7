"""Case p: latency of hits at the mission's peak, 10 000 queries a minute by 200 clients."""

from __future__ import annotations

import time

from benchmarks.arena import PGBOUNCER, PGPOOL, TITLES, Arena, Result
from benchmarks.origin import STEADY
from benchmarks.paced import Latencies, plan_arrivals, play
from benchmarks.samples import Series
from benchmarks.sheets import Sheet, number
from benchmarks.throughput import DIRECT, FEW_KEYS, HIT
from pgcache.demo import data
from pgcache.wire.messages import build_query

CLIENTS, PER_MINUTE = 200, 10_000
_TARGETS = (DIRECT, PGBOUNCER, PGPOOL, HIT)
_SQL = "SELECT id, name, amount FROM accounts WHERE id = "
TURNS = tuple(build_query(f"{_SQL}{key}") for key in range(1, FEW_KEYS + 1))


def measure_peak(arena: Arena) -> Result:
    """The same moments for each server, one after the other, in rounds."""
    taken: dict[str, list[Latencies]] = {}
    ends, took = time.monotonic() + arena.budget("p"), 0.0
    with arena.targets(_TARGETS, CLIENTS + 1) as targets:
        for number_ in range(arena.sizes.rounds):
            began = time.monotonic()
            if number_ and began + took > ends:
                break
            names = list(targets)
            for name in names[number_ % len(names) :] + names[: number_ % len(names)]:
                arena.say(f"round {number_ + 1}: 10,000 queries a minute, {TITLES[name]}")
                taken.setdefault(name, []).append(
                    _play(targets[name].port, arena.sizes.peak_seconds, number_)
                )
            took = time.monotonic() - began
    result = Result(data={name: [one.as_json() for one in all_] for name, all_ in taken.items()})
    for name, figure in ((HIT, "peak"), (DIRECT, "peak/direct")):
        result.figure(f"{figure}/p50", _median(taken[name], 0.5))
        result.figure(f"{figure}/p99", _median(taken[name], 0.99))
    result.sheets.append(_sheet(taken))
    return result


def _play(port: int, seconds: float, seed: int) -> Latencies:
    warm = plan_arrivals(TURNS, PER_MINUTE / 60, 1.0, CLIENTS, seed + 1000)
    play(port, STEADY, data.DATABASE, CLIENTS, warm)
    plan = plan_arrivals(TURNS, PER_MINUTE / 60, seconds, CLIENTS, seed)
    return play(port, STEADY, data.DATABASE, CLIENTS, plan)


def _median(rounds: list[Latencies], share: float) -> float:
    return Series.of(one.percentile(share) for one in rounds).median


def _sheet(taken: dict[str, list[Latencies]]) -> Sheet:
    shares = (0.5, 0.95, 0.99, 1.0)
    rows = tuple(
        (TITLES[name], *(number(_median(rounds, share)) for share in shares))
        for name, rounds in taken.items()
    )
    columns = ("through", "p50 ms", "p95 ms", "p99 ms", "most ms")
    count = min(len(rounds) for rounds in taken.values())
    caption = (
        f"one row of {FEW_KEYS} at random moments by {CLIENTS} clients, medians of {count} rounds"
    )
    return Sheet("p. Latency of one row at 10,000 queries a minute", columns, rows, caption)

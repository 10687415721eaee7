"""Case f: 200 clients ask one cold question at the same moment."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from benchmarks import machine, scenes
from benchmarks.arena import PGBOUNCER, PGPOOL, TITLES, Arena, Result, is_installed
from benchmarks.origin import STEADY
from benchmarks.sheets import Sheet, number
from benchmarks.throughput import DIRECT, HIT
from pgcache.demo import data

_CLIENTS = 200
_TARGETS = (DIRECT, PGBOUNCER, PGPOOL, HIT)


@dataclass(frozen=True, slots=True)
class Rush:
    """What it was for one server. Times in milliseconds, CPU time of PostgreSQL in seconds."""

    executions: int
    median_ms: float
    last_ms: float
    database_cpu: float


def measure_stampede(arena: Arena) -> Result:
    """Each server alone, one after the other."""
    origin = arena.origin
    with scenes.connected(_url(origin.port)) as direct:
        steps = 200_000
        steps = round(
            steps * arena.sizes.stampede_ms / scenes.timed(direct, scenes.question(steps))
        )
        alone = scenes.timed(direct, scenes.question(steps))
    scenes.await_sessions(origin, 0)
    rushes = {
        name: _rush(arena, name, scenes.question(steps))
        for name in _TARGETS
        if name not in (PGBOUNCER, PGPOOL) or is_installed(name)
    }
    result = Result(data={"alone_ms": alone, "clients": _CLIENTS})
    result.data["rushes"] = {name: asdict(rush) for name, rush in rushes.items()}
    result.figure("stampede/executions", rushes[HIT].executions)
    result.sheets.append(_sheet(rushes, alone))
    return result


def _url(port: int) -> str:
    return f"postgresql://{STEADY}@127.0.0.1:{port}/{data.DATABASE}"


def _rush(arena: Arena, name: str, sql: str) -> Rush:
    origin = arena.origin
    before = origin.executions()
    used: list[float] = []

    def note() -> None:
        used.append(machine.tree_seconds(origin.pid))

    with arena.targets([name], _CLIENTS) as targets:
        arena.say(f"{_CLIENTS} clients at once, {TITLES[name]}")
        times = scenes.crowd([_url(targets[name].port)], sql, _CLIENTS, note)
        note()
    scenes.await_sessions(origin, 0)  # they have handed in what they counted
    return Rush(
        executions=origin.executions() - before,
        median_ms=times.median,
        last_ms=times.high,
        database_cpu=used[1] - used[0],
    )


def _sheet(rushes: dict[str, Rush], alone: float) -> Sheet:
    rows = tuple(
        (
            TITLES[name],
            str(rush.executions),
            number(rush.median_ms),
            number(rush.last_ms),
            number(rush.database_cpu),
        )
        for name, rush in rushes.items()
    )
    columns = ("through", "times PostgreSQL ran it", "median client ms", "last client ms")
    caption = f"the question takes {alone:.0f} ms alone; connections were open before"
    title = f"f. {_CLIENTS} clients ask one cold question at once"
    return Sheet(title, (*columns, "database CPU s"), rows, caption)

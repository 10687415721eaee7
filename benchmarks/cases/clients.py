"""Case h: many idle clients, and clients that come and go."""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median

import psutil

from benchmarks import machine, scenes
from benchmarks.arena import LASTING, PGBOUNCER, TITLES, Arena, Result, is_installed
from benchmarks.cases.rows import take
from benchmarks.origin import STEADY, Origin
from benchmarks.peers import PgBouncer
from benchmarks.pgbench import Sample
from benchmarks.raw import Wire
from benchmarks.serving import Proxy
from benchmarks.sheets import Sheet, number, per_second, times
from benchmarks.throughput import (
    DIRECT,
    HIT,
    Measured,
    Shape,
    Work,
    connection_shapes,
    fill_one,
    measure,
)
from pgcache.demo import data
from pgcache.wire.messages import build_query

_FIRST = 100  # clients after which memory is counted for each
_BACKEND_BYTES = 4 * 2**20  # what an idle session costs PostgreSQL, generously
_SPARE_BYTES = 2 * 2**30
_ASKS = 2000
_HIT = build_query("SELECT id, name, amount FROM accounts WHERE id = 57")


def measure_clients(arena: Arena) -> Result:
    """Memory and latency with idle clients; connections opened and closed a second."""
    result = _measure_connections(arena)
    _measure_idle(arena, result)
    return result


def affordable(wanted: int, files: int, free_bytes: int) -> int:
    """How many idle clients this machine bears: pgcache has two sockets for each of them."""
    by_memory = (free_bytes - _SPARE_BYTES) // _BACKEND_BYTES
    return max(0, min(wanted, (files - 200) // 2, by_memory))


# -- idle clients


def _measure_idle(arena: Arena, result: Result) -> None:
    files = machine.raise_file_limit()
    wanted = arena.sizes.idle
    clients = affordable(wanted, files, psutil.virtual_memory().available)
    if clients <= _FIRST:
        raise RuntimeError(f"there is no room for idle clients: {files} files, memory")
    arena.say("starting a PostgreSQL for idle clients")
    with Origin(clients + 50) as origin:
        origin.load(0.0, lambda _: None)
        with Proxy(origin, **LASTING, LISTEN__MAX_CLIENTS=str(clients + 50)) as proxy:
            found = _fill_up(arena, proxy, clients)
    first, everyone, alone_us, among_us = found
    each = (everyone - first) / (clients - _FIRST) / 1024
    result.figure("idle/kB", each)
    result.figure("idle/added µs", among_us - alone_us)
    result.data["idle"] = {
        "clients": clients,
        "resident_with_100": first,
        "resident_with_all": everyone,
        "kb_per_client": each,
        "hit_us_alone": alone_us,
        "hit_us_among_all": among_us,
    }
    row = (
        f"{clients:,}",
        number(first / 2**20),
        number(everyone / 2**20),
        number(each),
        number(alone_us),
        number(among_us),
    )
    columns = ("idle clients", f"MB with {_FIRST}", "MB with all", "kB for each", "hit µs alone")
    note = "" if clients == wanted else f"; {wanted:,} were wanted, memory or files do not allow it"
    caption = f"resident memory of pgcache; the hit is one blocking client's median{note}"
    title = "h. Idle clients that have logged in with SCRAM and asked once"
    result.sheets.append(Sheet(title, (*columns, "hit µs among all"), (row,), caption))


def _fill_up(arena: Arena, proxy: Proxy, clients: int) -> tuple[int, int, float, float]:
    wire = Wire(proxy.port, STEADY, data.DATABASE)
    with ExitStack() as stack:
        stack.callback(wire.close)
        alone = _hit_us(wire)
        url = proxy.url(data.ANALYST)
        scenes.gather(stack, url, _FIRST)
        first = proxy.resident()
        opened = _FIRST
        while opened < clients:
            arena.say(f"{opened:,} of {clients:,} idle clients")
            several = min(200, clients - opened)
            scenes.gather(stack, url, several)
            opened += several
        everyone = proxy.resident()
        return first, everyone, alone, _hit_us(wire)


def _hit_us(wire: Wire) -> float:
    length = len(wire.ask(_HIT))
    taken = []
    for _ in range(_ASKS):
        started = time.perf_counter()
        wire.count(_HIT, length)
        taken.append(time.perf_counter() - started)
    return 1e6 * median(taken)


# -- connections


def _measure_connections(arena: Arena) -> Result:
    with ExitStack() as stack:
        proxy = stack.enter_context(arena.proxy())
        targets = {
            DIRECT: arena.analyst(DIRECT, arena.origin.port),
            HIT: arena.analyst(HIT, proxy.port, proxy),
        }
        if is_installed(PGBOUNCER):
            bouncer = stack.enter_context(PgBouncer(arena.origin, 64))
            targets[PGBOUNCER] = arena.analyst(PGBOUNCER, bouncer.port, bouncer)
        fill_one(arena.pgbench, targets[HIT])

        def run(name: str, work: Work, repeats: int) -> Sample:
            return take(arena, targets[name], work, repeats)

        names = tuple(targets)
        measured = measure(
            run,
            [Shape(shape.title, shape.job, names) for shape in connection_shapes()],
            rounds=arena.sizes.rounds,
            seconds=2 * arena.sizes.seconds,
            budget=arena.budget("h"),
            report=arena.say,
        )
    result = Result(data={"connections": [one.as_json() for one in measured]})
    for one in measured:
        result.figure(f"connect/{one.shape.job.clients}/direct", one.ratio(HIT).median)
        result.figure(
            f"connect/{one.shape.job.clients}/pgbouncer", one.ratio(HIT, PGBOUNCER).median
        )
    result.sheets.append(_connections_sheet(measured))
    return result


def _connections_sheet(measured: list[Measured]) -> Sheet:
    names = (DIRECT, PGBOUNCER, HIT)
    rows = tuple(
        (
            one.shape.title,
            *(per_second(one.rates(name)) for name in names),
            times(one.ratio(HIT)),
            times(one.ratio(HIT, PGBOUNCER)),
            f"{100 * one.hit_share(HIT).median:.0f} %",
            number(one.proxy_us(HIT).median),
        )
        for one in measured
    )
    columns = ("at once", *(f"{TITLES[name]} /s" for name in names))
    more = ("over direct", "over PgBouncer", "hits", "pgcache CPU µs")
    title = "h. Connect, authenticate (SCRAM), one hit, disconnect"
    rounds = min(len(one.rates(DIRECT).values) for one in measured)
    return Sheet(title, (*columns, *more), rows, f"medians (least to most) of {rounds} rounds")

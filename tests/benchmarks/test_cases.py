"""What the cases plan and how they size themselves."""

from __future__ import annotations

from benchmarks.arena import FULL, PGBOUNCER, PGPOOL, QUICK, REDIS, Result
from benchmarks.cases import clients, growth, scene
from benchmarks.cases.rows import only, plan, report_rows
from benchmarks.musts import MUSTS
from benchmarks.pgbench import Job, Sample, Target
from benchmarks.samples import Series
from benchmarks.throughput import DIRECT, DISABLED, FEW_KEYS, HIT, MODE_OFF, Measured


def test_one_row_is_asked_in_all_protocols_by_all_numbers_of_clients() -> None:
    shapes = plan((1, 8), "ac")
    jobs = [shape.job for shape in shapes if isinstance(shape.job, Job)]
    few = {(job.protocol, job.clients) for job in jobs if job.variables["keys"] == FEW_KEYS}
    assert few == {(p, n) for p in ("simple", "extended", "prepared") for n in (1, 8)}
    simple = next(shape for shape in shapes if shape.title == "simple, 8 clients")
    assert simple.targets == (DIRECT, PGBOUNCER, PGPOOL, HIT, REDIS, MODE_OFF, DISABLED)


def test_a_case_alone_asks_nobody_else() -> None:
    assert {name for shape in plan((8,), "a") for name in shape.targets} == {
        *(DIRECT, PGBOUNCER, PGPOOL, HIT, REDIS)
    }
    assert {name for shape in plan((8,), "c") for name in shape.targets} == {
        *(DIRECT, PGBOUNCER, MODE_OFF, DISABLED)
    }


def test_peers_that_are_missing_are_left_out() -> None:
    shapes = only(plan((8,), "ac"), {DIRECT: Target(DIRECT, 1, "u"), HIT: Target(HIT, 2, "u")})
    assert all(shape.targets in ((DIRECT, HIT), (DIRECT,)) for shape in shapes)


def test_figures_of_rows_are_what_promises_are_held_against() -> None:
    measured = []
    for shape in plan((1, 8, 64), "ac"):
        one = Measured(shape)
        for rank, name in enumerate(shape.targets, 1):
            one.samples[name] = [Sample(1000.0 * rank, 1.0, 2.0, 1.0)]
        measured.append(one)
    figures = report_rows(measured, "ac").figures
    wanted = {must.figure for must in MUSTS if must.figure.split("/")[1] in ("simple", "prepared")}
    assert wanted <= set(figures)
    assert figures["hit/simple/8/direct"] == 4.0
    assert figures["hit/simple/8/pgbouncer"] == 2.0


def test_what_was_not_measured_is_no_figure() -> None:
    result = Result()
    result.figure("speed", Series.of(()).median)
    result.figure("size", 1.0)
    assert result.figures == {"size": 1.0}


def test_idle_clients_are_as_many_as_files_and_memory_allow() -> None:
    assert clients.affordable(5000, 20_000, 64 * 2**30) == 5000
    assert clients.affordable(5000, 1024, 64 * 2**30) == 412
    assert clients.affordable(5000, 20_000, 4 * 2**30) == 512
    assert clients.affordable(5000, 20_000, 2**30) == 0


def test_entries_are_as_many_as_half_of_the_memory_holds() -> None:
    assert growth.affordable((10, 1_000_000), 16 * 2**30) == (10, 1_000_000)
    assert growth.affordable((10, 1_000_000), 4 * 2**30) == (10,)


def test_every_dashboard_has_queries_of_its_own() -> None:
    texts = [query for which in range(scene.DASHBOARDS) for query in scene.dashboard(which)]
    assert len(texts) == 120
    assert len(set(texts)) == len(texts)
    assert "{" not in "".join(texts)


def test_time_is_compressed_until_the_database_is_busy() -> None:
    # 20 queries a second of 10 ms take a fifth of a core; four fifths of two cores are 8 times that
    assert scene.compression(10.0, 2) == 8.0
    assert scene.compression(0.001, 2) == 60.0
    assert scene.compression(1000.0, 2) == 2.0


def test_a_quick_run_is_a_smaller_one() -> None:
    assert set(QUICK.budgets) == set(FULL.budgets)
    assert all(QUICK.budgets[letter] < FULL.budgets[letter] for letter in FULL.budgets)
    assert QUICK.rounds < FULL.rounds
    assert sum(FULL.budgets.values()) < 20 * 60

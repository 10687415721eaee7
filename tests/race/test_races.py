"""Several sessions race: no read is older than what was known to be committed when it began (T-23).

Reads go through a proxy that marks its hits, so the run knows how many of them came from the
cache. A watcher reads past the proxy: what PostgreSQL has shown to anyone, the proxy may no longer
hide (T-10). Set PGCACHE_TEST_SEED and PGCACHE_TEST_OPERATIONS to run another or a longer race.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.conftest import Proxies
from tests.race.arena import race
from tests.race.registers import Register, StaleRead
from tests.support.postgres import Server

SEEDS = range(4)
OPERATIONS = int(os.environ.get("PGCACHE_TEST_OPERATIONS", "104000"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_stale_read(newest_postgres: Server, proxies: Proxies, seed: int) -> None:
    seed = int(os.environ.get("PGCACHE_TEST_SEED", seed))
    proxy = proxies.poisoned(newest_postgres)
    try:
        world = asyncio.run(race(newest_postgres, [proxy.address], seed, OPERATIONS // len(SEEDS)))
    except* StaleRead as stale:
        pytest.fail(f"seed {seed}: {stale.exceptions[0]}")
    counts = world.counts
    print(f"seed {seed}: {dict(counts)}")  # noqa: T201 - shown with -s and on failure
    assert counts["reads"] + counts["writes"] >= OPERATIONS // len(SEEDS)
    assert counts["writes"] > counts["reads"] / 100
    assert counts["errors"] < counts["reads"] / 20
    if not os.environ.get("PGCACHE_TEST_DIRECT"):
        assert counts["hits"] > counts["reads"] / 10
    assert proxy.complaints() == []


def test_the_checker_sees_a_stale_read() -> None:
    register = Register("r")
    value = register.next_value("writer")
    register.commit_sent("writer", value)
    floor = register.read_sent("reader")
    register.read("reader", floor, 0)  # The commit is still under way: old or new will do.
    register.committed("writer", value)
    register.read("reader", floor, 1)
    with pytest.raises(StaleRead, match="older than known"):
        register.read("reader", register.read_sent("reader"), 0)


def test_the_checker_sees_a_read_that_goes_back() -> None:
    register = Register("r")
    register.commit_sent("writer", register.next_value("writer"))
    register.read("one", register.read_sent("one"), 1)
    with pytest.raises(StaleRead, match="older than known"):
        register.read("two", register.read_sent("two"), 0)


def test_the_checker_sees_what_was_rolled_back() -> None:
    register = Register("r")
    value = register.next_value("writer")
    with pytest.raises(StaleRead, match="never committed"):
        register.read("reader", register.read_sent("reader"), value)
    register.aborted("writer", value)
    with pytest.raises(StaleRead, match="never committed"):
        register.read("reader", register.read_sent("reader"), value)


def test_the_checker_lets_reads_be_behind_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("tests.race.registers.time.monotonic", lambda: now)
    register = Register("r", slack=0.75)
    for value in (1, 2):
        register.commit_sent("writer", register.next_value("writer"))
        register.committed("writer", value)
        now += 0.5
    register.read("reader", register.read_sent("reader"), 1)
    with pytest.raises(StaleRead, match="older than known"):
        register.read("reader", register.read_sent("reader"), 0)
    now += 0.5
    with pytest.raises(StaleRead, match="older than known"):
        register.read("reader", register.read_sent("reader"), 1)

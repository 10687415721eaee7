"""Random conversations of several sessions, on two databases: through pgcache and past it.

Set PGCACHE_TEST_SEED, PGCACHE_TEST_OPERATIONS and PGCACHE_TEST_MAJOR to play another or a longer
one. The steps are planned ahead, so that a failing plan can be cut down to the few that matter.
"""

from __future__ import annotations

import os

import pytest

from tests.conftest import Proxies
from tests.fuzz.plan import Planner
from tests.fuzz.twins import twins
from tests.support.postgres import Server

SEEDS = range(3)
OPERATIONS = int(os.environ.get("PGCACHE_TEST_OPERATIONS", "3000"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_both_say_the_same(newest_postgres: Server, proxies: Proxies, seed: int) -> None:
    seed = int(os.environ.get("PGCACHE_TEST_SEED", seed))
    proxy = proxies.plain(newest_postgres)
    with twins(newest_postgres, proxy, f"{os.getpid()}_{seed}") as pair:
        plan = Planner(seed, pair.runs).plan(OPERATIONS // len(SEEDS))
        before = proxy.count("hits")
        pair.play(plan)
        hits = proxy.count("hits") - before
    print(f"seed {seed}: {len(plan)} steps, {hits} hits")  # noqa: T201 - shown with -s
    if not os.environ.get("PGCACHE_TEST_DIRECT"):
        assert hits > len(plan) // 100

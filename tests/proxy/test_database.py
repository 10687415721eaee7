"""What the sessions of one database remember between them."""

from __future__ import annotations

import gc

from pgcache.catalog.snapshot import Snapshot
from tests.proxy.rig import Line, Rig, snapshot_of
from tests.support.frames import query


def test_no_snapshot_of_the_catalogs_outlives_the_next(rig: Rig, line: Line) -> None:
    """Each is megabytes: a load that creates tables and fills them must not pile them up."""
    before = _count_snapshots()
    for number in range(20):
        line.says(query(f"create table t{number} (v text)"))
        rig.catalog.current = snapshot_of.__wrapped__(frozenset(rig.world.tables))
        line.says(query(f"insert into t values ('{number}')"))
        line.says(query("select v from t"))
        line.says(query("select v from t"))
    assert rig.counters.hits == 20
    # The one that holds, and none but its predecessor.
    assert _count_snapshots() <= before + 2


def _count_snapshots() -> int:
    gc.collect()
    return sum(type(thing) is Snapshot for thing in gc.get_objects())

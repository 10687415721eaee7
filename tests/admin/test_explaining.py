"""EXPLAIN on the console, on an engine without an origin."""

from __future__ import annotations

from pgcache.admin.explaining import explain
from tests.proxy.rig import Rig
from tests.support.frames import query


def _told(rig: Rig, sql: str) -> dict[object, object]:
    return {row[0]: row[1] for row in explain(rig.engine, sql)}


async def test_what_is_held_is_counted(rig: Rig) -> None:
    line = rig.line()
    sql = "select v from t"
    assert _told(rig, sql)["entries now"] == 0
    for _ in range(3):
        line.says(query(sql))
    told = _told(rig, "SELECT v /* again */ FROM t")
    assert (told["verdict"], told["entries now"], told["hits of these"]) == ("cacheable", 1, 2)
    line.says(query("insert into t values ('x')"))
    assert _told(rig, sql)["entries now"] == 0


async def test_reasons_come_with_remedies(rig: Rig) -> None:
    told = _told(rig, "select v from nowhere")
    assert (told["verdict"], told["reason"]) == ("bypass", "unknown-relation (nowhere)")
    assert told["remedy"]
    assert _told(rig, "/* pgcache: off */ select v from t")["reason"] == "hint"
    assert _told(rig, "")["reason"] == "empty-query"


async def test_several_databases_are_told_apart(rig: Rig) -> None:
    rig.engine.database("other")
    names = [row[1] for row in explain(rig.engine, "select v from t") if row[0] == "database"]
    assert names == ["shop", "other"]


async def test_without_catalogs_nothing_is_cached(rig: Rig) -> None:
    rig.catalog.current = None
    assert _told(rig, "select v from t")["reason"] == "no-catalog"

"""What there is to see of a conversation."""

from __future__ import annotations

from pgcache.admin.view import COLUMNS, Value, View
from pgcache.catalog.standing import Phase
from pgcache.metrics.sources import SourceState
from tests.proxy.rig import DATABASE, TABLES, Rig
from tests.support.frames import query

SQL = "select v from t where v = 'one'"


def _rows(view: View, name: str) -> list[dict[str, Value]]:
    rows = list(view.table(name))
    assert all(len(row) == len(COLUMNS[name]) for row in rows)
    return [dict(zip(COLUMNS[name], row, strict=True)) for row in rows]


def _busy(rig: Rig) -> View:
    line = rig.line()
    line.origin.is_held = True
    line.says(query(SQL))
    rig.now += 2.0
    line.origin.release()
    for _ in range(3):
        line.says(query(SQL))
    line.says(query("select v from t for update"))
    return View(rig.engine)


async def test_every_view_has_its_columns(rig: Rig) -> None:
    view = _busy(rig)
    for name in COLUMNS:
        _rows(view, name)


async def test_stats(rig: Rig) -> None:
    numbers = _busy(rig).numbers()
    assert (numbers["hits"], numbers["misses"], numbers["bypass"]) == (3, 1, 1)
    assert (numbers["hit_ratio"], numbers["saved_seconds"]) == (0.75, 6.0)
    assert (numbers["entries"], numbers["paused"], numbers["locked"]) == (1, False, 0)
    lock = rig.database.generations.lock(None)
    assert View(rig.engine).numbers()["locked"] == "all"
    rig.database.generations.unlock(lock, moved=False)


async def test_queries_and_entries_without_literals(rig: Rig) -> None:
    view = _busy(rig)
    first, second = _rows(view, "QUERIES")
    assert (first["hits"], first["saved_ms"], first["last"]) == (3, 6000, "hit")
    assert first["query"] == "select v from t where v = ?"
    assert (second["passes"], second["last"]) == (1, "row-lock")
    (entry,) = _rows(view, "ENTRIES")
    assert (entry["database"], entry["tables"], entry["hits"]) == (DATABASE, "public.t", 3)
    assert (entry["age_s"], entry["ttl_s"], entry["cost_ms"]) == (2, 298, 2000.0)
    assert "one" not in str(entry["query"])


async def test_dead_entries_are_not_shown(rig: Rig) -> None:
    view = _busy(rig)
    rig.database.generations.move([TABLES["public.t"]])
    assert _rows(view, "ENTRIES") == []


async def test_tables(rig: Rig) -> None:
    rig = Rig(tables={"public.t": {"ttl": 60, "tags": ["revenue"]}})
    view = _busy(rig)
    rig.engine.sources.append(SourceState("slot", DATABASE, is_up=True, lag=1.5))
    rig.engine.sources.append(SourceState("stream", "", is_up=False))
    (row,) = _rows(view, "TABLES")
    assert (row["table"], row["entries"], row["tags"]) == ("public.t", 1, "revenue")
    assert (row["ttl_s"], row["age_bound_s"], row["sources"]) == (60, 1.5, "writes, slot")
    assert (row["invalidations"], row["moved_s"], row["locked"]) == (0, None, False)
    rig.line().says(query("insert into t values ('x')"))
    rig.now += 5.0
    (row,) = _rows(view, "TABLES")
    assert (row["entries"], row["invalidations"], row["moved_s"]) == (0, 1, 5)


async def test_sources(rig: Rig) -> None:
    rig.engine.sources.append(SourceState("notify", DATABASE, detail="connection lost"))
    found = {row["source"]: row for row in _rows(View(rig.engine), "SOURCES")}
    assert found["write"]["state"] == "up"
    assert found["catalog"]["state"] == "up"
    assert (found["notify"]["state"], found["notify"]["detail"]) == ("down", "connection lost")
    rig.catalog.phase = Phase.FAILING
    found = {row["source"]: row for row in _rows(View(rig.engine), "SOURCES")}
    assert found["catalog"]["state"] == "down"


async def test_reasons_come_with_what_to_do(rig: Rig) -> None:
    (row,) = _rows(_busy(rig), "REASONS")
    assert (row["reason"], row["count"]) == ("row-lock", 1)
    assert row["explanation"]
    assert row["remedy"]


async def test_secrets_are_not_shown() -> None:
    rig = Rig(
        admin={"token": "very secret"}, upstream={"url": "postgresql://u:hidden@127.0.0.1/db"}
    )
    shown = str(_rows(View(rig.engine), "CONFIG"))
    assert "admin.token" in shown
    assert "very secret" not in shown
    assert "hidden" not in shown

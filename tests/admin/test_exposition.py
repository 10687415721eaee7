"""What Prometheus is told."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from pgcache.admin.exposition import Exposition
from pgcache.admin.site import Request, Site
from pgcache.cache.store import StoreStats
from pgcache.config.model import AdminConfig
from pgcache.errors import Reason
from pgcache.metrics.counters import Source
from pgcache.metrics.sources import SourceState
from tests.proxy.rig import DATABASE, TABLES, Rig
from tests.support.frames import query

SQL = "select v from t"


def _samples(exposition: Exposition) -> dict[str, float]:
    """Every sample, named as Prometheus would show it."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition.render().decode()):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in found
            found[name] = sample.value
    return found


async def test_a_conversation_in_numbers() -> None:
    rig = Rig()
    line = rig.line()
    for text in (SQL, SQL, SQL, "select 1"):
        line.says(query(text))
    line.origin.is_held = True
    line.says(query("select v from u"))
    rig.now += 2.0
    line.origin.release()
    line.says(query("insert into t values ('x')"))
    rig.now += 30.0
    found = _samples(Exposition(rig.engine))
    assert found["pgcache_hits_total"] == 2
    assert found["pgcache_misses_total"] == 2
    assert found["pgcache_bypass_total{reason=no-table}"] == 1
    assert found["pgcache_bypass_total{reason=not-a-select}"] == 1
    assert found["pgcache_stores_total"] == 2
    assert found["pgcache_store_entries"] == 2
    assert found["pgcache_invalidations_total{source=write}"] == 1
    table = f"pgcache_table_invalidations_total{{database={DATABASE},source=write,table=public.t}}"
    assert found[table] == 1
    assert found["pgcache_fill_duration_seconds_count"] == 2
    assert found["pgcache_fill_duration_seconds_sum"] == 2.0
    assert found["pgcache_fill_duration_seconds_bucket{le=1.0}"] == 1
    assert found["pgcache_fill_duration_seconds_bucket{le=+Inf}"] == 2
    assert found["pgcache_forward_duration_seconds_count"] == 2
    assert found[f"pgcache_generation_age_seconds{{database={DATABASE}}}"] == 30.0
    assert found[f"pgcache_locks{{database={DATABASE}}}"] == 0
    assert found[f"pgcache_catalog_ready{{database={DATABASE}}}"] == 1
    assert found["pgcache_paused"] == 0


async def test_every_reason_and_source_is_there_from_the_start() -> None:
    """Rates of a series that is not there yet lose its first increase."""
    found = _samples(Exposition(Rig().engine))
    for reason in Reason:
        assert found[f"pgcache_bypass_total{{reason={reason.value}}}"] == 0
    for source in Source:
        assert found[f"pgcache_invalidations_total{{source={source.value}}}"] == 0


async def test_locks_and_flights_are_those_of_now() -> None:
    rig = Rig()
    exposition = Exposition(rig.engine)
    lock = rig.database.generations.lock(frozenset(TABLES.values()))
    assert _samples(exposition)[f"pgcache_locks{{database={DATABASE}}}"] == len(TABLES)
    rig.database.generations.unlock(lock, moved=False)
    everything = rig.database.generations.lock(None)
    assert _samples(exposition)[f"pgcache_locks{{database={DATABASE}}}"] == 1
    rig.database.generations.unlock(everything, moved=False)
    line = rig.line()
    line.origin.is_held = True
    line.says(query(SQL))
    assert _samples(exposition)[f"pgcache_flights_open{{database={DATABASE}}}"] == 1
    line.origin.release()
    assert _samples(exposition)[f"pgcache_flights_open{{database={DATABASE}}}"] == 0


async def test_sources_and_groups_of_others() -> None:
    rig = Rig()
    exposition = Exposition(rig.engine)
    exposition.add_group("other_", lambda: StoreStats(entries=3))
    rig.engine.sources.append(SourceState("listen", DATABASE, is_up=True, changes=5))
    rig.engine.sources.append(SourceState("slot", DATABASE, lag=1.5))
    found = _samples(exposition)
    assert found["pgcache_other_entries"] == 3
    assert found[f"pgcache_source_up{{database={DATABASE},source=listen}}"] == 1
    assert found[f"pgcache_source_changes_total{{database={DATABASE},source=listen}}"] == 5
    assert found[f"pgcache_source_lag_seconds{{database={DATABASE},source=slot}}"] == 1.5
    assert f"pgcache_source_lag_seconds{{database={DATABASE},source=listen}}" not in found


async def test_over_http() -> None:
    site = Site(AdminConfig())
    Exposition(Rig().engine).add_to(site)
    answer = await site.respond(Request("GET", "/metrics", headers={"host": "prometheus.svc"}))
    assert answer.status == 200
    assert answer.content_type.startswith("text/plain")
    assert b"# TYPE pgcache_hits_total counter" in answer.body
    assert b"process_resident_memory_bytes" in answer.body

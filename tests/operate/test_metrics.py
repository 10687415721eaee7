"""Every figure that an operator is promised is on `/metrics` of the real command, and moves."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterable

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.operate.conftest import Site
from tests.support.raw import eventually
from tests.support.redis import RedisServer

pytestmark = pytest.mark.postgres

READ = "SELECT n FROM t"


class Metrics:
    """Scrapes, and what has changed since the first."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"
        self._first = self.scrape()

    def scrape(self) -> dict[str, float]:
        """All samples, by name and the values of their labels, in the order of the labels."""
        with urllib.request.urlopen(self._url, timeout=30) as answer:
            text = answer.read().decode()
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = " ".join(
                    (sample.name, *(v for k, v in sorted(sample.labels.items()) if k != "le"))
                )
                found[key] = sample.value
        return found

    def moved(self) -> set[str]:
        """The names of the samples that are others than at first."""
        now = self.scrape()
        return {name for name, value in now.items() if value != self._first.get(name, 0.0)}

    def await_moves(self, names: Iterable[str]) -> None:
        """Return once all of these have moved; say which have not."""
        wanted = set(names)
        missing = wanted

        def have_moved() -> bool:
            nonlocal missing
            missing = wanted - self.moved()
            return not missing

        try:
            eventually(have_moved)
        except AssertionError:
            raise AssertionError(f"these have not moved: {sorted(missing)}") from None


def _converse(site: Site) -> None:
    """Something of everything that is counted."""
    with site.connect() as client, site.connect() as writer:
        for _ in range(3):
            client.execute(READ)  # a miss, hits
        client.execute("SELECT random() FROM t")  # a bypass
        client.execute("SELECT repeat('x', 3000), n FROM t")  # evicts
        client.execute("SELECT repeat('y', 3000), n FROM t")
        writer.execute("UPDATE t SET n = n")  # an invalidation of a table
        client.execute(READ)


def _follow(site: Site) -> None:
    """Two clients ask the same at the same time, until one of them has waited for the other."""
    texts = iter(range(1_000))

    def ask(text: str) -> None:
        with site.connect() as client:
            client.execute(text.encode())

    def shared() -> bool:
        text = f"SELECT count(*) FROM t, big a, big b WHERE a.n + b.n > {next(texts)}"
        threads = [threading.Thread(target=ask, args=(text,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return site.proxy.count("followers") > 0

    eventually(shared)


def test_each_promised_figure_is_there_and_moves(site: Site, admin_port: int) -> None:
    site.execute(
        "CREATE TABLE t (n int)",
        "INSERT INTO t VALUES (1)",
        "CREATE TABLE big (n int)",
        "INSERT INTO big SELECT generate_series(1, 700)",
    )
    site.start(
        "[cache]\ngrace = '10min'\n[tables.\"public.brief\"]\nttl = '1ms'\ngrace = '10min'\n"
        "[store]\nmax_bytes = '6kB'\nmax_entry_bytes = '5kB'\n"
        f"[admin]\naddress = '127.0.0.1:{admin_port}'\n"
    )
    metrics = Metrics(admin_port)
    _converse(site)
    _follow(site)
    site.execute("CREATE TABLE brief (n int)")
    with site.connect() as client:
        client.execute("CREATE TABLE seen_through_the_proxy ()")  # so the catalogs are read anew

        def is_stale() -> bool:
            client.execute("SELECT n FROM brief")
            return site.proxy.count("stale") > 0

        eventually(is_stale)
    database = site.database
    metrics.await_moves(
        (
            "pgcache_hits_total",
            "pgcache_misses_total",
            "pgcache_stale_total",
            "pgcache_bypass_total volatile-function",
            "pgcache_stores_total",
            "pgcache_store_evicted_total",
            "pgcache_invalidations_total write",
            f"pgcache_table_invalidations_total {database} write public.t",
            "pgcache_flights_total",
            "pgcache_followers_total",
            "pgcache_fill_duration_seconds_count",
            "pgcache_forward_duration_seconds_count",
            "pgcache_hit_bytes_total",
            "pgcache_stored_bytes_total",
            "pgcache_store_bytes",
            "pgcache_store_entries",
            "pgcache_origin_saved_seconds_total",
            f"pgcache_generation_age_seconds {database}",
            "pgcache_client_connections_total",
        )
    )


def test_figures_of_now_and_samples_of_hits(site: Site, admin_port: int) -> None:
    site.execute("CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
    site.start(f"[admin]\naddress = '127.0.0.1:{admin_port}'\n")
    metrics = Metrics(admin_port)
    with site.connect() as client, site.connect() as writer:
        client.execute(READ)

        def is_timed() -> bool:
            client.execute(READ)
            return "pgcache_hit_duration_seconds_count" in metrics.moved()

        eventually(is_timed)
        assert metrics.scrape()["pgcache_clients"] >= 2
        lock = f"pgcache_locks {site.database}"
        with psycopg.connect(site.server.url("app", site.database)) as other:
            other.execute("UPDATE t SET n = 2")  # past the proxy, and not committed
            writing = threading.Thread(target=writer.execute, args=("UPDATE t SET n = 3",))
            writing.start()
            eventually(lambda: metrics.scrape()[lock] == 1)
            other.rollback()
            writing.join()
        assert metrics.scrape()[lock] == 0


def test_a_shared_stores_figures(site: Site, admin_port: int, redis_server: RedisServer) -> None:
    site.execute("CREATE TABLE t (n text)", "INSERT INTO t SELECT repeat('x', 50000)")
    site.start(
        f"[store]\nurl = '{redis_server.url()}'\n[admin]\naddress = '127.0.0.1:{admin_port}'\n"
    )
    metrics = Metrics(admin_port)
    site.is_hit(READ)
    eventually(lambda: site.is_hit(READ))
    metrics.await_moves(
        (
            "pgcache_shared_fetches_total",
            "pgcache_shared_fills_total",
            "pgcache_shared_fill_bytes_total",
        )
    )
    moved = metrics.moved()
    assert any(name.startswith("pgcache_shared_compress_input_bytes_total ") for name in moved)
    assert any(name.startswith("pgcache_shared_compress_output_bytes_total ") for name in moved)
    assert metrics.scrape()["pgcache_store_degraded"] == 0
    redis_server.stop()

    def is_degraded() -> bool:
        site.verdict(READ)
        return metrics.scrape()["pgcache_store_degraded"] == 1

    eventually(is_degraded)

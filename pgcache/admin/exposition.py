"""``/metrics`` for Prometheus: what the process has counted, in its text format.

Nothing is kept here: each scrape reads the counters, the store and the databases as they are. A
number that is declared in ``metrics/counters.py`` shows up by itself. Names follow Prometheus'
conventions: base units, ``_total`` for what only grows. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from pgcache import __version__
from pgcache.admin.merging import merge_metrics
from pgcache.admin.site import Access, Request, Response, Site
from pgcache.metrics.describe import About, described
from pgcache.proxy.engine import Database, Engine
from pgcache.proxy.siblings import METRICS, Siblings

PREFIX = "pgcache_"
_ALL = "*"


class Exposition:
    """The metrics of one engine. ``add_group`` adds a described dataclass of somebody else's.

    With ``siblings``, ``/metrics`` is of all workers together.
    """

    def __init__(self, engine: Engine, siblings: Siblings | None = None) -> None:
        self._siblings = siblings
        self._groups: list[tuple[str, Callable[[], Any]]] = [
            ("", lambda: engine.counters),
            ("store_", engine.store_stats),
            ("shared_", engine.shared_counts),
        ]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_Collected(engine, self._groups))

    def add_group(self, prefix: str, numbers: Callable[[], Any]) -> None:
        """Show a dataclass made with ``metrics.describe`` as well."""
        self._groups.append((prefix, numbers))

    def add_to(self, site: Site) -> None:
        """Serve ``/metrics``."""
        site.add("GET", "/metrics", self._respond, Access.OPEN)

    def render(self) -> bytes:
        """All of it."""
        return generate_latest(self._registry)

    def described(self) -> Iterator[tuple[Metric, tuple[str, ...]]]:
        """Every metric with the names of its labels, also where it has no sample yet."""
        for metric in self._registry.collect():
            yield metric, tuple(getattr(metric, "_labelnames", ()))

    async def answer(self, _payload: Any = None) -> str:
        """All of it, for another worker."""
        return self.render().decode()

    async def _respond(self, _request: Request) -> Response:
        """What this process counted, or all workers together."""
        if self._siblings is None:
            return Response(200, self.render(), CONTENT_TYPE_LATEST)
        parts = await self._siblings.ask(METRICS)
        told = {part.worker: part.payload for part in parts if part.error is None}
        return Response(200, merge_metrics(told, self._siblings.count), CONTENT_TYPE_LATEST)


class _Collected(Collector):
    """Reads everything anew for each scrape."""

    def __init__(self, engine: Engine, groups: list[tuple[str, Callable[[], Any]]]) -> None:
        self._engine = engine
        self._groups = groups

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are not checked against each other by collecting once."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        for prefix, numbers in self._groups:
            for name, about, value in described(numbers()):
                yield family(f"{PREFIX}{prefix}{name}", about, value)
        yield from self._process()
        databases = self._engine.databases()
        yield self._invalidations(databases)
        yield from self._databases(databases)
        yield from self._sources()

    def _process(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(f"{PREFIX}info", "1, with the version.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        paused = int(self._engine.paused)
        yield GaugeMetricFamily(f"{PREFIX}paused", "1 after PAUSE.", value=paused)

    def _invalidations(self, databases: list[Database]) -> Metric:
        found = CounterMetricFamily(
            f"{PREFIX}table_invalidations",
            "Invalidations of each table or tag ('*': all of a database), by source.",
            labels=["database", "table", "source"],
        )
        counts: dict[tuple[str, str, str], int] = {}
        for database in databases:
            for source, tag, count in database.moves.counts():
                key = (database.name, tag_name(database, tag), source.value)
                counts[key] = counts.get(key, 0) + count
        for labels, count in counts.items():
            found.add_metric(labels, count)
        return found

    def _databases(self, databases: list[Database]) -> Iterator[Metric]:
        now = self._engine.clock()
        locks, flights, ages, known = (
            GaugeMetricFamily(f"{PREFIX}{name}", help_text, labels=["database"])
            for name, help_text in (
                ("locks", "Tables that wait for the outcome of a write; all of them count as one."),
                ("flights_open", "Executions underway that others may join."),
                ("generation_age_seconds", "Since anything of the database was invalidated last."),
                ("catalog_ready", "1 while the database's catalogs are known."),
            )
        )
        for database in databases:
            labels = [database.name]
            locked = database.generations.locked_tags()
            locks.add_metric(labels, 1 if locked is None else len(locked))
            flights.add_metric(labels, len(database.flights))
            ages.add_metric(labels, now - database.moves.latest(database.opened_at))
            known.add_metric(labels, int(database.snapshot is not None))
        yield from (locks, flights, ages, known)

    def _sources(self) -> Iterator[Metric]:
        labels = ["source", "database"]
        up = GaugeMetricFamily(
            f"{PREFIX}source_up", "1 while a change source hears.", labels=labels
        )
        lag = GaugeMetricFamily(
            f"{PREFIX}source_lag_seconds",
            "How late a change source may be, where that is known.",
            labels=labels,
        )
        changes = CounterMetricFamily(
            f"{PREFIX}source_changes", "Changes that a change source has brought.", labels=labels
        )
        for source in self._engine.sources:
            values = [source.kind, source.database]
            up.add_metric(values, int(source.is_up))
            changes.add_metric(values, source.changes)
            if source.lag is not None:
                lag.add_metric(values, source.lag)
        yield from (up, lag, changes)


def tag_name(database: Database, tag: object) -> str:
    """How a tag is shown: schema.table, an operator's name, '*' for everything."""
    if tag is None:
        return _ALL
    if not isinstance(tag, int):
        return str(tag)
    snapshot = database.snapshot
    relation = None if snapshot is None else snapshot.relation(tag)
    return f"oid {tag}" if relation is None else relation.display


def family(name: str, about: About, value: Any) -> Metric:
    """One described number as Prometheus' client library has it."""
    if about.kind == "histogram":
        histogram = HistogramMetricFamily(name, about.help)
        if value is not None:
            buckets = [(_bound(bound), count) for bound, count in value.cumulative()]
            histogram.add_metric([], buckets=buckets, sum_value=value.sum)
        return histogram
    make = CounterMetricFamily if about.kind == "counter" else GaugeMetricFamily
    found: CounterMetricFamily | GaugeMetricFamily
    found = make(name, about.help, labels=[about.label] if about.label else [])
    if about.label:
        for part, count in (value or {}).items():
            found.add_metric([part.value], count)
    elif value is not None:
        found.add_metric([], value)
    return found


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(bound)

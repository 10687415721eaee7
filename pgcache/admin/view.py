"""What there is to see, as tables: the console, ``pgcache stats`` and the page show the same.

Each view is a name, its columns and a function that reads the engine as it is now. Values are
plain: text, numbers, booleans, None. Query texts come without their literals, since others than
the one who asked look at them. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pgcache import __version__
from pgcache.cache.entry import Entry
from pgcache.catalog.snapshot import Snapshot
from pgcache.catalog.standing import Phase
from pgcache.errors.reasons import EXPLANATIONS, Reason
from pgcache.errors.remedies import REMEDIES
from pgcache.metrics.describe import described
from pgcache.metrics.queries import Query
from pgcache.policy.key import digest, read_key
from pgcache.proxy.client import ClientConnection
from pgcache.proxy.engine import Database, Engine
from pgcache.sql.shape import redact
from pgcache.wire import codes

Value = str | int | float | bool | None
Row = tuple[Value, ...]

MAX_SHOWN = 1_000
_LONGEST_TEXT = 500

COLUMNS: dict[str, tuple[str, ...]] = {
    "STATS": ("name", "value"),
    "QUERIES": (
        *("fingerprint", "database", "calls", "hits", "misses", "passes", "saved_ms"),
        *("origin_ms", "longest_ms", "rows", "bytes", "last", "relations", "query"),
    ),
    "ENTRIES": (
        *("key", "database", "hits", "rows", "bytes", "cost_ms", "age_s", "ttl_s"),
        *("tables", "query"),
    ),
    "TABLES": (
        *("database", "table", "entries", "bytes", "ttl_s", "age_bound_s", "tags", "sources"),
        *("invalidations", "moved_s", "locked"),
    ),
    "CLIENTS": (
        *("client", "user", "database", "application", "state", "tls", "mode", "known"),
        *("prepared", "last"),
    ),
    "SOURCES": ("source", "database", "state", "changes", "lag_s", "detail"),
    "WARM": ("job", "state", "seconds", "database", "user", "detail", "query"),
    "REASONS": ("reason", "explanation", "remedy", "count"),
    "CONFIG": ("key", "value"),
    "VERSION": ("version",),
}


_PHASES = {
    Phase.UNKNOWN: "loading",
    Phase.LOADING: "loading",
    Phase.READY: "up",
    Phase.FAILING: "down",
    Phase.IDLE: "idle",
}


@dataclass(slots=True)
class _Held:
    """What is stored of one table."""

    entries: int = 0
    bytes: int = 0


@dataclass(slots=True)
class View:
    """The views of one engine. ``clients`` gives those connected now, ``warming`` what is
    asked before clients do."""

    engine: Engine
    clients: Callable[[], Iterable[ClientConnection]] = field(default=tuple)
    warming: Callable[[], Iterable[Row]] = field(default=tuple)

    def table(self, name: str) -> Iterator[Row]:
        """The rows of a view, by its name in ``COLUMNS``."""
        views: dict[str, Callable[[], Iterator[Row]]] = {
            "STATS": self.stats,
            "QUERIES": self.queries,
            "ENTRIES": self.entries,
            "TABLES": self.tables,
            "CLIENTS": self.connected,
            "SOURCES": self.sources,
            "WARM": lambda: iter(self.warming()),
            "REASONS": self.reasons,
            "CONFIG": self.config,
            "VERSION": self.version,
        }
        return views[name]()

    def stats(self) -> Iterator[Row]:
        """All counts, and the state of things."""
        yield from sorted(self.numbers().items())

    def numbers(self) -> dict[str, Value]:
        """The same by name."""
        self._settle()
        engine, store = self.engine, self.engine.store.stats()
        counters = engine.counters
        return {
            **counters.snapshot(),
            **self._shared(),
            "hit_ratio": round(counters.hit_ratio, 4),
            "shadow_hit_ratio": round(counters.shadow_hit_ratio, 4),
            "shadow_saved_seconds": round(counters.shadow_saved_seconds, 3),
            "bypass": counters.passed,
            "statements": counters.statements,
            "saved_seconds": round(counters.saved_seconds, 3),
            "entries": store.entries,
            "entry_bytes": store.bytes,
            "max_bytes": store.max_bytes,
            "evicted": store.evicted,
            "expired": store.expired,
            "paused": engine.paused,
            "locked": self._locked(),
            "hit_p99_seconds": counters.hit_seconds.quantile(0.99),
            "fill_p99_seconds": counters.fill_seconds.quantile(0.99),
            "forward_p99_seconds": counters.forward_seconds.quantile(0.99),
        }

    def _shared(self) -> dict[str, Value]:
        """How the shared store stands, and what was asked of it."""
        link = self.engine.link
        if link is None:
            return {}
        told: dict[str, Value] = {"store_state": link.health.value}
        for name, about, value in described(link.counts):
            if about.label:
                parts = {part.value: count for part, count in value.items() if count}
                told |= {f"shared_{name}:{part}": round(n, 6) for part, n in parts.items()}
            else:
                told[f"shared_{name}"] = value
        return told

    def _locked(self) -> Value:
        """How many relations wait for the outcome of a write; all, where it may be any."""
        locked = [database.generations.locked_tags() for database in self.engine.databases()]
        return "all" if None in locked else sum(len(tags or ()) for tags in locked)

    def queries(self) -> Iterator[Row]:
        """Kinds of queries, by the origin's time that hits have saved."""
        self._settle()
        for query in self.engine.queries.top(MAX_SHOWN, _worth):
            yield (
                *(query.fingerprint, query.database, query.calls, query.hits, query.misses),
                sum(query.passes.values()),
                round(query.saved_seconds * 1000),
                round(query.origin_seconds * 1000),
                round(query.longest * 1000, 1),
                *(query.rows, query.bytes, query.last, ", ".join(query.relations)),
                _short(query.text),
            )

    def entries(self) -> Iterator[Row]:
        """What is stored, dead entries that nobody has touched left out."""
        now = self.engine.clock()
        databases = {database.key: database for database in self.engine.databases()}
        for entry, database in islice(self._live(now, databases), MAX_SHOWN):
            snapshot = database.snapshot or database.known
            yield (
                digest(entry.key)[:8].hex(),
                database.name,
                *(entry.hits, entry.row_count, entry.size, round(entry.cost_ms, 1)),
                round(now - entry.stored_at),
                round(max(0.0, entry.expires_at - now)),
                ", ".join(_names(snapshot, entry.tags)),
                _short(redact(entry.note)),
            )

    def _live(
        self, now: float, databases: dict[bytes, Database]
    ) -> Iterator[tuple[Entry, Database]]:
        for entry in self.engine.entries():
            database = databases.get(read_key(entry.key)[0])
            if database is not None and not entry.is_dead(database.generations, now):
                yield entry, database

    def tables(self) -> Iterator[Row]:
        """Tables that are in use or configured: what is kept of them, how old it may get."""
        now = self.engine.clock()
        held: dict[tuple[str, object], _Held] = {}
        databases = {database.key: database for database in self.engine.databases()}
        for entry, database in self._live(now, databases):
            for tag in entry.tags:
                found = held.setdefault((database.name, tag), _Held())
                found.entries += 1
                found.bytes += entry.size
        for database in sorted(databases.values(), key=lambda each: each.name):
            snapshot = database.snapshot or database.known
            if snapshot is not None:
                rows = self._tables_of(database, snapshot, held, now)
                yield from sorted(rows, key=lambda row: str(row[1]))

    def _tables_of(
        self,
        database: Database,
        snapshot: Snapshot,
        held: dict[tuple[str, object], _Held],
        now: float,
    ) -> Iterator[Row]:
        config, moves = self.engine.config, database.moves
        counts: dict[object, int] = {}
        for _, tag, count in moves.counts():
            counts[tag] = counts.get(tag, 0) + count
        locked = database.generations.locked_tags()
        sources = [s for s in self.engine.sources if s.database in ("", database.name)]
        lags = [source.lag for source in sources if source.is_up and source.lag is not None]
        heard = ", ".join(["writes", *sorted({s.kind for s in sources if s.is_up})])
        known = dict.fromkeys(tag for name, tag in held if name == database.name)
        for tag in known | dict.fromkeys(counts):
            relation = snapshot.relation(tag) if isinstance(tag, int) else None
            if relation is None:
                continue
            mine = held.get((database.name, tag), _Held())
            table = config.tables.get(relation.display)
            ttl = config.cache.ttl if table is None or table.ttl is None else table.ttl
            moved = moves.moved_at(tag)
            yield (
                *(database.name, relation.display, mine.entries, mine.bytes),
                ttl,
                min([ttl, *lags]),
                ", ".join(() if table is None else table.tags),
                heard,
                counts.get(tag, 0),
                None if moved is None else round(now - moved),
                locked is None or tag in locked,
            )

    def sources(self) -> Iterator[Row]:
        """What changes are heard from; writes through pgcache always are."""
        counters = self.engine.counters
        seen = sum(n for s, n in counters.invalidations.items() if "write" in s.value)
        yield ("write", "", "up", seen, 0, "writes through pgcache")
        for database in self.engine.databases():
            catalog = self.engine.catalog.state(database.name)
            detail = catalog.problem or "schema changes"
            yield ("catalog", database.name, _PHASES[catalog.phase], None, None, detail)
        for source in self.engine.sources:
            state = "up" if source.is_up else "down"
            yield (
                *(source.kind, source.database, state),
                *(source.changes, source.lag, source.detail),
            )

    def reasons(self) -> Iterator[Row]:
        """Why statements went to the origin, the most frequent first, and what to do about it."""
        counters = self.engine.counters
        totals = {r: counters.passes[r] + counters.unstored[r] for r in Reason}
        for reason, count in sorted(totals.items(), key=lambda item: -item[1]):
            if count:
                yield (reason.value, EXPLANATIONS[reason], REMEDIES.get(reason, ""), count)

    def config(self) -> Iterator[Row]:
        """Every option as it is in force; secrets are not shown."""
        yield from _flatten("", self.engine.config.model_dump(mode="json"))

    def version(self) -> Iterator[Row]:
        """The version."""
        yield (f"pgcache {__version__}",)

    def connected(self) -> Iterator[Row]:
        """Who is connected."""
        now = self.engine.clock()
        for client in sorted(self.clients(), key=lambda each: each.address):
            yield describe_client(client, now)

    def _settle(self) -> None:
        for _ in self.engine.settle():
            pass


def describe_client(client: ClientConnection, now: float) -> Row:
    """One client as it is now."""
    tls = client.tls is not None
    session = client.session
    if session is None:
        phase = "logging in" if client.origin is None else "relayed or logging in"
        return (client.address, None, None, None, phase, tls, None, None, 0, None)
    state = session.state
    settings, database = state.settings, state.database
    if state.is_cut_off:
        status = "without origin"
    elif state.groups:
        status = "active"
    else:
        status = {codes.IDLE: "idle", codes.FAILED: "failed transaction"}.get(
            state.status, "in transaction"
        )
    return (
        client.address,
        None if settings is None else settings.session_user,
        None if database is None else database.name,
        state.parameters.get("application_name"),
        status,
        tls,
        state.mode,
        settings is not None and settings.known,
        len(state.statements),
        state.last.describe(now),
    )


def _worth(query: Query) -> float:
    """Those that save most first, then those that could."""
    return query.saved_seconds * 1000 + query.origin_seconds


def _names(snapshot: Snapshot | None, tags: Iterable[object]) -> Iterator[str]:
    for tag in tags:
        relation = snapshot.relation(tag) if snapshot is not None and isinstance(tag, int) else None
        yield str(tag) if relation is None else relation.display


def _flatten(prefix: str, value: object) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(f"{prefix}.{key}" if prefix else str(key), inner)
    elif isinstance(value, (list, tuple)):
        yield prefix, ", ".join(map(str, value))
    else:
        yield prefix, value if isinstance(value, (int, float)) or value is None else str(value)


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_TEXT]

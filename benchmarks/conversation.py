"""A session without sockets: what one turn costs pgcache itself, nothing around it.

The session is the real one, in a running event loop that nothing waits for; its peers take bytes
and drop them, the catalogs are a few tables made up here, the origin's replies are canned. Used
by ``micro``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import cast

from pgcache.cache.memory import MemoryStore
from pgcache.catalog.model import Server
from pgcache.catalog.rows import RelationRow, Rows
from pgcache.catalog.service import CatalogService
from pgcache.catalog.snapshot import Snapshot, build_snapshot
from pgcache.catalog.standing import Phase
from pgcache.config import Config
from pgcache.metrics.counters import Counters
from pgcache.policy.context import SessionSettings
from pgcache.policy.probe import Probe
from pgcache.policy.ttl import build_lifetimes
from pgcache.proxy.engine import Engine
from pgcache.proxy.flow import Hold
from pgcache.proxy.session import Session
from pgcache.wire.messages import (
    build,
    build_data_row,
    build_execute,
    build_query,
    build_row_description,
)

DATABASE = "bench"
SQL = "SELECT id, name, amount FROM accounts WHERE id = "
TABLES = ("accounts", "customers", "products", "orders", "order_items")

_REPORTED = (b"client_encoding\0UTF8\0", b"standard_conforming_strings\0on\0")
SYNC = build(ord("S"), b"")
READY = build(ord("Z"), b"I")
PARSED, BOUND = build(ord("1"), b""), build(ord("2"), b"")
DESCRIPTION = build_row_description(("id", "name", "amount"))
ROW = build_data_row(("57", "Account 57", "85.50"))
DONE = build(ord("C"), b"SELECT 1\0")
BEGUN = build(ord("C"), b"BEGIN\0") + build(ord("Z"), b"T")
COMMITTED = build(ord("C"), b"COMMIT\0") + READY
SIMPLE_REPLY = DESCRIPTION + ROW + DONE + READY
EXTENDED_REPLY = BOUND + SIMPLE_REPLY


def simple_turn(number: int = 57) -> bytes:
    """What a driver sends for a Query."""
    return build_query(f"{SQL}{number}")


def bind_turn(number: int = 57) -> bytes:
    """What libpq sends to execute a prepared statement with one parameter."""
    value = str(number).encode()
    body = b"\0P0\0\0\0\0\1" + len(value).to_bytes(4, "big") + value + b"\0\1\0\0"
    return build(ord("B"), body) + build(ord("D"), b"P\0") + build_execute(b"", 0) + SYNC


@dataclass(slots=True)
class _Catalog:
    """Stands in for the catalog service: everything is known already."""

    known: Snapshot

    def snapshot(self, _name: str) -> Snapshot:
        return self.known

    def state(self, _name: str) -> _Catalog:
        return self

    @property
    def phase(self) -> Phase:
        return Phase.READY


class _Nobody:
    """A peer that drops what it is sent."""

    def send(self, data: bytes | memoryview) -> None:
        """Take it."""

    def send_all(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Take them."""

    def close(self) -> None:
        """Nothing to close."""

    def hold(self, why: Hold, held: bool) -> None:
        """Nothing is read from here."""


def build_engine() -> Engine:
    """An engine that knows the tables above."""
    relations = tuple(
        RelationRow(20000 + index, "public", name, "r", "p", False)
        for index, name in enumerate(TABLES)
    )
    rows = Rows(server=Server(DATABASE, 1, 180000), relations=relations)
    config = Config.model_validate({"upstream": {"url": f"postgresql://u@127.0.0.1/{DATABASE}"}})
    return Engine(
        config,
        catalog=cast(CatalogService, _Catalog(build_snapshot(rows))),
        store=MemoryStore(2**28, 2**24),
        lifetimes=build_lifetimes(config),
        counters=Counters(),
        clock=monotonic,
    )


def open_session(engine: Engine | None, **options: str) -> Session:
    """A session that has logged in and is known; ``options``: mode, ttl.

    Without an engine it is one of a pgcache that caches nothing (``cache.enabled = false``).
    """
    session = Session(engine or build_engine(), _Nobody(), _Nobody())
    session.logged_in()
    if engine is not None:
        settings = SessionSettings()
        shown = {"default_transaction_isolation": "read committed", "search_path": "public"}
        asked = {f"pgcache.{name}": value for name, value in options.items()}
        settings.learn(Probe("u", settings=shown, custom=asked))
        session.state.database = engine.database(DATABASE)
        session.state.settings = settings
    session.from_origin(b"".join(build(ord("S"), status) for status in _REPORTED) + READY)
    return session


def prepare(session: Session) -> None:
    """Prepare the statement that ``bind_turn`` executes."""
    session.from_client(build(ord("P"), b"P0\0" + SQL.encode() + b"$1\0\0\0") + SYNC)
    session.from_origin(PARSED + READY)


def forward(session: Session, turn: bytes, reply: bytes) -> None:
    """One turn and its reply."""
    session.from_client(turn)
    session.from_origin(reply)

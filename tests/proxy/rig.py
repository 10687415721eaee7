"""Sessions under test: real engine, real ledgers, fake peers, and the backend of ``backend``.

A conversation reads like one::

    line.says(query("select v from t"))
    line.hears("T(v) D(one) D(two) C(SELECT_2) Z(I)")
    assert line.asked() == "Q"

``Line`` is one client with its session and its backend. The backend answers at once, unless
``line.origin.is_held``; then ``line.origin.answer()`` lets it.
"""

from __future__ import annotations

import asyncio
import functools
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from pgcache.cache.memory import MemoryStore
from pgcache.cache.store import Store
from pgcache.catalog.model import Server
from pgcache.catalog.rows import FunctionRow, RelationRow, Rows
from pgcache.catalog.service import CatalogService
from pgcache.catalog.snapshot import Snapshot, build_snapshot
from pgcache.catalog.standing import CatalogState, Phase
from pgcache.config import Config
from pgcache.invalidation.writes import WriteLedger
from pgcache.metrics.counters import Counters
from pgcache.policy.context import SessionSettings
from pgcache.policy.ttl import build_lifetimes
from pgcache.proxy.engine import Engine
from pgcache.proxy.flow import Hold
from pgcache.proxy.session import Session
from tests.proxy.backend import Backend, World
from tests.support import frames
from tests.support.frames import Frame, Splitter

DATABASE = "shop"
TABLES = {"public.t": 20000, "public.u": 20001, "other.t": 20002}
_FUNCTIONS = (
    ("set_config", "v", 3),
    ("current_setting", "s", 2),
    ("now", "s", 0),
    ("pg_advisory_lock", "v", 1),
)


@functools.cache
def snapshot_of(tables: frozenset[str]) -> Snapshot:
    """The catalogs of a database that holds these 'schema.table' names."""
    relations = []
    for number, name in enumerate(sorted(tables)):
        schema, _, table = name.partition(".")
        oid = TABLES.get(name, 21000 + number)
        columns = ("v", "tz", "tenant")
        relations.append(RelationRow(oid, schema, table, "r", "p", False, columns, (25,) * 3))
    functions = [
        FunctionRow(3000 + number, "pg_catalog", name, volatility, "f", nargs, 0, False)
        for number, (name, volatility, nargs) in enumerate(_FUNCTIONS)
    ]
    functions.append(FunctionRow(22000, "public", "write_something", "v", "f", 0, 0, False))
    snapshot = build_snapshot(
        Rows(
            server=Server(DATABASE, 7, 150000),
            relations=tuple(relations),
            functions=tuple(functions),
        )
    )
    snapshot.setting_names = frozenset({"app.tenant"})
    return snapshot


class FakeCatalog:
    """Stands for the catalog service: its snapshot is read from the world, at once or when told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.engine: Engine | None = None
        self.current: Snapshot | None = snapshot_of(frozenset(world.tables))
        self.phase = Phase.READY
        self.is_slow = False  # a refresh waits for ``reload``
        self.refreshed = 0
        self.is_backend_gone = True
        self.loaded = asyncio.Event()

    def snapshot(self, _database: str) -> Snapshot | None:
        return self.current

    def state(self, database: str) -> CatalogState:
        return CatalogState(database, self.phase)

    def refresh(self, _database: str) -> None:
        self.refreshed += 1
        self.current, self.phase = None, Phase.LOADING
        self.loaded.clear()
        if not self.is_slow:
            self.reload()

    def reload(self) -> None:
        """Read the catalogs again."""
        self.current, self.phase = snapshot_of(frozenset(self._world.tables)), Phase.READY
        self.loaded.set()

    async def wait(self, _database: str) -> Snapshot | None:
        await self.loaded.wait()
        return self.current

    async def backend_gone(self, _database: str, _pid: int) -> bool:
        return self.is_backend_gone

    def acquire(self, _database: str) -> None:
        """Nothing to hold."""

    def release(self, _database: str) -> None:
        """Nothing to let go."""

    def doubt_others(self, _database: str) -> None:
        """There is one database."""


class Peer:
    """One of a session's two connections: what it was sent, and why it is not read from."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.held: set[Hold] = set()
        self.is_closed = False

    def send(self, data: bytes | memoryview) -> None:
        self.data += data

    def send_all(self, pieces: Sequence[bytes | memoryview]) -> None:
        for piece in pieces:
            self.send(piece)

    def close(self) -> None:
        self.is_closed = True

    def hold(self, why: Hold, held: bool) -> None:
        (self.held.add if held else self.held.discard)(why)

    def take(self) -> bytes:
        data = bytes(self.data)
        self.data.clear()
        return data


class Origin(Peer):
    """The origin's end: the backend, which answers at once unless held."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend = backend
        self.session: Session | None = None
        self.is_held = False
        self.cut: Callable[[bytes], Iterable[bytes]] = lambda data: [data]
        self.heard = bytearray()

    def send(self, data: bytes | memoryview) -> None:
        self.data += data
        self.heard += data

    def answer(self) -> None:
        """Let the backend answer what it was sent, and what it is sent on that."""
        while self.data:
            self.say(self.backend.feed(self.take()))

    def release(self) -> None:
        """Answer without being told again."""
        self.is_held = False
        self.answer()

    def say(self, data: bytes) -> None:
        """Have the session hear this."""
        assert self.session is not None
        for piece in self.cut(data):
            self.session.from_origin(piece)


class Line:
    """One client, its session, its backend."""

    def __init__(self, rig: Rig, *, cached: bool = True, knows: bool = True) -> None:
        self.rig = rig
        self.client = Peer()
        self.origin = Origin(Backend(rig.world))
        self.session = self.origin.session = Session(rig.engine, self.client, self.origin)
        self._transcript: list[tuple[str, bytes]] = []
        state = self.state = self.session.state
        if cached:
            database = state.database = rig.engine.database(DATABASE)
            state.settings = SessionSettings()
            state.writes = WriteLedger(database.generations, database.schema_changed)
        self.origin.is_held = True
        self.session.logged_in()
        self.origin.say(self.origin.backend.login())
        if knows:
            self.origin.release()
            self.client.take()
            self.origin.heard.clear()

    def says(self, *messages: bytes) -> None:
        """The client sends these messages, at once."""
        self._transcript.append((">>", b"".join(messages)))
        self.session.from_client(b"".join(messages))
        self.settle()

    def settle(self) -> None:
        """Let the backend answer, unless it is held."""
        if not self.origin.is_held:
            self.origin.answer()

    def heard(self) -> bytes:
        """What the client was sent since it was last asked."""
        data = self.client.take()
        self._transcript.append(("<<", data))
        return data

    def hears(self, expected: str) -> None:
        """Check what the client was sent since it was last asked."""
        found = words(self.heard())
        assert found == expected.split(), f"{self.transcript()}\nexpected: {expected}"

    def transcript(self) -> str:
        """The conversation so far."""
        return "\n".join(
            f"{arrow} {word}"
            for arrow, data in self._transcript
            for word in (words(data) if arrow == "<<" else _asked(data))
        )

    def asked(self) -> str:
        """The types of the messages that the backend was sent since it was last asked."""
        found = "".join(word[0] for word in _asked(bytes(self.origin.heard)))
        self.origin.heard.clear()
        return found


class Rig:
    """An engine, its world, its clock, and lines to talk on."""

    def __init__(self, store: Store | None = None, **options: Any) -> None:
        self.world = World()
        self.now = 1000.0
        self.lines: list[Line] = []
        config = Config.model_validate(
            {"upstream": {"url": "postgresql://u@localhost/db"}} | options
        )
        self.catalog = FakeCatalog(self.world)
        self.counters = Counters()
        self.engine = Engine(
            config,
            catalog=cast(CatalogService, self.catalog),
            store=store or MemoryStore(config.store.max_bytes, config.store.max_entry_bytes),
            lifetimes=build_lifetimes(config),
            counters=self.counters,
            clock=lambda: self.now,
        )
        self.database = self.engine.database(DATABASE)

    def line(self, *, cached: bool = True, knows: bool = True) -> Line:
        """A client that has just logged in."""
        line = Line(self, cached=cached, knows=knows)
        self.lines.append(line)
        return line

    async def rest(self) -> None:
        """Let whatever was put off to later happen."""
        for _ in range(5):
            await asyncio.sleep(0)
            for line in self.lines:
                line.settle()


def words(data: bytes) -> list[str]:
    """Short words for the origin's messages; what is cut off at the end is one as well."""
    splitter = Splitter()
    found = [_word(frame) for frame in splitter.feed(data)]
    return found + ([f"rest({splitter.rest!r})"] if splitter.rest else [])


def _word(frame: Frame) -> str:
    kind, body = frame.kind, frame.body
    if kind == "T":
        columns = frames.columns(body)
        codes = "".join(str(column.format) for column in columns)
        marks = "" if not codes.strip("0") else f"/{codes}"
        return f"T({','.join(column.name for column in columns)}{marks})"
    if kind == "D":
        values = ("NULL" if value is None else value.decode() for value in frames.row_values(body))
        return f"D({','.join(values)})"
    if kind in "EN":
        fields = frames.fields(body)
        return f"{kind}({fields['C'] if kind == 'E' else fields['M'].replace(' ', '_')})"
    if kind in "CS":
        return f"{kind}({'='.join(frames.strings(body)).replace(' ', '_')})"
    if kind == "Z":
        return f"Z({body.decode()})"
    if kind == "t":
        return f"t({struct.unpack('!H', body[:2])[0]})"
    return kind


def _asked(data: bytes) -> list[str]:
    splitter = Splitter()
    found = [f"{frame.kind} {frame.body!r}" for frame in splitter.feed(data)]
    return found + ([f"~ {splitter.rest!r}"] if splitter.rest else [])


def whole_run(
    sql: str,
    parameters: Sequence[bytes | None] = (),
    *,
    name: str = "",
    portal: str = "",
    limit: int = 0,
    formats: Sequence[int] = (),
) -> bytes:
    """Parse, Bind, Describe, Execute and Sync, as most drivers send them."""
    return b"".join(
        [
            frames.parse(name, sql),
            frames.bind(portal, name, parameters, results=formats),
            frames.describe_request("P", portal),
            frames.execute(portal, limit),
            frames.SYNC,
        ]
    )

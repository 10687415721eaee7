"""What SQL a replication connection runs: relayed unread otherwise (W-10), but writes count (P3).

A connection with ``replication=database`` takes replication commands and SQL alike, in the simple
protocol only. So a Query that is neither a replication command nor a harmless read is taken for
a write of unknown extent, and so is every one after it, since one of them may commit it.

Counterpart: ``client`` feeds both directions. Must not know: sockets.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from pgcache.cache.generations import Lock
from pgcache.errors import ProtocolViolation
from pgcache.proxy.engine import Database, Engine
from pgcache.proxy.flow import Peer
from pgcache.proxy.valve import Valve
from pgcache.sql.model import Kind
from pgcache.wire import codes
from pgcache.wire.frames import HEADER, HEADER_SIZE, ClientFrames
from pgcache.wire.messages import parse_query

# PostgreSQL documentation, "Streaming Replication Protocol": tried before SQL.
_COMMAND = re.compile(
    rb"\s*(IDENTIFY_SYSTEM|SHOW|TIMELINE_HISTORY|CREATE_REPLICATION_SLOT|ALTER_REPLICATION_SLOT"
    rb"|DROP_REPLICATION_SLOT|READ_REPLICATION_SLOT|START_REPLICATION|BASE_BACKUP"
    rb"|UPLOAD_MANIFEST)\b",
    re.IGNORECASE,
)
Take = Callable[[bytes], None]
_READS = frozenset((Kind.SELECT, Kind.COPY_OUT, Kind.BEGIN, Kind.COMMIT, Kind.ROLLBACK, Kind.SET))


class ReplicationWatch:
    """Locks the database around what a replication connection may write."""

    def __init__(self, engine: Engine, database: Database) -> None:
        self.database = database
        self._engine = engine
        self._questions = ClientFrames()
        self._owed: deque[Lock | None] = deque()  # one for each ReadyForQuery to come
        self._writes = False  # something was not harmless: a later COMMIT is not either
        self._header = bytearray()  # of an origin's message, as far as it has come
        self._left = 0  # bytes of the origin's current message still to come

    def between(self, client: Peer, origin: Peer) -> tuple[Take, Take]:
        """What takes the client's bytes, and the origin's: a look at them, and then on they go,
        once others who share a store know of it (T-10)."""
        issued = self.database.generations.take_issued
        return (
            _relay(self.from_client, Valve(origin, client, issued)),
            _relay(self.from_origin, Valve(client, origin, issued)),
        )

    def from_client(self, data: bytes) -> None:
        """Bytes of the client, about to be forwarded."""
        try:
            for kind, raw, whole in self._questions.feed(data):
                if kind == codes.QUERY:
                    self._ask(raw if whole else None)
                elif kind in (codes.SYNC, codes.FUNCTION_CALL):
                    self._owed.append(None)
        except ProtocolViolation:
            return  # the origin hangs up

    def _ask(self, raw: bytes | None) -> None:
        self._writes = self._writes or raw is None or not self._is_harmless(raw)
        self._owed.append(self.database.generations.lock(None) if self._writes else None)

    def _is_harmless(self, raw: bytes) -> bool:
        text = parse_query(raw)
        if _COMMAND.match(text):
            return True
        return all(
            statement.kind in _READS and not self.database.effects(statement, None).writes
            for statement in self._engine.script(text, True, "UTF8").statements
        )

    def from_origin(self, data: bytes) -> None:
        """Bytes of the origin, about to be passed on."""
        pos, size = 0, len(data)
        while pos < size:
            if self._left:
                step = min(self._left, size - pos)
                self._left -= step
                pos += step
                continue
            take = HEADER_SIZE - len(self._header)
            self._header += data[pos : pos + take]
            pos += take
            if len(self._header) == HEADER_SIZE:
                kind, length = HEADER.unpack(self._header)
                self._header.clear()
                self._left = max(0, length - 4)
                if kind == codes.READY_FOR_QUERY and self._owed:
                    self._release(self._owed.popleft())

    def abandon(self) -> list[Lock]:
        """The connection is lost: the locks to be kept until its backend is gone (T-10)."""
        locks = [lock for lock in self._owed if lock is not None]
        self._owed.clear()
        return locks

    def release(self, locks: list[Lock]) -> None:
        """Whatever was done under the locks is visible now."""
        for lock in locks:
            self._release(lock)

    def _release(self, lock: Lock | None) -> None:
        if lock is not None:
            self.database.generations.unlock(lock, moved=True)
            self.database.schema_changed()


def _relay(look: Take, valve: Valve) -> Take:
    def relay(data: bytes) -> None:
        look(data)
        valve.send(data)

    return relay

"""All that is known of one client's session, in one place.

``session`` changes it as the client asks, ``hearing`` as the origin answers, ``decide`` only reads
it. Attributes are grouped by how long they last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pgcache.cache.entry import Entry
from pgcache.catalog.snapshot import Snapshot
from pgcache.errors.reasons import Reason, Refusal
from pgcache.invalidation.sight import ORIGINS_OWN
from pgcache.invalidation.writes import WriteLedger
from pgcache.policy.context import SessionSettings
from pgcache.policy.matching import NO_RULES, Narrowed
from pgcache.policy.plan import View
from pgcache.proxy.engine import Database, Engine
from pgcache.proxy.prepared import Portal, Prepared
from pgcache.proxy.turns import Asked, Turn
from pgcache.proxy.verdicts import NO_VERDICT, Verdict
from pgcache.sql.encodings import decode, encode
from pgcache.sql.model import Kind, Script
from pgcache.wire import codes
from pgcache.wire.ledger import Ledger
from pgcache.wire.messages import parse_parameter_status

_REFUSALS = {reason: Refusal(reason) for reason in Reason}

# Statements of one group that are remembered for the log alone.
_MAX_TOLD = 100
# Groups that may be on their way to the origin: each is looked at for the next one's sake.
_MAX_GROUPS = 256


def is_query(script: Script) -> bool:
    """Whether this is one SELECT: such texts have statistics."""
    return len(script.statements) == 1 and script.statements[0].kind is Kind.SELECT


class State:
    """One session's facts. ``database`` is None until login, or where nothing is ever cached."""

    __slots__ = (
        "_view",
        "_view_key",
        "asked",
        "brought",
        "changes",
        "closed_portals",
        "closed_statements",
        "database",
        "dirty",
        "doubts",
        "engine",
        "fetched",
        "group",
        "groups",
        "has_read",
        "is_cut_off",
        "is_ended",
        "last",
        "ledger",
        "local",
        "on_key",
        "opaque",
        "parameters",
        "pinned",
        "portals",
        "redefined",
        "savepoints",
        "settings",
        "stale_portal",
        "startup",
        "statements",
        "status",
        "unflushed",
        "unnamed_at_origin",
        "verdict",
        "writes",
    )

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        # the process
        self.engine = engine
        # the connection
        self.ledger = ledger
        self.database: Database | None = None
        self.settings: SessionSettings | None = None
        self.startup: dict[str, str] = {}  # what the startup packet said
        self.doubts = 0  # the database's when the settings were last asked
        self.parameters: dict[str, str] = {}  # ParameterStatus, as the origin reports them
        self.on_key: Callable[[bytes], None] = lambda message: None  # BackendKeyData came
        self.is_cut_off = False  # its origin connection is lost: only what is cached is left
        self.is_ended = False  # the origin has said its last: nothing follows, of anybody
        self.opaque = False  # something unknown passed: nothing can be said of it any more
        self.writes: WriteLedger | None = None
        self.statements: dict[bytes, Prepared] = {}
        self.portals: dict[bytes, Portal] = {}
        # Close is on its way: they are there until the origin agrees.
        self.closed_statements: dict[bytes, Prepared] = {}
        self.closed_portals: dict[bytes, Portal] = {}
        self.unnamed_at_origin = False  # the origin has an unnamed statement
        self.last: Verdict = NO_VERDICT
        self._view: View | None = None
        self._view_key: object = None
        # the transaction
        self.status = codes.IDLE
        self.dirty = self.pinned = False  # may have written; holds locks its reads count on (T-20)
        self.redefined = self.has_read = False  # changed definitions; had rows from here alone
        self.savepoints: list[str] = []
        self.changes = 0  # forwarded so far: what may change what this session would read
        self.stale_portal = False  # the origin has an unnamed portal that the client has not
        # the turn
        self.asked: list[Asked] = []  # decided, about to be forwarded
        self.group: Turn | None = None  # forwarded, its Sync not yet
        self.groups: deque[Turn] = deque()  # forwarded, not yet ready again
        self.local = False  # something was answered here since the last ReadyForQuery
        self.unflushed = False  # the last run had no boundary: its answers may not come yet
        self.fetched: dict[bytes, Entry] = {}  # what a shared store brought for the waiting run
        self.brought: set[bytes] = set()  # those of it that memory did not have
        self.verdict: Verdict | None = None  # to be told before the next ReadyForQuery

    @property
    def encoding(self) -> str:
        """The client encoding in PostgreSQL's spelling, for names in texts."""
        return "UTF8" if self.settings is None else self.settings.client_encoding or "UTF8"

    def raw(self, name: str) -> bytes:
        """A name in a text as the bytes that the protocol's messages say it with."""
        return encode(name, decode(b"", self.encoding)[1])

    @property
    def standard_strings(self) -> bool:
        """Whether backslashes are ordinary in plain literals."""
        return self.settings is None or self.settings.standard_conforming_strings

    @property
    def in_block(self) -> bool:
        """Whether the origin is surely inside a transaction block, whatever is still underway."""
        return self.status != codes.IDLE and not self.groups

    @property
    def is_failed(self) -> bool:
        """Whether the origin refuses everything but the transaction's end, as far as is known."""
        group = self.group
        return self.status == codes.FAILED and not (group is not None and group.executed)

    @property
    def is_far_ahead(self) -> bool:
        """Whether so much is unanswered that the rest had better wait (W-43)."""
        return len(self.groups) >= _MAX_GROUPS

    @property
    def may_serve(self) -> bool:
        """Whether an answer of pgcache's own may come once the origin owes nothing (W-60).

        Not inside a group that has done more than read, nor while the origin skips messages, nor
        in a transaction that has failed (W-69).
        """
        group, ledger = self.group, self.ledger
        if ledger.skipping or ledger.copy_in or self.unflushed:
            return False
        if self.is_failed and (group is not None or not self.groups):
            return False
        return group is None or (group.reads_only and not group.opens and not group.errored)

    @property
    def view(self) -> View:
        """What names resolve under."""
        settings = self.settings
        assert settings is not None
        key = settings.fingerprint, settings.own_tables
        if self._view is None or key != self._view_key:
            self._view = View(settings.search_path, settings.current_user, settings.own_tables)
            self._view_key = key
        return self._view

    @property
    def rules(self) -> Narrowed:
        """The operator's rules that may fit this session's queries."""
        settings, database = self.settings, self.database
        if settings is None or database is None:
            return NO_RULES
        application = self.parameters.get("application_name", "")
        rules = self.engine.lifetimes.rules
        return rules.narrow(database.name, settings.session_user, application)

    @property
    def snapshot(self) -> Snapshot | None:
        """What the catalogs say: while the origin is lost, what they said last."""
        database = self.database
        if database is None:
            return None
        return database.snapshot or (database.known if self.is_cut_off else None)

    def effects_view(self) -> View | None:
        """What names will resolve under when what is forwarded now runs; None: not known.

        It is not while something underway may change that, or while the session is not known.
        """
        settings = self.settings
        if settings is None or not settings.known or any(t.shifts or t.schema for t in self.groups):
            return None
        return self.view

    def check(self) -> None:
        """Doubt settings that may have changed from outside: by a reload, or a renamed role."""
        database, settings = self.database, self.settings
        if database is None or settings is None or self.doubts == database.doubts:
            return
        since, self.doubts = self.doubts, database.doubts
        if any(
            database.is_renamed(r, since) for r in (settings.session_user, settings.current_user)
        ):
            settings.taint("its role has another name now", for_good=True)
        else:
            settings.taint("the configuration was reloaded")

    def note_asked(self, script: Script, reason: Reason | None) -> None:
        """Have the query's statistics, and the log, told when the origin has answered.

        ``reason``: of a pass. What is no query is only logged, and so only kept where that is
        wanted, and of a long pipeline the first.
        """
        asked = self.asked if self.group is None else self.group.asked
        if is_query(script) or (
            self.engine.config.log.slow_query is not None
            and script.statements
            and len(asked) < _MAX_TOLD
        ):
            asked.append((script, reason))

    def on_setting(self, message: bytes) -> None:
        """A ParameterStatus came."""
        name, value = parse_parameter_status(message)
        self.parameters[name] = value
        if self.settings is not None:
            self.settings.report(name, value)

    def judge(self, verdict: Verdict, *, remember: bool = True) -> None:
        """Note what became of a statement, for the notice and (``remember``) for SHOW."""
        self.verdict = verdict
        if remember:
            self.last = verdict

    @property
    def mode(self) -> str:
        """on, off or refresh: the session's wish, else the configuration's."""
        if self.settings is None:
            return "off"
        return self.settings.options.mode or self.engine.config.cache.mode

    def gate(self) -> Refusal | None:
        """Why nothing of this session may be looked up now, whatever the statement."""
        self.check()
        reason = self._gate()
        if reason is not None:
            return _REFUSALS[reason]
        if self.database is not None:
            # What the origin tells of, it told until it was lost; nobody else can tell of more.
            ignored = ORIGINS_OWN if self.is_cut_off else ""
            problem = self.engine.sight.problem(self.database.name, but=ignored)
            if problem is not None:
                return Refusal(Reason.SOURCE_LOST, problem)
        return None if self.settings is None else self.settings.refusal

    def _gate(self) -> Reason | None:
        engine, database, settings = self.engine, self.database, self.settings
        if database is None:
            return Reason.DISABLED
        if engine.paused:
            return Reason.PAUSED
        if settings is None or self.opaque:
            return Reason.TAINTED_SESSION
        if self.mode == "off":
            return Reason.DISABLED
        if self.status == codes.FAILED:
            return Reason.FAILED_TRANSACTION
        if self.dirty:
            return Reason.WRITING_TRANSACTION
        if self.pinned:
            return Reason.LOCKING_TRANSACTION
        if settings.in_hot_standby:
            return Reason.HOT_STANDBY
        if self.snapshot is None:
            return Reason.CATALOG_LOADING if database.is_loading else Reason.NO_CATALOG
        if database.space is not None and not database.space.is_open:
            return Reason.STORE_UNAVAILABLE
        if settings.known and not settings.reads_committed:
            return Reason.ISOLATION_LEVEL
        if settings.temporary:
            return Reason.TEMPORARY_TABLE
        return None

    def put_portal(self, name: bytes, portal: Portal | None) -> None:
        """Bind, or drop, a portal that the origin does not hear of."""
        before = self.portals.pop(name, None)
        if portal is not None:
            self.portals[name] = portal
        if not name and before is not None and before.entry is None:
            self.stale_portal = True

    def end_transaction(self) -> None:
        """The origin is outside a transaction block again: portals and savepoints are gone."""
        self.dirty = False
        self.pinned = False
        self.has_read = self.redefined = False
        self.stale_portal = False
        self.savepoints.clear()
        for name, portal in list(self.portals.items()):
            if portal.turn in self.groups:
                continue  # of a later group, which was sent ahead
            if portal.capture is not None:
                portal.capture.fail(Reason.PARTIAL_RESULT)
            del self.portals[name]

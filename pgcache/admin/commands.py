"""The console's commands: text in, a table out. Decides nothing about caching.

Counterpart: ``console`` speaks the protocol, ``view`` has the tables, ``small_talk`` answers what
drivers ask of any server. Must not know: the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pgcache.admin.explaining import explain
from pgcache.admin.view import COLUMNS, Value, View
from pgcache.admin.warmth import Warmth
from pgcache.config.reload import Reloaded
from pgcache.errors import PgcacheError
from pgcache.invalidation.bus import Applied
from pgcache.invalidation.events import Events
from pgcache.invalidation.orders import Order, OrderError
from pgcache.metrics.counters import Source

_STATEMENT = re.compile(
    r"\s*(?:(?:--[^\n]*(?:\n|\Z)|/\*.*?\*/)\s*)*(\w+)\b\s*(.*?)[\s;]*\Z", re.DOTALL
)
_QUOTED = re.compile(r"'((?:[^']|'')*)'\Z")

_ORDERS: dict[str, Callable[[str, Events], Order]] = {
    "TABLE": lambda name, _: Order(tables=(name,)),
    "TAG": lambda name, _: Order(tags=(name,)),
    "EVENT": lambda name, events: events.read(name).order,
    "QUERY": lambda name, _: Order(keys=(name,)),
    "MATCHING": lambda name, _: Order(patterns=(name,)),
    "ALL": lambda *_: Order(everything=True),
}
_WARM = re.compile(
    r"(?:top\s+(?P<count>\d{1,6})|configured)(?P<refresh>\s+refresh)?", re.IGNORECASE | re.ASCII
)
_HELP = ("command", "what it does")
_EXPLAIN = ("name", "value")
_RELOAD = ("option", "effect")


class CommandError(PgcacheError):
    """A command that cannot be carried out; the hint says what can."""

    sqlstate = "42601"


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's result: a table (``columns`` and ``rows``), or just a ``tag``.

    ``applied``: what came of an INVALIDATE, which may not have counted everything yet.
    """

    tag: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    applied: Applied | None = field(default=None, compare=False)

    async def whole(self) -> Answer:
        """The same with everything counted."""
        if self.applied is None or self.applied.is_whole:
            return self
        return Answer(f"INVALIDATE {await self.applied.whole_count()}")


@dataclass(frozen=True, slots=True)
class _Verb:
    """A command. ``columns`` are those of its answer, () where it gives no table."""

    run: Callable[[str], Answer]
    usage: str
    help: str
    columns: tuple[str, ...] = ()


class Commands:
    """The commands, on one engine. ``reload`` reads the configuration again."""

    def __init__(
        self, view: View, events: Events, reload: Callable[[], Reloaded], warmth: Warmth
    ) -> None:
        self._view = view
        self._engine = view.engine
        self._events = events
        self._reload = reload
        self._warmth = warmth
        self._verbs: dict[str, _Verb] = {
            "SHOW": _Verb(
                self._show, f"SHOW {'|'.join((*COLUMNS, 'HELP'))}", "what there is to see"
            ),
            "EXPLAIN": _Verb(
                self._explain,
                "EXPLAIN sql",
                "would it be cached, how long, why not; nothing is executed",
                _EXPLAIN,
            ),
            "INVALIDATE": _Verb(
                self._invalidate,
                "INVALIDATE TABLE x | TAG x | EVENT x | QUERY key | MATCHING 'pattern' | ALL",
                "forget what depends on it",
            ),
            "WARM": _Verb(
                self._warm,
                "WARM TOP n | CONFIGURED [REFRESH]",
                "ask what clients will ask, before they do; SHOW WARM tells how far it is",
            ),
            "PAUSE": _Verb(self._pause, "PAUSE", "serve and store nothing until RESUME"),
            "RESUME": _Verb(self._resume, "RESUME", "go on after PAUSE"),
            "RELOAD": _Verb(
                self._run_reload,
                "RELOAD",
                "read the configuration again; says what needs a restart",
                _RELOAD,
            ),
        }

    def run(self, text: str) -> Answer | None:
        """Carry out one command; None for an empty text. Raises CommandError."""
        if not text.strip(" \t\r\n;"):
            return None
        verb, rest = self._find(text)
        return verb.run(rest)

    def is_one(self, text: str) -> bool:
        """Whether ``text`` begins like a command, and SHOW with something that there is here."""
        match = _STATEMENT.match(text)
        if match is None or match[1].upper() not in self._verbs:
            return False
        return match[1].upper() != "SHOW" or match[2].upper() in (*COLUMNS, "HELP")

    def columns(self, text: str) -> tuple[str, ...]:
        """The columns that the answer to ``text`` will have; it is not run. Raises CommandError."""
        if not text.strip(" \t\r\n;"):
            return ()
        verb, rest = self._find(text)
        if verb is self._verbs["SHOW"]:
            return _HELP if rest.upper() == "HELP" else self._columns(rest)
        return verb.columns

    def _find(self, text: str) -> tuple[_Verb, str]:
        match = _STATEMENT.match(text)
        verb = self._verbs.get(match[1].upper()) if match else None
        if match is None or verb is None:
            raise CommandError("this console takes no SQL", hint="SHOW HELP lists its commands.")
        return verb, match[2]

    # -- SHOW

    def _show(self, what: str) -> Answer:
        name = what.upper()
        if name == "HELP":
            return _table("SHOW", _HELP, ((v.usage, v.help) for v in self._verbs.values()))
        return _table("SHOW", self._columns(what), self._view.table(name))

    def _columns(self, what: str) -> tuple[str, ...]:
        columns = COLUMNS.get(what.upper())
        if columns is None:
            known = ", ".join((*COLUMNS, "HELP"))
            raise CommandError(f'nothing is called "{what}" here', hint=f"SHOW takes {known}.")
        return columns

    def _explain(self, sql: str) -> Answer:
        if not sql:
            raise CommandError("EXPLAIN what?", hint="Give a query: EXPLAIN SELECT …")
        return _table("EXPLAIN", _EXPLAIN, explain(self._engine, sql))

    # -- INVALIDATE

    def _invalidate(self, what: str) -> Answer:
        word, _, rest = what.partition(" ")
        applied = self.invalidate(word, _unquote(rest.strip()))
        return Answer(f"INVALIDATE {applied.count}", applied=applied)

    def invalidate(self, kind: str, name: str) -> Applied:
        """Invalidate by a word of ``INVALIDATE`` and what it takes. Raises CommandError."""
        if kind.upper() not in _ORDERS or (not name) != (kind.upper() == "ALL"):
            raise CommandError("INVALIDATE what?", hint=self._verbs["INVALIDATE"].usage)
        try:
            order = _ORDERS[kind.upper()](name, self._events)
        except OrderError as error:
            raise CommandError(error.message, hint=error.hint) from None
        applied = self._events.bus.apply(order, Source.CONSOLE)
        if applied.unknown:
            raise CommandError(
                f'no database in use has a table "{name}"', hint="Write it as schema.table."
            )
        return applied

    # -- WARM

    def _warm(self, what: str) -> Answer:
        """Begin to ask; the answer names the job."""
        match = _WARM.fullmatch(what)
        if match is None:
            raise CommandError("WARM what?", hint=self._verbs["WARM"].usage)
        refresh = match["refresh"] is not None
        if match["count"] is not None:
            job = self._warmth.warm_top(int(match["count"]), refresh=refresh)
        else:
            job = self._warmth.warm_configured(refresh=refresh)
        return Answer(f"WARM {job.name}")

    # -- PAUSE, RELOAD

    def _pause(self, _nothing: str) -> Answer:
        self._engine.pause()
        return Answer("PAUSE")

    def _resume(self, _nothing: str) -> Answer:
        self._engine.resume()
        return Answer("RESUME")

    def _run_reload(self, _nothing: str) -> Answer:
        reloaded = self._reload()
        if reloaded.problem:
            raise CommandError(reloaded.problem, hint="Nothing has changed.")
        rows = [(name, "applied") for name in reloaded.applied]
        rows += [(name, "needs a restart") for name in reloaded.restart]
        return _table("RELOAD", _RELOAD, rows or [("", "nothing has changed")])


def _table(tag: str, columns: tuple[str, ...], rows: Iterable[Iterable[Value]]) -> Answer:
    return Answer(tag, columns, tuple(tuple(map(_shown, row)) for row in rows))


def _shown(value: Value) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else str(value)
    return None if value is None else str(value)


def _unquote(text: str) -> str:
    match = _QUOTED.match(text)
    return match[1].replace("''", "'") if match else text

"""Random conversations of several sessions, planned ahead so that they can be cut down."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.changes import Changes
from tests.fuzz.grammar import VIEWS
from tests.support import frames

Message = tuple[object, ...]
USERS = ("app", "app", "alice", "bob", "app")
_NAMES = ("", "a", "b")
_ALL: tuple[Message, ...] = (("E", "", 0),)


@dataclass(frozen=True, slots=True)
class Op:
    """What one session sends in one write; no ``messages``: it connects anew, with ``options``."""

    session: int
    messages: tuple[Message, ...]
    options: str = ""

    def encode(self, base: str) -> bytes:
        """Build the bytes, for the database of that name."""
        return b"".join(_encode(message, base) for message in self.messages)

    @property
    def ready(self) -> int:
        """How many times ReadyForQuery will come."""
        return sum(m[0] in ("Q", "S", "copy") for m in self.messages)

    @property
    def closes(self) -> int:
        """How many Close messages there are: a group without a Sync ends with one."""
        return sum(m[0] == "C" for m in self.messages)


def _encode(message: Message, base: str) -> bytes:
    kind, *rest = message
    if kind in ("Q", "copy"):
        data = frames.query(str(rest[0]).replace("current_base", base))
        if kind == "copy":
            data += frames.message("d", str(rest[1]).encode()) + frames.COPY_DONE
        return data
    if kind == "P":
        return frames.parse(*rest)  # type: ignore[arg-type]
    if kind == "B":
        return frames.bind(*rest)  # type: ignore[arg-type]
    if kind == "D":
        return frames.describe_request(*rest)  # type: ignore[arg-type]
    if kind == "E":
        return frames.execute(*rest)  # type: ignore[arg-type]
    if kind == "C":
        return frames.close_request(*rest)  # type: ignore[arg-type]
    return frames.SYNC if kind == "S" else frames.FLUSH


class Planner:
    """Plans a conversation of sessions that talk in turn.

    ``runs`` tells whether a query can be run at the start: mostly such are asked.
    """

    def __init__(self, seed: int, runs: Callable[[str], bool], *, pool: int = 25) -> None:
        self._chance = random.Random(seed)
        self._sql = Changes(self._chance)
        candidates = [self._sql.query() for _ in range(pool * 3)]
        self._reads = [sql for sql in candidates if runs(sql)][:pool] + candidates[:3]
        self._reads += [f"select * from {v} order by 1, 2" for v in ("t0", "t1", *VIEWS)]
        self._bound = [self._sql.parametrised() for _ in range(pool // 3)]
        self._names: dict[tuple[int, str], int] = {}  # how many parameters a statement takes
        self._ops: list[Op] = []
        self._session = 0

    def plan(self, count: int) -> list[Op]:
        """Plan at least so many writes to the wire."""
        acts = (
            (self._burst, 30),
            (self._extended, 8),
            (self._named, 10),
            (self._portal, 6),
            (self._pipeline, 6),
            (self._group, 3),
            (self._write, 6),
            (self._setting, 4),
            (self._define, 2),
            (self._transaction, 6),
            (self._script, 2),
            (self._cursor, 2),
            (self._paging, 4),
            (self._connect, 1),
        )
        functions, weights = [act for act, _ in acts], [weight for _, weight in acts]
        while len(self._ops) < count:
            if self._sql.odds(0.4):
                self._session = self._chance.randrange(len(USERS))
            self._chance.choices(functions, weights)[0]()
        return self._ops

    def _say(self, *messages: Message) -> None:
        self._ops.append(Op(self._session, messages))

    def _text(self) -> str:
        return self._sql.query() if self._sql.odds(0.1) else self._chance.choice(self._reads)

    # -- reads

    def _read(self) -> None:
        for _ in range(self._chance.choice((1, 1, 2))):
            self._say(("Q", self._text()))

    def _burst(self) -> None:
        """The same few questions, by everyone: this is where hits come from."""
        texts = [self._text() for _ in range(2)]
        for _ in range(self._chance.randint(4, 10)):
            if self._sql.odds(0.4):
                self._session = self._chance.randrange(len(USERS))
            how = self._chance.random()
            text = self._chance.choice(texts)
            if how < 0.5:
                self._say(("Q", text))
            elif how < 0.7:
                self._say(("P", "", text, []), self._bind("", "", 0), *self._run(""), ("S",))
            else:
                self._named()

    def _values(self, count: int) -> tuple[list[bytes | None], list[int]]:
        values: list[bytes | None] = []
        formats = []
        for _ in range(count):
            value, form = self._chance.choice(
                (
                    (b"1", 0),
                    (b"1", 0),
                    (b"1", 0),
                    (b"2", 0),
                    (b"2", 0),
                    (b"a", 0),
                    (b"2024-01-01", 0),
                    (b"today", 0),
                    (None, 0),
                    (b"\0\0\0\1", 1),
                    (b"", 0),
                )
            )
            values.append(value)
            formats.append(form)
        return values, formats if any(formats) else []

    def _bind(self, portal: str, name: str, count: int) -> Message:
        values, formats = self._values(count)
        results = self._chance.choice(([], [], [], [1], [1], [0], [1, 0], [0, 1, 0]))
        return ("B", portal, name, values, formats, results)

    def _parse(self, name: str) -> tuple[Message, int]:
        if self._sql.odds(0.4):
            text, count = self._chance.choice(self._bound)
            oids = self._chance.choice(([], [], [23], [25], [1184], [23, 23], [0]))
            return ("P", name, text, oids[:count]), count
        if self._sql.odds(0.15):
            return ("P", name, self._sql.write(), []), 0
        if self._sql.odds(0.05):
            return ("P", name, self._sql.one("begin", "commit", "rollback", ""), []), 0
        if self._sql.odds(0.05):
            return ("P", name, self._sql.setting(), []), 0
        return ("P", name, self._text(), []), 0

    def _run(self, portal: str) -> list[Message]:
        limit = self._chance.choice((0, 0, 0, 1, 2, 50))
        described = [("D", "P", portal)] if self._sql.odds(0.6) else []
        return [*described, ("E", portal, limit)]

    def _extended_messages(self, *, write: bool = False) -> list[Message]:
        parse, count = self._parse("")
        if write:
            parse, count = ("P", "", self._sql.write(), []), 0
        described: list[Message] = [("D", "S", "")] if self._sql.odds(0.2) else []
        return [parse, *described, self._bind("", "", count), *self._run("")]

    def _extended(self) -> None:
        self._say(*self._extended_messages(), ("S",))

    def _named_messages(self) -> list[Message]:
        name = self._sql.one(*_NAMES)
        key = self._session, name
        if key in self._names and self._sql.odds(0.6):
            return [self._bind("", name, self._names[key]), *self._run("")]
        parse, self._names[key] = self._parse(name)
        closed: list[Message] = [("C", "S", name)] if self._sql.odds(0.8) else []
        return [*closed, parse, self._bind("", name, self._names[key]), *self._run("")]

    def _named(self) -> None:
        for _ in range(self._chance.choice((1, 2, 3))):
            self._say(*self._named_messages(), ("S",))

    def _portal_messages(self) -> list[Message]:
        name, portal = self._sql.one(*_NAMES), self._sql.one("", "p", "q")
        messages: list[Message] = []
        if (self._session, name) not in self._names or self._sql.odds(0.3):
            parse, self._names[self._session, name] = self._parse(name)
            messages += [("C", "S", name), parse]
        messages.append(self._bind(portal, name, self._names[self._session, name]))
        for _ in range(self._chance.choice((1, 2, 3))):
            messages += self._run(portal if self._sql.odds(0.95) else "q")
        if self._sql.odds(0.3):
            messages.append(("C", "P", portal))
        return messages

    def _portal(self) -> None:
        self._say(*self._portal_messages(), ("S",))

    # -- several at once

    def _unit(self) -> list[Message]:
        units: tuple[Callable[[], list[Message]], ...] = (
            lambda: [("Q", self._text())],
            lambda: [*self._extended_messages(), ("S",)],
            lambda: [*self._named_messages(), ("S",)],
            lambda: [*self._portal_messages(), ("S",)],
            lambda: [("Q", self._sql.write())],
            lambda: [("Q", self._sql.setting())],
            lambda: [*self._extended_messages(), *self._extended_messages(), ("S",)],
            lambda: [*self._extended_messages(write=True), *self._named_messages(), ("S",)],
            lambda: [("Q", self._sql.one("begin", "commit", "rollback", "begin; select 1"))],
            lambda: [("Q", f"{self._sql.setting()}; {self._text()}")],
            lambda: [("Q", self._text())],
        )
        return self._chance.choice(units)()

    def _pipeline(self) -> None:
        messages: list[Message] = []
        for _ in range(self._chance.randint(2, 4)):
            messages += self._unit()
        self._say(*messages)
        self._end()

    def _group(self) -> None:
        """Messages without a Sync, answered up to a Flush; then more, then a Sync."""
        for _ in range(self._chance.randint(1, 3)):
            part = self._chance.choice(
                (self._extended_messages, self._named_messages, self._portal_messages)
            )()
            self._say(*part, ("C", "P", "fence"), ("H",))
        self._say(*(self._named_messages() if self._sql.odds(0.5) else ()), ("S",))

    def _script(self) -> None:
        parts = [
            self._chance.choice(
                (self._text, self._sql.write, self._sql.setting, lambda: "begin", lambda: "commit")
            )()
            for _ in range(self._chance.randint(2, 3))
        ]
        self._say(("Q", "; ".join(parts)))
        self._end()

    def _cursor(self) -> None:
        self._say(("Q", "begin"))
        hold = self._sql.one("", "", "with hold ")
        self._say(("Q", f"declare c0 cursor {hold}for {self._text()}"))
        for _ in range(self._chance.randint(1, 3)):
            self._say(("Q", self._sql.one("fetch 1 from c0", "fetch all c0", "move 1 in c0")))
            if self._sql.odds(0.3):
                self._step()
        self._end(always=True)
        self._say(("Q", self._sql.one("fetch 1 from c0", "close c0", "close all")))

    def _paging(self) -> None:
        """A portal that is likely to be played from an entry, page by page, among other things."""
        text = self._text()
        for _ in range(2):
            self._say(("P", "", text, []), ("B", "", "", [], [], []), ("D", "P", ""), *_ALL, ("S",))
        self._say(("Q", "begin"))
        opened: list[Message] = [("P", "", text, []), ("B", "p", "", [], [], []), ("D", "P", "p")]
        self._say(*opened, ("E", "p", 1), ("S",))
        for _ in range(self._chance.randint(2, 6)):
            self._say(*self._page())
        self._end(always=True)

    def _page(self) -> list[Message]:
        page: list[Message] = [("E", "p", self._chance.choice((0, 1, 1, 2)))]
        fetch = self._sql.one("fetch 1 from p", "fetch 2 in p", "move p", "fetch all p")
        # In binary, or among what is not in memory, it would find no portal.
        fetched = [("P", "", fetch, []), ("B", "", "", [], [], []), *_ALL]
        units: tuple[Callable[[], list[Message]], ...] = (
            lambda: [*page, ("S",)],
            lambda: [("Q", fetch)],
            lambda: [("Q", f"{fetch}; fetch p")],
            lambda: [*fetched, ("S",), ("P", "", "select 1", []), ("S",)],
            lambda: [*page, *self._extended_messages(write=True), *page, ("S",)],
            lambda: [*self._extended_messages(), *page, ("S",)],
            lambda: [*self._named_messages(), *page, ("C", "P", "p"), *page, ("S",)],
            lambda: [("Q", self._sql.one("savepoint s", "rollback to s", "release s"))],
            lambda: [("Q", self._sql.write())],
            lambda: [("Q", self._sql.definition())],
        )
        return self._chance.choice(units)()

    # -- changes

    def _write(self) -> None:
        if self._sql.odds(0.1):
            table = self._sql.table()
            self._say(
                ("copy", f"copy {table} from stdin", f"{self._chance.randint(6, 90)}\t1\tcp\n")
            )
        elif self._sql.odds(0.3):
            self._say(*self._extended_messages(write=True), ("S",))
        else:
            self._say(("Q", self._sql.write()))

    def _setting(self) -> None:
        self._say(("Q", self._sql.setting()))
        self._read()

    def _define(self) -> None:
        if self._sql.odds(0.8):
            self._session = 0  # who may
        self._say(("Q", self._sql.definition()))

    def _step(self) -> None:
        self._chance.choices(
            (
                self._read,
                self._extended,
                self._named,
                self._write,
                self._setting,
                lambda: self._say(("Q", self._savepoint())),
                lambda: self._say(("Q", self._sql.definition())),
                lambda: self._say(("Q", "select 1/0")),
                self._portal,
            ),
            (20, 6, 10, 8, 8, 12, 2, 2, 4),
        )[0]()

    def _savepoint(self) -> str:
        name = self._sql.one("x", "y")
        return self._sql.one(
            f"savepoint {name}",
            f"savepoint {name}",
            f"rollback to {name}",
            f"rollback to savepoint {name}",
            f"release {name}",
        )

    def _transaction(self) -> None:
        begin = self._sql.one(
            *("begin", "begin", "begin", "start transaction", "begin read only"),
            *("begin isolation level repeatable read", "begin isolation level read uncommitted"),
        )
        if self._sql.odds(0.2):
            self._say(("Q", begin), *self._unit())
        else:
            self._say(("Q", begin))
        for _ in range(self._chance.randint(1, 6)):
            self._step()
        if self._sql.odds(0.08):
            self._say(("Q", "prepare transaction 'current_base'"))
            self._read()
            ended = self._sql.one("commit", "commit", "rollback")
            self._say(("Q", f"{ended} prepared 'current_base'"))
            self._read()
        self._end(always=True)

    def _end(self, *, always: bool = False) -> None:
        """End whatever transaction is open, so that nobody waits for its locks."""
        if always or self._sql.odds(0.9):
            chain = self._sql.one(" and chain", " and chain") if self._sql.odds(0.06) else ""
            self._say(("Q", self._sql.one("commit", "rollback", "commit", "end") + chain))
            if chain:
                self._read()
        self._say(("Q", "commit"))

    def _connect(self) -> None:
        options = self._sql.one(
            "",
            "",
            "-c search_path=s1,public",
            "-c timezone=Asia/Tokyo",
            "-c app.tenant=1",
            "-c role=alice",
            "-c default_transaction_isolation=serializable",
        )
        self._ops.append(Op(self._session, (), options or "-c work_mem=5MB"))
        for name in _NAMES:
            self._names.pop((self._session, name), None)

"""What clients asked, exactly: enough of it to ask the same question again and find its entry.

A question is recorded when its result is stored: the bytes of its Query, or of its Parse and Bind,
what the client's startup packet said, and what the session had set. Bounded: the least valuable
leave. Counterpart: ``admin/warmer`` asks them again. Must not know: sockets, passwords.
"""

from __future__ import annotations

import heapq
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pgcache.cache.entry import Credited
from pgcache.policy.layers import DEFAULT, State
from pgcache.policy.values import TRANSACTION_ONLY

__all__ = ["Asked", "Question", "Recorded", "Recorder"]

# What pgcache's own clients call themselves: their questions are others' already.
WARMING: Final = "pgcache warm-up"
_FORMAT: Final = 1
_MAX_BYTES: Final = 64 * 1024  # a longer question is not recorded
_LEAVERS: Final = 10  # when there are too many, this part of them leaves

Settings = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The bytes of a question: a Query message, or a Parse and a Bind and the Execute's limit.

    ``statement``: the text in the Parse.
    """

    query: bytes = b""
    parse: bytes = b""
    bind: bytes = b""
    limit: int = 0
    statement: bytes = b""

    @property
    def text(self) -> bytes:
        """The query's text, for display."""
        return self.query[5:-1] if self.query else self.statement

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.query) + len(self.parse) + len(self.bind)


@dataclass(frozen=True, slots=True)
class Question:
    """One question and who asked it.

    ``startup``: the startup packet's parameters without user and database, in latin-1, one
    character for each byte. ``settings``: what the session had set, None for a default it had gone
    back to. ``key``: of the entry; b'' where that is not known. ``text``: for display.
    """

    database: str
    user: str
    asked: Asked
    startup: tuple[tuple[str, str], ...] = ()
    settings: Settings = ()
    key: bytes = b""
    text: str = ""


class Recorded:
    """A question with what it cost and saved, in seconds of the origin's time.

    Entries credit it with their hits, and it passes that on to the statistics of its kind.
    """

    __slots__ = ("cost", "kind", "question", "saved")

    def __init__(self, question: Question, *, cost: float = 0.0, saved: float = 0.0) -> None:
        self.question = question
        self.cost = cost
        self.saved = saved
        self.kind: Credited | None = None

    def credit(self, hits: int, seconds: float, rows: int, size: int) -> None:
        """An entry answered ``hits`` times, which saved ``seconds`` each."""
        self.saved += hits * seconds
        if self.kind is not None:
            self.kind.credit(hits, seconds, rows, size)

    @property
    def worth(self) -> float:
        """What it would be a pity to lose."""
        return self.saved + self.cost


class Recorder:
    """The recorded questions, by the key of their entry; at most ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._recorded: dict[bytes, Recorded] = {}
        self.is_changed = False  # since it was last saved

    def __len__(self) -> int:
        return len(self._recorded)

    def note(self, question: Question, seconds: float, kind: Credited | None) -> Credited | None:
        """The question's result was stored, after ``seconds``: whom its hits are credited to."""
        known = self._recorded.get(question.key)
        if known is None:
            if not 0 < question.asked.size <= _MAX_BYTES or not self._most:
                return kind
            if len(self._recorded) >= self._most:
                self._make_room()
            known = self._recorded[question.key] = Recorded(question)
        known.cost, known.kind = seconds, kind
        self.is_changed = True
        return known

    def top(self, count: int) -> list[Recorded]:
        """Those that saved most of the origin's time; then those that cost most."""
        return heapq.nlargest(count, self._recorded.values(), key=lambda r: (r.saved, r.cost))

    def _make_room(self) -> None:
        leavers = max(1, len(self._recorded) // _LEAVERS)
        for key, _ in heapq.nsmallest(leavers, self._recorded.items(), key=lambda i: i[1].worth):
            del self._recorded[key]

    # -- the file

    def dump(self) -> str:
        """All of it as JSON, the most valuable first."""
        self.is_changed = False
        found = [_as_object(recorded) for recorded in self.top(len(self._recorded))]
        return json.dumps({"format": _FORMAT, "questions": found}, indent=1)

    def load(self, text: str) -> int:
        """Take what ``dump`` wrote; how many. Raises ValueError where it is something else."""
        try:
            given = json.loads(text)
            if given["format"] != _FORMAT:
                raise ValueError(f"format {given['format']} is not of this version")
            found = [_from_object(one) for one in given["questions"][: self._most]]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a file of recorded questions: {error!r}") from None
        self._recorded |= {recorded.question.key: recorded for recorded in found}
        return len(found)


def settings_in_force(state: State) -> Settings:
    """What a session has set at this moment, transaction modes aside."""
    merged = {**state.session, **state.local}
    return tuple(
        (name, None if value is DEFAULT else str(value))
        for name, value in merged.items()
        if name not in TRANSACTION_ONLY
    )


def startup_of(parameters: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What is worth repeating of a startup packet."""
    return tuple(
        (name, value)
        for name, value in parameters.items()
        if name not in ("user", "database", "replication") and not name.startswith("_pq_.")
    )


def _as_object(recorded: Recorded) -> dict[str, Any]:
    question = recorded.question
    asked = question.asked
    return {
        "database": question.database,
        "user": question.user,
        "text": question.text,
        "cost_seconds": round(recorded.cost, 6),
        "saved_seconds": round(recorded.saved, 6),
        "startup": dict(question.startup),
        "settings": [list(pair) for pair in question.settings],
        "key": _encode(question.key),
        "query": _encode(asked.query),
        "parse": _encode(asked.parse),
        "bind": _encode(asked.bind),
        "limit": asked.limit,
    }


def _from_object(given: Mapping[str, Any]) -> Recorded:
    query, parse, bind = (_decode(given[name]) for name in ("query", "parse", "bind"))
    asked = Asked(query, parse, bind, int(given["limit"]))
    question = Question(
        str(given["database"]),
        str(given["user"]),
        asked,
        tuple(_texts(given["startup"].items())),
        tuple((str(name), None if text is None else str(text)) for name, text in given["settings"]),
        _decode(given["key"]),
        str(given["text"]),
    )
    cost, saved = float(given["cost_seconds"]), float(given["saved_seconds"])
    return Recorded(question, cost=cost, saved=saved)


def _texts(pairs: Iterable[tuple[object, object]]) -> Iterable[tuple[str, str]]:
    return ((str(name), str(value)) for name, value in pairs)


def _encode(data: bytes) -> str:
    return b64encode(data).decode()


def _decode(text: str) -> bytes:
    return b64decode(text, validate=True)

"""What is known of texts, found once each and remembered within bounds.

Three memories, asked in turn: of the text as it is, of a text with the same key (it differs in
comments), of a query with the same outline (it differs in constants). What was used least lately
is forgotten first.

``find`` changes nothing and may run in another thread; the others are for the event loop's.
Must not know: sessions, the catalog.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from pgcache.sql.model import Hints, Script, Statement
from pgcache.sql.script import Finding, find_out

__all__ = ["Analyses", "Found", "Text"]

# Each memory may hold so many bytes of texts; what was found is small beside a long text.
_MAX_BYTES = 32 * 1024 * 1024

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Text(NamedTuple):
    """A text and what its meaning depends on."""

    raw: bytes
    standard_strings: bool
    encoding: str


class Found(NamedTuple):
    """What was found out about a text, still to be kept."""

    text: Text
    finding: Finding


class _Memory(Generic[_K, _V]):
    """What was used last, within a number and a number of bytes."""

    __slots__ = ("_bytes", "_items", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._items: OrderedDict[_K, tuple[_V, int]] = OrderedDict()
        self._bytes = 0
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: _K) -> _V | None:
        item = self._items.get(key)
        return None if item is None else item[0]

    def use(self, key: _K) -> _V | None:
        """The same, and it is not to be forgotten soon."""
        item = self._items.get(key)
        if item is None:
            return None
        self._items.move_to_end(key)
        return item[0]

    def put(self, key: _K, value: _V, size: int, max_items: int) -> None:
        """Remember; the newest stays, however large it is."""
        items = self._items
        older = items.pop(key, None)
        self._bytes += size - (0 if older is None else older[1])
        items[key] = (value, size)
        while len(items) > 1 and (len(items) > max_items or self._bytes > self._max_bytes):
            _, (_, gone) = items.popitem(last=False)
            self._bytes -= gone


class _Recall:
    """The memories as a text sees them that is read under these settings."""

    __slots__ = ("_analyses", "_settings")

    def __init__(self, analyses: Analyses, settings: tuple[bool, str]) -> None:
        self._analyses = analyses
        self._settings = settings

    def script(self, key_text: bytes, hints: Hints) -> Script | None:
        return self._analyses.meanings.get((key_text, hints, self._settings))

    def query(self, outline: str) -> Statement | None:
        return self._analyses.queries.get((outline, self._settings))


class Analyses:
    """The memories; each keeps at most ``max_items``."""

    __slots__ = ("max_items", "meanings", "queries", "scripts")

    def __init__(self, max_items: int, *, max_bytes: int = _MAX_BYTES) -> None:
        self.max_items = max_items
        self.scripts: _Memory[Text, Script] = _Memory(max_bytes)
        self.meanings: _Memory[tuple[bytes, Hints, tuple[bool, str]], Script] = _Memory(max_bytes)
        self.queries: _Memory[tuple[str, tuple[bool, str]], Statement] = _Memory(max_bytes)

    def script(self, text: Text) -> Script:
        """All about ``text``."""
        known = self.scripts.use(text)
        return self.keep(self.find(text)) if known is None else known

    def knows(self, text: Text) -> bool:
        """Whether ``script`` costs no more than a look."""
        return self.scripts.get(text) is not None

    def find(self, text: Text) -> Found:
        """Find out about a text, without remembering it."""
        raw, standard_strings, encoding = text
        recall = _Recall(self, (standard_strings, encoding))
        finding = find_out(
            raw, standard_conforming_strings=standard_strings, encoding=encoding, recall=recall
        )
        return Found(text, finding)

    def keep(self, found: Found) -> Script:
        """Remember it."""
        text, (script, outline) = found
        most, settings = self.max_items, (text.standard_strings, text.encoding)
        key_text = script.key_text
        self.scripts.put(text, script, len(text.raw) + len(key_text), most)
        meaning = (key_text, script.hints, settings)
        self.meanings.put(meaning, script, len(key_text), most)
        if outline:
            self.queries.put((outline, settings), script.statements[0], len(outline), most)
        return script

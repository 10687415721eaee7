"""What a query is for its statistics: its text without literals, and what it reads."""

from __future__ import annotations

from collections.abc import Hashable

from pgcache.metrics.queries import Shape
from pgcache.proxy.memo import Memo
from pgcache.sql.model import Script, Statement
from pgcache.sql.shape import fingerprint_of, redact

_MAX_KNOWN = 5_000
# Characters of a query that are shown.
_MAX_SHOWN = 16_384


class Shapes:
    """Describes scripts; those that share an analysis differ in literals alone (``outline``)."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        # The statement is kept, so that no other can come to have its id.
        self._known: Memo[int, tuple[Statement, Shape]] = Memo(_MAX_KNOWN)

    def __call__(self, script: Hashable) -> Shape:
        """What a query is for its statistics."""
        assert isinstance(script, Script)
        statement = script.statements[0]
        known = self._known.get(id(statement))
        if known is not None:
            return known[1]
        shape = _shape_of(script, statement)
        self._known.put(id(statement), (statement, shape), statement.end - statement.start)
        return shape


def size_of(script: Hashable) -> int:
    """How many bytes of text are kept with it."""
    assert isinstance(script, Script)
    return len(script.key_text)


def _shape_of(script: Script, statement: Statement) -> Shape:
    read = statement.read
    names = () if read is None else (ref.name for ref in read.relations)
    relations = (n.name if n.schema is None else f"{n.schema}.{n.name}" for n in names)
    text = redact(script.key_text.decode("utf-8", "surrogateescape"))
    cut = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + " …"
    shown = cut.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return Shape(fingerprint_of(text), shown, tuple(dict.fromkeys(relations)))

"""What a query is for its statistics: its text without literals, and what it reads."""

from __future__ import annotations

from collections.abc import Hashable

from pgcache.metrics.queries import Shape
from pgcache.sql.model import Script
from pgcache.sql.shape import fingerprint, redact


def shape_of(script: Hashable) -> Shape:
    """What a query is for its statistics."""
    assert isinstance(script, Script)
    read = script.statements[0].read
    names = () if read is None else (ref.name for ref in read.relations)
    relations = (n.name if n.schema is None else f"{n.schema}.{n.name}" for n in names)
    text = redact(script.key_text.decode("utf-8", "replace"))
    return Shape(fingerprint(script.key_text), text, tuple(dict.fromkeys(relations)))

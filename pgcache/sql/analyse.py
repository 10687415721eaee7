"""What a SELECT reads and calls: relations with their scopes, functions as written (C-10 to C-22).

Two readers look at each query, one at its tokens (``scan.py``) and one at its structure
(``relations.py``, the only module with sqlglot). Where they disagree the query is not cached.

Counterpart: PostgreSQL's ``gram.y`` and ``parse_clause.c``. Must not know: the catalog, the wire.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from pgcache.errors.reasons import Reason, Refusal
from pgcache.sql.lexer import Token, TokenKind
from pgcache.sql.model import Cast, FunctionRef, Name, Read, RelationRef
from pgcache.sql.operands import define
from pgcache.sql.relations import find_relations
from pgcache.sql.scan import draw_sketch
from pgcache.sql.sketch import Sketch

__all__ = ["UNREADABLE", "analyse_read"]

_STARTERS: Final = frozenset({"select", "with", "values", "table", "("})
_MAX_PIECES: Final = 12_000  # of the skeleton; parsing takes some 5 µs each

UNREADABLE: Final = Read(
    functions=(FunctionRef(Name("")),), refusal=Refusal(Reason.UNKNOWN_SYNTAX, "unreadable")
)
"""The answer where reading failed: as if a function were called that nobody knows."""


def analyse_read(sql: str, tokens: Sequence[Token]) -> Read:
    """Return what one statement reads and calls. Takes any text and never raises.

    ``tokens`` are those of ``sql``. Where the structure forbids caching, ``refusal`` says why and
    the rest is as complete as the tokens alone can tell.
    """
    try:
        return _analyse(_without_semicolons(tokens))
    except Exception:  # a mistake in here must not hide a write, nor break a session
        return UNREADABLE


def _analyse(tokens: Sequence[Token]) -> Read:
    sketch = draw_sketch(tokens)
    if not tokens or tokens[0].value not in _STARTERS:
        sketch.refuse(Reason.NOT_A_SELECT)
    elif len(sketch.out) > _MAX_PIECES:
        sketch.refuse(Reason.UNKNOWN_SYNTAX, "too long")
    if sketch.refusal is not None:
        return _build(sketch, tuple(sketch.relations), sketch.refusal)
    found = find_relations(" ".join(sketch.out))
    if isinstance(found, Refusal):
        return _build(sketch, tuple(sketch.relations), found)
    relations, named = found
    if Counter(named) != Counter(ref.name for ref in sketch.relations):
        refusal = Refusal(Reason.UNKNOWN_SYNTAX, "relations")
        return _build(sketch, (*relations, *sketch.relations), refusal)
    in_order = {ref.name: place for place, ref in enumerate(reversed(sketch.relations))}
    relations.sort(key=lambda ref: -in_order[ref.name])
    no_table = None if relations else Refusal(Reason.NO_TABLE)
    return _build(sketch, tuple(relations), no_table)


def _without_semicolons(tokens: Sequence[Token]) -> Sequence[Token]:
    end = len(tokens)
    while end and tokens[end - 1].kind is TokenKind.PUNCT and tokens[end - 1].value == ";":
        end -= 1
    return tokens[:end]


def _define(sketch: Sketch) -> Iterable[Cast]:
    for name, place in sketch.labels:
        if place < 0:
            yield Cast(Name(name), opaque=True)
        else:
            yield define(name, sketch.tokens, place)


def _build(sketch: Sketch, relations: tuple[RelationRef, ...], refusal: Refusal | None) -> Read:
    return Read(
        relations=tuple(dict.fromkeys(relations)),
        functions=tuple(dict.fromkeys(sketch.functions)),
        operators=frozenset(sketch.operators),
        types=tuple(dict.fromkeys(sketch.types)),
        casts=tuple(dict.fromkeys(sketch.casts)),
        labels=tuple(dict.fromkeys(_define(sketch))) if sketch.casts else (),
        zoned=sketch.zoned,
        dotted=frozenset(sketch.dotted),
        clock=sketch.clock,
        magic_literals=sketch.magic,
        identity=sketch.identity,
        refusal=refusal,
    )

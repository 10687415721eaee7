"""The relations that a query reads, out of its skeleton, with the scopes of WITH (C-22).

The skeleton (see ``sketch.py``) is parsed by sqlglot, and every node of the tree must be of a class
known here: what is new or strange is refused (Z-00). A name that a WITH clause in scope defines is
not a relation; inside its own definition it is one, unless the clause is RECURSIVE.

Counterpart: ``parse_cte.c`` of PostgreSQL and section 7.8 of its documentation. Must not know:
tokens, the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from pgcache.errors.reasons import Reason, Refusal
from pgcache.sql.model import Name, RelationRef

__all__ = ["find_relations"]

_DIALECT: Final = Dialect.get_or_raise("postgres")
_KNOWN: Final = frozenset(
    {
        # queries
        exp.Select, exp.Union, exp.Subquery, exp.Values, exp.With, exp.CTE,
        # clauses
        exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered,
        exp.Limit, exp.Offset, exp.Window,
        # names
        exp.Table, exp.TableAlias, exp.Identifier, exp.Column, exp.Star, exp.Alias, exp.Dot,
        # expressions, of which the skeleton has few
        exp.Literal, exp.Sub, exp.Anonymous, exp.Paren, exp.Tuple,
    }
)  # fmt: skip
_QUERIES: Final = (exp.Select, exp.Union, exp.Subquery)
_NO_NAMES: Final[frozenset[str]] = frozenset()
_Scope = frozenset[str]


def find_relations(skeleton: str) -> tuple[list[RelationRef], list[Name]] | Refusal:
    """Return the relations a query reads, and every name that stands where a relation can.

    The second list holds what the first does and the names that WITH defines: whoever wrote the
    skeleton can tell from it that both mean the same.
    """
    try:
        trees = _DIALECT.parse(skeleton)
    except (SqlglotError, RecursionError) as error:
        return Refusal(Reason.PARSE_ERROR, str(error).splitlines()[0][:80])
    if len(trees) != 1 or trees[0] is None:
        return Refusal(Reason.PARSE_ERROR)
    return _Finder().run(trees[0])


class _Finder:
    """One walk over one tree, without recursion: expressions may be long."""

    __slots__ = ("named", "relations")

    def __init__(self) -> None:
        self.relations: list[RelationRef] = []
        self.named: list[Name] = []

    def run(self, tree: exp.Expr) -> tuple[list[RelationRef], list[Name]] | Refusal:
        if not isinstance(tree, (*_QUERIES, exp.Values)):
            return Refusal(Reason.NOT_A_SELECT)
        pending: list[tuple[exp.Expr, _Scope]] = [(tree, _NO_NAMES)]
        while pending:
            node, scope = pending.pop()
            if type(node) not in _KNOWN:
                return Refusal(Reason.UNKNOWN_SYNTAX, type(node).__name__)
            if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
                self._note_table(node, scope)
            with_ = node.args.get("with_")
            if with_ is not None:
                pending.extend(_definitions(with_, scope))
                scope |= _names_of(with_)
            pending.extend((child, scope) for child in _children(node) if child is not with_)
        return self.relations, self.named

    def _note_table(self, node: exp.Table, scope: _Scope) -> None:
        name = Name(node.name, node.db or None, node.catalog or None)
        self.named.append(name)
        if name.schema is not None or name.name not in scope:
            self.relations.append(RelationRef(name, only=bool(node.args.get("only"))))


def _definitions(with_: exp.Expr, scope: _Scope) -> Iterator[tuple[exp.Expr, _Scope]]:
    """The queries of a WITH clause, each with the names it can see."""
    is_recursive = bool(with_.args.get("recursive"))
    visible = scope | _names_of(with_) if is_recursive else scope
    for definition in with_.expressions:
        yield definition, visible
        if not is_recursive:
            visible |= {definition.alias}


def _names_of(with_: exp.Expr) -> _Scope:
    return frozenset(definition.alias for definition in with_.expressions)


def _children(node: exp.Expr) -> Iterator[exp.Expr]:
    for value in node.args.values():
        if isinstance(value, exp.Expr):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, exp.Expr))

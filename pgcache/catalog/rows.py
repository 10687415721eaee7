"""What the loader reads: plain rows of the system catalogs, before anything is concluded.

Counterpart: ``queries.py`` selects these columns in this order. Nothing here knows a connection.
OIDs of 16384 and above belong to the user or to extensions (PostgreSQL's FirstNormalObjectId).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from pgcache.catalog.model import Server

FIRST_USER_OID: Final = 16384


class RelationRow(NamedTuple):
    """One row of pg_class; ``columns`` and ``types`` are parallel, empty for system relations."""

    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    row_security: bool
    columns: tuple[str, ...] = ()
    types: tuple[int, ...] = ()


class FunctionRow(NamedTuple):
    """One row of pg_proc.

    ``source`` is the internal symbol of functions in language internal and the body of trigger
    functions in PL/pgSQL, else ''. ``parts`` are the support functions of a user's aggregate.
    ``extension`` is the extension that it belongs to, or ''. ``defaults`` are the default values
    of a user's function's arguments, as pg_node_tree text, or ''.
    """

    oid: int
    schema: str
    name: str
    volatility: str  # i s v
    kind: str  # f p a w
    nargs: int
    ndefaults: int
    variadic: bool
    args: tuple[int, ...] = ()
    source: str = ""
    parts: tuple[int, ...] = ()
    extension: str = ""
    defaults: str = ""


class TypeRow(NamedTuple):
    """One row of pg_type; zero where a column does not apply."""

    oid: int
    schema: str
    name: str
    kind: str  # typtype: b c d e p r m
    relation: int = 0  # of a composite type
    element: int = 0
    base: int = 0  # of a domain; the subtype of a range; the range of a multirange
    functions: tuple[int, ...] = ()  # input, output, receive, send, canonical


class ViewRow(NamedTuple):
    """The _RETURN rule of a view or materialized view, as pg_node_tree text."""

    relation: int
    tree: str


class PolicyRow(NamedTuple):
    """One row security policy; ``using`` and ``check`` are pg_node_tree text or ''."""

    relation: int
    name: str
    command: str  # r a w d *
    using: str = ""
    check: str = ""


class DomainRow(NamedTuple):
    """One CHECK constraint of a domain, or its default."""

    type: int
    tree: str
    is_default: bool = False


class TriggerRow(NamedTuple):
    """One enabled trigger that is not a foreign key's own; ``condition`` is its WHEN or ''."""

    relation: int
    name: str
    function: int
    condition: str = ""


class ForeignKeyRow(NamedTuple):
    """One foreign key: ``relation`` refers to ``referenced``; actions are a r c n d."""

    relation: int
    referenced: int
    on_update: str
    on_delete: str


class InheritRow(NamedTuple):
    """``child`` is a partition of ``parent`` or inherits from it."""

    child: int
    parent: int


class OperatorRow(NamedTuple):
    """One operator made by the user or an extension."""

    oid: int
    name: str
    function: int


class CastRow(NamedTuple):
    """One cast made by the user or an extension; ``function`` 0 where it has none.

    ``is_implicit``: it is applied where the text names no type (AS IMPLICIT, AS ASSIGNMENT).
    """

    source: int
    target: int
    function: int
    is_implicit: bool = False


class SupportRow(NamedTuple):
    """A user's function behind an operator class over ``type``: of pg_amproc, or an operator's."""

    type: int
    function: int


class CalledRow(NamedTuple):
    """A user's function that writing ``relation`` evaluates: a default or a CHECK constraint."""

    relation: int
    function: int


class RuleRow(NamedTuple):
    """A rewrite rule other than a view's own."""

    relation: int
    name: str


class EventTriggerRow(NamedTuple):
    """One enabled event trigger; ``event`` as pg_event_trigger.evtevent has it."""

    oid: int
    name: str
    event: str = "ddl_command_end"
    function: int = 0


class RoleRow(NamedTuple):
    """One role."""

    oid: int
    name: str


class Mark(NamedTuple):
    """Hashes that move with every change of the catalogs that ``functions`` is read from, and of
    all others.
    """

    functions: str
    others: str


NO_MARK: Final = Mark("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One consistent reading of a database's catalogs.

    ``privileges`` and ``others`` are hashes, made by the origin, of what matters only by changing:
    access rights and role membership (C-21); enum labels, collations, text search ... (C-40).
    ``mark`` moves with every change of a catalog, relevant or not; it is no part of the content.
    """

    server: Server
    relations: tuple[RelationRow, ...] = ()
    functions: tuple[FunctionRow, ...] = ()
    types: tuple[TypeRow, ...] = ()
    views: tuple[ViewRow, ...] = ()
    policies: tuple[PolicyRow, ...] = ()
    domains: tuple[DomainRow, ...] = ()
    triggers: tuple[TriggerRow, ...] = ()
    foreign_keys: tuple[ForeignKeyRow, ...] = ()
    inherits: tuple[InheritRow, ...] = ()
    operators: tuple[OperatorRow, ...] = ()
    casts: tuple[CastRow, ...] = ()
    supports: tuple[SupportRow, ...] = ()
    called: tuple[CalledRow, ...] = ()
    rules: tuple[RuleRow, ...] = ()
    event_triggers: tuple[EventTriggerRow, ...] = ()
    roles: tuple[RoleRow, ...] = ()
    privileges: str = ""
    others: str = ""
    mark: Mark = NO_MARK

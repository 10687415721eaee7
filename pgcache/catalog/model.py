"""Values of the catalog snapshot: relations, functions, and what can be said of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from pgcache.errors.reasons import Refusal


class Everything(Enum):
    """All relations of a database: what a write that cannot be bounded may have changed."""

    EVERYTHING = auto()


EVERYTHING: Final = Everything.EVERYTHING
Tags = frozenset[int] | Everything  # relation OIDs, or all of them


@dataclass(frozen=True, slots=True)
class Relation:
    """A table-like object by OID."""

    oid: int
    schema: str
    name: str
    kind: str  # pg_class.relkind
    persistence: str = "p"  # pg_class.relpersistence: p u t
    row_security: bool = field(default=False, compare=False)

    @property
    def display(self) -> str:
        """``schema.name``, as the console and the configuration spell it."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class ReadClosure:
    """Everything that a read of some relations depends on.

    ``tags``: the OIDs whose change makes the result stale (view leaves, inheritance trees, tables
    read by row security policies, declared tables of stable functions). ``clock``: a view or a
    policy on the way reads the clock. ``refusal``: something on the way is not known to be safe.
    ``settings``: names of settings that policies or views read by current_setting().
    ``may_write``, ``may_set``, ``locks``: what evaluating the views and policies may do, as for
    ``FunctionVerdict``: reading a view can run a function that writes.
    """

    tags: frozenset[int]
    clock: bool = False
    refusal: Refusal | None = None
    settings: frozenset[str] = frozenset()
    may_write: bool = False
    may_set: bool = False
    locks: bool = False


@dataclass(frozen=True, slots=True)
class FunctionVerdict:
    """What calling a function means.

    ``refusal`` None: safe in a cached query. ``clock``: reads the transaction's time. ``tags``:
    relations that it is declared to read. ``may_write``: may change data (a user-defined VOLATILE
    function, query_to_xml and kin). ``may_set``: may change settings, role or temporary objects.
    ``locks``: takes advisory locks (T-20). ``settings``: what current_setting() was asked for.
    """

    refusal: Refusal | None = None
    clock: bool = False
    tags: frozenset[int] = frozenset()
    may_write: bool = False
    may_set: bool = False
    locks: bool = False
    settings: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Server:
    """Facts about the origin that answered, read with the schema (S-14, S-15).

    ``started``, ``recovered`` and ``timeline`` change on restart, crash and failover: what was
    cached before may then hold commits that the origin has lost, or rows of unlogged tables.
    ``configured`` changes when the configuration is reloaded: living sessions follow (S-02).
    """

    database: str
    database_oid: int
    version: int  # server_version_num
    system_identifier: str = ""  # '' where the role may not read it
    timeline: int = 0  # 0 where the role may not read it
    started: str = ""  # pg_postmaster_start_time() in seconds since 1970
    recovered: str = ""  # when statistics were last reset, as crash recovery does
    in_recovery: bool = False
    configured: str = ""  # pg_conf_load_time() in seconds since 1970
    encoding: str = "UTF8"  # of the database

    @property
    def history(self) -> tuple[str, str, int, int]:
        """What tells this database, since its server was started, from all others.

        Only what cannot change without all connections being lost: those who share results must
        never, not even for a moment, disagree about it.
        """
        return self.system_identifier, self.started, self.database_oid, self.version

    def is_same_history(self, other: Server) -> bool:
        """Whether nothing that ``other`` answered can have been lost or rolled back since."""
        return (
            self.database_oid == other.database_oid
            and self.system_identifier == other.system_identifier
            and self.timeline == other.timeline
            and self.started == other.started
            and self.recovered == other.recovered
            and self.in_recovery == other.in_recovery
            and self.version == other.version
        )

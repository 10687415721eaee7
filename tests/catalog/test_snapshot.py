"""The snapshot as a whole: digest, identity, declared tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pgcache.catalog.model import EVERYTHING, FunctionVerdict, Server
from pgcache.catalog.rows import (
    CalledRow,
    CastRow,
    DomainRow,
    ForeignKeyRow,
    FunctionRow,
    InheritRow,
    Mark,
    OperatorRow,
    PolicyRow,
    RelationRow,
    Rows,
    RuleRow,
    SupportRow,
    TriggerRow,
    TypeRow,
    ViewRow,
)
from pgcache.catalog.snapshot import build_snapshot
from pgcache.sql.model import Name

SERVER = Server("db", 7, 150000, system_identifier="42", timeline=1, started="1", recovered="1")
ROWS = Rows(server=SERVER, relations=(RelationRow(20000, "public", "t", "r", "p", False),))


def test_the_server_is_told() -> None:
    snapshot = build_snapshot(ROWS)
    assert (snapshot.database, snapshot.database_oid) == ("db", 7)
    assert (snapshot.server_version, snapshot.system_identifier) == (150000, "42")
    assert repr(snapshot) == f"<Snapshot db {snapshot.digest}>"


def test_C40_equal_content_has_an_equal_digest() -> None:
    digest = build_snapshot(ROWS).digest
    assert digest == build_snapshot(ROWS, {}).digest
    restarted = replace(ROWS, server=replace(SERVER, started="2"), mark=Mark("1", "2"))
    assert build_snapshot(restarted).digest == digest
    assert build_snapshot(ROWS, {"public.f": ("public.t",)}).digest != digest


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("relations", ()),
        ("functions", (FunctionRow(20001, "public", "f", "i", "f", 0, 0, False),)),
        ("types", (TypeRow(20001, "public", "f", "e"),)),
        ("views", (ViewRow(20000, "{QUERY}"),)),
        ("policies", (PolicyRow(20000, "p", "*"),)),
        ("domains", (DomainRow(20000, ""),)),
        ("triggers", (TriggerRow(20000, "t", 1),)),
        ("foreign_keys", (ForeignKeyRow(20000, 20000, "a", "c"),)),
        ("inherits", (InheritRow(20001, 20000),)),
        ("operators", (OperatorRow(20001, "+", 1),)),
        ("casts", (CastRow(20000, 20001, 1),)),
        ("supports", (SupportRow(20000, 1),)),
        ("called", (CalledRow(20000, 1),)),
        ("rules", (RuleRow(20000, "r"),)),
        ("privileges", "other"),
        ("others", "other"),
    ],
)
def test_C40_every_part_of_the_content_moves_the_digest(field: str, value: object) -> None:
    changed = replace(ROWS, **{field: value})  # type: ignore[arg-type]
    assert build_snapshot(changed).digest != build_snapshot(ROWS).digest


def test_a_relation_dropped_meanwhile_is_everything() -> None:
    snapshot = build_snapshot(ROWS)
    (relation,) = snapshot.find(Name("t"), ("public",))
    gone = build_snapshot(replace(ROWS, relations=()))
    assert gone.write_closure([relation]) is EVERYTHING
    assert gone.read_closure([(relation, False)]).refusal is not None
    assert gone.relation(relation.oid) is None
    assert gone.write_closure([]) == frozenset()


def test_a_declared_function_without_tables_reads_none() -> None:
    rows = replace(ROWS, functions=(FunctionRow(20001, "public", "f", "s", "f", 0, 0, False),))
    snapshot = build_snapshot(rows, {"public.f": ()})
    assert snapshot.function(Name("f"), ("public",), 0, None) == FunctionVerdict()
    assert snapshot.undeclared == ()

"""What statements may change: the cases as SQL files, and what they cannot say (C-30 to C-40)."""

from __future__ import annotations

import pytest

from pgcache.catalog.model import EVERYTHING
from pgcache.catalog.snapshot import Snapshot
from pgcache.policy.effects import (
    NO_EFFECTS,
    UNKNOWN_EFFECTS,
    Effects,
    plan_effects,
    plan_read_effects,
)
from pgcache.policy.plan import View
from pgcache.sql.analyse import UNREADABLE
from pgcache.sql.model import Kind, Statement
from pgcache.sql.script import read_script
from tests.policy.case_files import CASES, Case
from tests.sql.corpus import STATEMENTS

CHANGES = [case for case in CASES if case.changes is not None]
CACHED = [case for case in CASES if case.cached is not None]
PUBLIC = View(path=("public",), user="app")


def effects(text: str, snapshot: Snapshot | None, path: tuple[str, ...] = ("public",)) -> Effects:
    (statement,) = read_script(text.encode()).statements
    return plan_effects(statement, View(path, "app"), snapshot)


def flags(found: Effects) -> set[str]:
    named = {
        "schema": found.schema,
        "commits": found.commits_inside,
        "pins": found.pins,
        "taints": found.taints,
        "temporary": found.temporary,
    }
    return {name for name, value in named.items() if value}


@pytest.mark.postgres
@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_case(case: Case, snapshot: Snapshot) -> None:
    found = effects(case.sql, snapshot, case.path)
    assert flags(found) == case.also
    if found.writes is EVERYTHING:
        assert case.changes == frozenset({"everything"})
    else:
        names = {snapshot.relations[oid].display for oid in found.writes}
        assert frozenset(names or {"nothing"}) == case.changes


@pytest.mark.postgres
@pytest.mark.parametrize("case", CACHED, ids=str)
def test_what_is_cached_changes_nothing(case: Case, snapshot: Snapshot) -> None:
    assert effects(case.sql, snapshot, case.path) == NO_EFFECTS


@pytest.mark.parametrize("case", CHANGES, ids=str)
def test_without_a_catalog_every_write_changes_everything(case: Case) -> None:
    found = effects(case.sql, None, case.path)
    if case.changes != frozenset({"nothing"}):
        assert found.writes is EVERYTHING
    assert flags(found) >= case.also - {"pins", "schema", "taints", "temporary"}


@pytest.mark.parametrize("text", STATEMENTS)
def test_without_a_catalog_writers_are_never_overlooked(text: str) -> None:
    for statement in read_script(text.encode()).statements:
        if statement.kind is Kind.WRITE and statement.targets:
            schemas = {target.name.schema or "" for target in statement.targets}
            own = all(schema.startswith("pg_temp") for schema in schemas)
            found = plan_effects(statement, PUBLIC, None)
            assert own or found.writes is EVERYTHING


def test_every_kind_is_known() -> None:
    for kind in Kind:
        found = plan_effects(Statement(kind), PUBLIC, None)
        assert isinstance(found, Effects)
    assert plan_effects(Statement(Kind.UNKNOWN), PUBLIC, None) == UNKNOWN_EFFECTS
    assert plan_effects(Statement(Kind.SELECT), PUBLIC, None) == UNKNOWN_EFFECTS


def test_what_could_not_be_read_may_do_anything() -> None:
    found = plan_read_effects(UNREADABLE, PUBLIC, None)
    assert found.writes is EVERYTHING
    assert found.taints


def test_effects_add_up() -> None:
    some = Effects(frozenset({1}), pins=True)
    more = Effects(frozenset({2}), schema=True)
    assert some | more == Effects(frozenset({1, 2}), schema=True, pins=True)
    assert (some | UNKNOWN_EFFECTS) == UNKNOWN_EFFECTS
    assert (NO_EFFECTS | some) == some


@pytest.mark.postgres
def test_values_of_execute_are_a_read(snapshot: Snapshot) -> None:
    (statement,) = read_script(b"execute p (1, tools.place_order(3))").statements
    assert plan_read_effects(statement.read, PUBLIC, snapshot).writes is EVERYTHING
    (statement,) = read_script(b"execute p (1, lower('X'))").statements
    assert plan_read_effects(statement.read, PUBLIC, snapshot) == NO_EFFECTS


@pytest.mark.postgres
def test_C34_a_temporary_table_without_code(snapshot: Snapshot) -> None:
    view = View(("public",), "app", frozenset({"mine", "orders"}))

    def writes(sql: str) -> object:
        (statement,) = read_script(sql.encode()).statements
        return plan_effects(statement, view, snapshot).writes

    for text in (
        "insert into mine values (1)",
        "insert into pg_temp.mine values (1)",
        "drop table mine",
        "create index on mine (i)",
        "truncate mine",
    ):
        assert writes(text) == frozenset(), text
    for text in (
        "insert into other values (1)",
        "insert into public.mine values (1)",
        "drop table mine, other",
        "alter table mine add i int",
    ):
        assert writes(text) is EVERYTHING, text
    assert writes("insert into orders values (1)") not in (frozenset(), EVERYTHING)

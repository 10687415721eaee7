"""Plans of reads: the cases as SQL files, and what they cannot say (C-10 to C-23)."""

from __future__ import annotations

import pytest

from pgcache.catalog.snapshot import Snapshot
from pgcache.errors.reasons import EXPLANATIONS, Reason, Refusal
from pgcache.policy.plan import ReadPlan, View, plan_read
from pgcache.policy.ttl import Lifetimes, TableLifetime
from pgcache.sql.model import Hints, Script
from pgcache.sql.script import read_script
from tests.policy.case_files import CASES, Case

READS = [case for case in CASES if case.cached is not None or case.bypass is not None]
PUBLIC = View(path=("public",), user="app")
DEFAULT = Lifetimes()


def plan(
    text: str, snapshot: Snapshot | None, lifetimes: Lifetimes = DEFAULT, view: View = PUBLIC
) -> ReadPlan:
    script: Script = read_script(text.encode())
    (statement,) = script.statements
    return plan_read(statement, script.hints, view, snapshot, lifetimes)


def reason(made: ReadPlan) -> Reason | None:
    return None if made.refusal is None else made.refusal.reason


@pytest.mark.postgres
@pytest.mark.parametrize("case", READS, ids=str)
def test_case(case: Case, snapshot: Snapshot) -> None:
    made = plan(case.sql, snapshot, view=View(case.path, "app"))
    if case.bypass is not None:
        assert made.refusal is not None
        code, _, detail = case.bypass.partition(" ")
        assert made.refusal.reason.value == code, made.refusal
        assert not detail or made.refusal.detail == detail
        assert made.ttl == 0
        return
    assert made.refusal is None
    assert frozenset(made.relations) == case.cached
    assert made.clock == ("clock" in case.also)
    known = {relation.display: oid for oid, relation in snapshot.relations.items()}
    leaves = {known[name] for name in made.relations if snapshot.relations[known[name]].kind != "v"}
    assert leaves <= set(made.tags)
    assert list(made.tags) == sorted(made.tags)


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 350
    assert len({str(case) for case in CASES}) == len(CASES)
    assert all(case.title for case in CASES)


@pytest.mark.postgres
def test_lifetimes(snapshot: Snapshot) -> None:
    lifetimes = Lifetimes(
        ttl=300,
        clock_ttl=60,
        tables={
            "public.orders": TableLifetime(ttl=30, tags=("sales",)),
            "public.regions": TableLifetime(ttl=3600, clock_ttl=600, tags=("geo", "sales")),
            "public.refunds": TableLifetime(ttl=0),
            "public.products": TableLifetime(clock_ttl=0),
            "public.measurements": TableLifetime(ttl=900),
        },
    )
    texts = {
        "select * from customers": 300,
        "select * from regions": 3600,
        "select * from regions, customers": 300,
        "select * from regions, orders": 30,
        "select * from paid_orders": 30,
        "select * from measurements": 900,
        "select now(), * from customers": 60,
        "select now(), * from regions": 600,
        "select now(), * from orders": 30,
        "select * from recent_orders": 30,
        "select * from products": 300,
    }
    assert {text: plan(text, snapshot, lifetimes).ttl for text in texts} == texts
    refused = plan("select * from refunds, orders", snapshot, lifetimes)
    assert refused.refusal == Refusal(Reason.TTL_ZERO, "public.refunds")
    refused = plan("select current_date from products", snapshot, lifetimes)
    assert refused.refusal == Refusal(Reason.CLOCK_DISABLED, "public.products")
    assert plan("select * from orders, regions", snapshot, lifetimes).labels == ("geo", "sales")
    assert plan("select * from paid_orders", snapshot, lifetimes).labels == ("sales",)


@pytest.mark.postgres
def test_hints(snapshot: Snapshot) -> None:
    assert plan("/* pgcache: ttl=60 */ select * from orders", snapshot).ttl == 60
    assert plan("/* pgcache: ttl=900 */ select * from orders", snapshot).ttl == 300
    assert plan("/* pgcache: tags=a,b */ select * from orders", snapshot).labels == ("a", "b")
    assert reason(plan("/* pgcache: off */ select * from orders", snapshot)) is Reason.HINT
    assert reason(plan("/* pgcache: ttl=0 */ select * from orders", snapshot)) is Reason.HINT


@pytest.mark.postgres
def test_C13_magic_literals_are_only_frozen_in_prepared_statements(snapshot: Snapshot) -> None:
    (statement,) = read_script(b"select * from orders where starts = date 'today'").statements
    simple = plan_read(statement, Hints(), PUBLIC, snapshot, DEFAULT, prepared=False)
    assert simple.refusal is None
    assert simple.clock
    frozen = plan_read(statement, Hints(), PUBLIC, snapshot, DEFAULT)
    assert reason(frozen) is Reason.MAGIC_LITERAL


@pytest.mark.postgres
def test_settings_that_are_asked_for(snapshot: Snapshot) -> None:
    asked = plan("select current_setting('App.Other', true), * from tenant_orders", snapshot)
    assert asked.settings == {"app.other", "app.tenant"}


def test_without_a_catalog_nothing_is_cached() -> None:
    assert reason(plan("select * from orders", None)) is Reason.NO_CATALOG
    assert reason(plan("select 1", None)) is Reason.NO_TABLE
    assert reason(plan("insert into orders values (1)", None)) is Reason.NOT_A_SELECT


def test_every_expected_reason_is_explained() -> None:
    codes = {case.bypass.split()[0] for case in READS if case.bypass is not None}
    assert {Reason(code) for code in codes} <= set(EXPLANATIONS)

"""The curated lists against pg_proc of each supported major version (C-11, C-12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcache.catalog import builtins
from pgcache.catalog.functions import unsafe
from pgcache.errors.reasons import Reason
from pgcache.sql.model import Name
from tests.catalog.schema import load
from tests.support.postgres import MAJORS, Server, installations

pytestmark = pytest.mark.postgres

ALLOWED_STABLE = builtins.PURE | builtins.CLOCKS | builtins.IDENTITIES | {builtins.CURRENT_SETTING}
DATA = Path(__file__).parent / "data"


def functions_of(server: Server) -> list[tuple[str, str, tuple[int, ...]]]:
    with server.connect() as connection:
        rows = connection.execute(
            "select proname::text, provolatile::text, proargtypes::oid[] from pg_proc"
            " where pronamespace = 'pg_catalog'::regnamespace and oid < 16384"
        ).fetchall()
    return [(str(name), str(volatility), tuple(args)) for name, volatility, args in rows]  # type: ignore[arg-type]


def test_C11_every_volatile_builtin_is_refused(postgres: Server) -> None:
    volatile = [row for row in functions_of(postgres) if row[1] == "v"]
    assert len(volatile) > 200
    for name, volatility, args in volatile:
        refusal = builtins.judge_builtin(name, volatility, args).refusal
        assert refusal is not None
        assert refusal.reason is Reason.VOLATILE_FUNCTION


def test_C12_stable_builtins_are_refused_unless_curated(postgres: Server) -> None:
    stable = [row for row in functions_of(postgres) if row[1] == "s"]
    assert len(stable) > 400
    for name, volatility, args in stable:
        verdict = builtins.judge_builtin(name, volatility, args)
        assert (verdict.refusal is None) == (
            name in ALLOWED_STABLE and (name, args) != ("age", (builtins.XID_OID,))
        ), name
        by_offset = (name, args) == ("timetz", (1083,)) or (name == "timezone" and 1266 in args)
        is_clock = by_offset or name in builtins.CLOCKS
        assert verdict.clock == (is_clock and verdict.refusal is None), (name, args)


def test_C11_immutable_builtins_are_safe_but_for_liars(postgres: Server) -> None:
    for name, volatility, args in functions_of(postgres):
        if volatility == "i":
            verdict = builtins.judge_builtin(name, volatility, args)
            assert (verdict == builtins.SAFE) == (name not in builtins.LIARS)


@pytest.mark.parametrize(("kind", "letter"), [("stable", "s"), ("volatile", "v")])
def test_the_measured_lists_of_15_agree(postgres15: Server, kind: str, letter: str) -> None:
    measured = set((DATA / f"pg15_{kind}.txt").read_text().split())
    assert measured == {
        name for name, volatility, _ in functions_of(postgres15) if volatility == letter
    }


async def test_C15_no_unsafe_builtin_passes_by_name(postgres: Server, database: str) -> None:
    schema = await load(postgres, database)
    for name, volatility, args in functions_of(postgres):
        if volatility == "v" or (volatility == "s" and name not in ALLOWED_STABLE):
            verdict = schema.snapshot.function(Name(name), (), -1, None)
            if (name, args) != ("age", (builtins.XID_OID,)):
                assert verdict.refusal is not None, name


def test_the_lists_name_functions_that_exist(request: pytest.FixtureRequest) -> None:
    at_hand = [major for major in MAJORS if major in installations()]
    known: set[str] = set()
    for major in at_hand:
        known |= {row[0] for row in functions_of(request.getfixturevalue(f"postgres{major}"))}
    if set(at_hand) == set(MAJORS):
        assert not (builtins.PURE | builtins.CLOCKS | builtins.IDENTITIES) - known


def test_no_builtin_operator_is_volatile_or_refused(postgres: Server) -> None:
    with postgres.connect() as connection:
        rows = connection.execute(
            "select distinct p.proname::text, p.provolatile::text from pg_operator o"
            " join pg_proc p on p.oid = o.oprcode where o.oid < 16384"
        ).fetchall()
    for name, volatility in rows:
        assert not unsafe(builtins.judge_builtin(str(name), str(volatility))), name


def test_current_setting_has_the_oids_that_trees_are_searched_for(postgres: Server) -> None:
    with postgres.connect() as connection:
        rows = connection.execute("select oid from pg_proc where proname = 'current_setting'")
        assert {row[0] for row in rows.fetchall()} == builtins.CURRENT_SETTING_OIDS


@pytest.mark.parametrize(
    ("name", "may_write", "may_set", "locks"),
    [
        ("random", False, False, False),
        ("nextval", False, False, False),
        ("pg_advisory_xact_lock", False, False, True),
        ("pg_try_advisory_lock_shared", False, False, True),
        ("set_config", False, True, False),
        ("query_to_xml", True, False, False),
        ("ts_stat", True, False, False),
        ("ts_rewrite", True, False, False),
        ("lo_put", False, False, False),
        ("pg_notify", False, False, False),
        ("a_function_of_a_future_version", True, True, False),
    ],
)
def test_C31_what_volatile_builtins_may_do(
    name: str, may_write: bool, may_set: bool, locks: bool
) -> None:
    verdict = builtins.judge_builtin(name, "v")
    assert (verdict.may_write, verdict.may_set, verdict.locks) == (may_write, may_set, locks)


def test_C12_table_to_xml_may_read_a_view_that_writes() -> None:
    assert builtins.judge_builtin("table_to_xml", "s").may_write


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("version", Reason.SESSION_FUNCTION),
        ("pg_backend_pid", Reason.SESSION_FUNCTION),
        ("has_table_privilege", Reason.CATALOG_FUNCTION),
        ("to_regclass", Reason.CATALOG_FUNCTION),
        ("pg_get_viewdef", Reason.CATALOG_FUNCTION),
    ],
)
def test_C12_each_class_of_stable_builtins_has_its_reason(name: str, reason: Reason) -> None:
    refusal = builtins.judge_builtin(name, "s").refusal
    assert refusal is not None
    assert (refusal.reason, refusal.detail) == (reason, name)

"""Verdicts on functions by name and by OID (C-11 to C-15)."""

from __future__ import annotations

import pytest

from pgcache.catalog.functions import merge, unsafe
from pgcache.catalog.model import FunctionVerdict
from pgcache.errors.reasons import Reason, Refusal
from pgcache.sql.model import Name
from tests.catalog.schema import PATH, Schema, load, parse_name
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres

FUNCTIONS = (
    "create table ledger(id int)",
    "create table other(id int)",
    "create view ledger_view as select * from ledger",
    "create schema s1",
    "create function pure(int) returns int immutable language sql as 'select $1'",
    (
        "create function looks(int) returns bigint stable language sql"
        " as 'select count(*) from public.ledger'"
    ),
    "create function via_view() returns bigint stable language sql as 'select 1::bigint'",
    "create function gone() returns bigint stable language sql as 'select 1::bigint'",
    "create function writes(int) returns int language sql as 'select $1'",
    "create function mixed(int) returns int immutable language sql as 'select $1'",
    "create function mixed(text) returns int stable language sql as 'select 1'",
    "create function s1.lower(text) returns text volatile language sql as 'select $1'",
    "create function s1.now() returns int immutable language sql as 'select 1'",
    (
        "create function defaults(int, int default 1, int default 2) returns int stable"
        " language sql as 'select 1'"
    ),
    "create function spread(variadic int[]) returns int stable language sql as 'select 1'",
    "create function of_row(ledger) returns int volatile language sql as 'select 1'",
    "create function of_row_pure(ledger) returns int immutable language sql as 'select 1'",
    "create aggregate pure_sum(int) (sfunc = int4pl, stype = int)",
    "create aggregate bad_sum(int) (sfunc = mixing, stype = int)",
)
MIXING = "create function mixing(int, int) returns int volatile language sql as 'select 1'"
DECLARED = {
    "public.looks": ("public.ledger",),
    "public.via_view": ("public.ledger_view",),
    "public.gone": ("public.absent",),
    "public.writes": ("public.other",),
}


@pytest.fixture
async def schema(newest_postgres: Server, newest_database: str) -> Schema:
    return await load(newest_postgres, newest_database, MIXING, *FUNCTIONS, declared=DECLARED)


def ask(schema: Schema, call: str, nargs: int = -1, literal: str | None = None) -> FunctionVerdict:
    return schema.snapshot.function(parse_name(call), PATH, nargs, literal)


def reason_of(verdict: FunctionVerdict) -> Reason | None:
    return verdict.refusal.reason if verdict.refusal else None


async def test_C15_user_functions_by_volatility(schema: Schema) -> None:
    assert ask(schema, "pure", 1) == FunctionVerdict()
    assert ask(schema, "public.pure", 1) == FunctionVerdict()
    mixed = ask(schema, "mixed", 1)
    assert reason_of(mixed) is Reason.USER_FUNCTION
    assert not mixed.may_write
    writes = ask(schema, "mixing", 2)
    assert reason_of(writes) is Reason.VOLATILE_FUNCTION
    assert writes.may_write
    assert writes.may_set


async def test_C15_declared_functions_have_tags(schema: Schema) -> None:
    looks = ask(schema, "looks", 1)
    assert looks.refusal is None
    assert schema.names(looks.tags) == {"ledger"}
    via_view = ask(schema, "via_view", 0)
    assert schema.names(via_view.tags) == {"ledger", "ledger_view"}


async def test_C15_a_declared_table_that_is_missing_refuses(schema: Schema) -> None:
    assert reason_of(ask(schema, "gone", 0)) is Reason.UNKNOWN_RELATION
    assert schema.snapshot.undeclared == ("public.absent",)


async def test_C15_a_declared_volatile_function_is_still_refused(schema: Schema) -> None:
    assert reason_of(ask(schema, "writes", 1)) is Reason.VOLATILE_FUNCTION
    assert ask(schema, "writes", 1).may_write


async def test_C15_shadowing_counts_every_schema_of_the_path(schema: Schema) -> None:
    snapshot = schema.snapshot
    assert snapshot.function(Name("lower"), PATH, 1, None).refusal is None
    assert snapshot.function(Name("lower"), ("s1",), 1, None).may_write
    assert snapshot.function(Name("lower", "pg_catalog"), ("s1",), 1, None).refusal is None
    assert snapshot.function(Name("lower", "s1"), (), 1, None).may_write
    # pg_catalog's now() may still be meant
    assert snapshot.function(Name("now"), ("s1",), 0, None).clock


async def test_unknown_functions_may_do_anything(schema: Schema) -> None:
    verdict = ask(schema, "nowhere", 1)
    assert reason_of(verdict) is Reason.UNKNOWN_FUNCTION
    assert verdict.may_write
    assert verdict.may_set
    assert reason_of(ask(schema, "s1.pure", 1)) is Reason.UNKNOWN_FUNCTION


@pytest.mark.parametrize(
    ("name", "nargs", "is_known"),
    [
        ("defaults", 0, False),
        ("defaults", 1, True),
        ("defaults", 3, True),
        ("defaults", 4, False),
        ("spread", 0, True),
        ("spread", 9, True),
        ("pure_sum", 1, True),
        ("bad_sum", 3, True),
    ],
)
async def test_the_number_of_arguments_selects(
    schema: Schema, name: str, nargs: int, is_known: bool
) -> None:
    known = reason_of(ask(schema, name, nargs)) is not Reason.UNKNOWN_FUNCTION
    assert known == is_known


async def test_aggregates_are_as_safe_as_their_parts(schema: Schema) -> None:
    assert ask(schema, "pure_sum", 1) == FunctionVerdict()
    assert ask(schema, "bad_sum", 1).may_write


EVERYDAY = [
    *("count", "sum", "percentile_cont", "string_agg", "row_number", "grouping"),
    *("coalesce", "greatest", "extract", "date_trunc", "to_char", "generate_series"),
    *("jsonb_path_query", "json_table", "jsonb_to_recordset"),
]


@pytest.mark.parametrize("call", EVERYDAY)
async def test_everyday_functions_are_safe(schema: Schema, call: str) -> None:
    assert ask(schema, call) == FunctionVerdict()


@pytest.mark.parametrize(
    "call",
    [
        "now",
        "age",
        "jsonb_path_query_tz",
        "jsonb_populate_record",
        "timetz",
        "current_timestamp",
        "localtime",
    ],
)
async def test_C13_clock_functions(schema: Schema, call: str) -> None:
    assert ask(schema, call) == FunctionVerdict(clock=True)


async def test_age_of_two_arguments_needs_no_clock(schema: Schema) -> None:
    assert ask(schema, "age", 2) == FunctionVerdict()
    assert ask(schema, "age", 1) == FunctionVerdict(clock=True)


async def test_current_setting_needs_a_literal(schema: Schema) -> None:
    verdict = ask(schema, "current_setting", 1, "App.Tenant")
    assert verdict == FunctionVerdict(settings=frozenset({"app.tenant"}))
    assert reason_of(ask(schema, "current_setting", 1)) is Reason.SESSION_FUNCTION


@pytest.mark.parametrize(
    ("ident", "is_unsafe"),
    [
        ("of_row", True),
        ("of_row_pure", False),
        ("pg_column_size", True),
        ("row_to_json", False),
        ("writes", False),
        ("id", False),
    ],
)
async def test_C14_columns_that_may_be_calls(schema: Schema, ident: str, is_unsafe: bool) -> None:
    assert schema.snapshot.attribute_function_unsafe(ident) == is_unsafe


async def test_operators_are_as_safe_as_their_functions(
    newest_postgres: Server, newest_database: str
) -> None:
    schema = await load(
        newest_postgres,
        newest_database,
        "create function good(int, int) returns int immutable language sql as 'select 1'",
        "create function stable(int, int) returns int stable language sql as 'select 1'",
        "create function bad(int, int) returns int volatile language sql as 'select 1'",
        "create operator <+> (leftarg = int, rightarg = int, function = good)",
        "create operator <->> (leftarg = int, rightarg = int, function = stable)",
        "create operator @@@@ (leftarg = int, rightarg = int, function = bad)",
    )
    assert schema.snapshot.unsafe_operators == {"<->>", "@@@@"}
    assert schema.snapshot.writing_operators == {"@@@@"}


def test_merge_keeps_the_first_refusal_and_every_effect() -> None:
    first = Refusal(Reason.USER_FUNCTION, "a")
    merged = merge(
        [
            FunctionVerdict(),
            FunctionVerdict(refusal=first, tags=frozenset({1}), locks=True),
            FunctionVerdict(refusal=Refusal(Reason.VOLATILE_FUNCTION, "b"), may_write=True),
            FunctionVerdict(clock=True, tags=frozenset({2}), may_set=True),
            FunctionVerdict(settings=frozenset({"x"})),
        ]
    )
    assert merged == FunctionVerdict(
        refusal=first,
        clock=True,
        tags=frozenset({1, 2}),
        may_write=True,
        may_set=True,
        locks=True,
        settings=frozenset({"x"}),
    )
    assert unsafe(merged)
    assert not unsafe(FunctionVerdict())


async def test_C15_defaults_of_arguments_are_evaluated_by_the_caller(
    newest_postgres: Server, newest_database: str
) -> None:
    made = await load(
        newest_postgres,
        newest_database,
        "create table log(i int)",
        "create function puts() returns int language sql as"
        " 'insert into log values (1) returning i'",
        "create function plain(a int, b int default 1) returns int immutable language sql"
        " as 'select a'",
        "create function timed(a int, b timestamptz default now()) returns int immutable"
        " language sql as 'select a'",
        "create function noting(a int default puts()) returns int immutable language sql"
        " as 'select a'",
        "create function deep(a int default noting()) returns int immutable language sql"
        " as 'select a'",
        "create view v as select deep() from log",
        "create table t(i int default deep())",
    )
    assert ask(made, "plain", 1) == FunctionVerdict()
    assert ask(made, "timed", 1).clock
    assert ask(made, "timed", -1).clock
    assert not ask(made, "timed", 2).clock
    assert ask(made, "noting", 0).may_write
    assert ask(made, "deep", 0).may_write
    assert ask(made, "deep", 1) == FunctionVerdict()
    assert made.reads("v").may_write
    assert made.write_names("t") is None

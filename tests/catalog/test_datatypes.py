"""Types whose functions may make a result unpredictable (C-11, C-15)."""

from __future__ import annotations

import pytest

from pgcache.errors.reasons import Reason
from pgcache.sql.model import Name
from tests.catalog.schema import PATH, Schema, load, parse_name
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres

TYPES = (
    "create function checks(int) returns bool volatile language sql as 'select true'",
    "create domain positive as int check (value > 0)",
    "create domain recent as timestamptz check (value > now() - interval '1 day')",
    "create domain checked as int check (checks(value))",
    "create domain plain as text not null",
    "create domain on_checked as checked",
    "create type mood as enum ('sad', 'happy')",
    "create type span as range (subtype = float8)",
    "create type pair as (a int, b positive)",
    "create type bad_pair as (a int, b checked)",
    "create schema s1",
    "create domain s1.mood as int check (checks(value))",
    "create table good(a mood, b positive[], c pair, d span, e json)",
    "create table bad(a checked)",
    "create table bad_array(a bad_pair[])",
    "create table bad_builtin(a regclass)",
    "create table xids(a xid)",
    "create view bad_view as select 1::checked::int as x",
)


@pytest.fixture
async def schema(newest_postgres: Server, newest_database: str) -> Schema:
    return await load(newest_postgres, newest_database, *TYPES)


async def test_types_by_name(schema: Schema) -> None:
    safe = [
        *("int", "integer", "text", "timestamp with time zone", "double precision", "numeric"),
        *("positive", "plain", "mood", "span", "pair", "good", "public.positive", "_text"),
        *("positive[]", "int[][]", "pg_catalog.int4", "jsonb", "uuid", "money", "regconfig_x"),
    ]
    found = {name for name in safe if schema.snapshot.unsafe_type(parse_name(name), PATH)}
    assert found == {"regconfig_x"}  # unknown names are unsafe
    unsafe = [
        *("recent", "checked", "on_checked", "bad_pair", "bad", "bad_array", "checked[]"),
        *("xid", "regclass", "pg_catalog.regtype", "public.int", "absent", "s1.mood"),
    ]
    assert all(schema.snapshot.unsafe_type(parse_name(name), PATH) for name in unsafe)


async def test_S10_every_schema_of_the_path_counts(schema: Schema) -> None:
    assert schema.snapshot.unsafe_type(Name("mood"), ("public", "s1"))
    assert not schema.snapshot.unsafe_type(Name("mood"), PATH)


@pytest.mark.parametrize("table", ["bad", "bad_array", "bad_builtin", "xids"])
async def test_columns_of_unsafe_types_are_refused(schema: Schema, table: str) -> None:
    refusal = schema.reads(table).refusal
    assert refusal is not None
    assert refusal.reason is Reason.USER_TYPE
    assert schema.reads("good").refusal is None


async def test_C17_unsafe_types_inside_views(schema: Schema) -> None:
    refusal = schema.reads("bad_view").refusal
    assert refusal is not None
    assert refusal.reason is Reason.VIEW_DEFINITION


async def test_C32_writing_checks_the_domain(schema: Schema) -> None:
    assert schema.write_names("bad") is None
    assert schema.write_names("good") == {"good"}


async def test_a_type_as_function_is_a_cast(schema: Schema) -> None:
    assert schema.snapshot.function(Name("positive"), PATH, 1, None).refusal is None
    refusal = schema.snapshot.function(Name("checked"), PATH, 1, None).refusal
    assert refusal is not None
    assert refusal.reason is Reason.USER_TYPE


async def test_C15_user_casts(newest_postgres: Server, newest_database: str) -> None:
    schema = await load(
        newest_postgres,
        newest_database,
        "create type mood as enum ('sad')",
        "create type tone as enum ('low')",
        "create function as_int(mood) returns int immutable language sql as 'select 1'",
        "create function as_int(tone) returns bigint stable language sql as 'select 1::bigint'",
        "create cast (mood as int) with function as_int(mood)",
        "create cast (tone as bigint) with function as_int(tone)",
    )
    names = ("mood", "tone", "int4", "int8")
    unsafe = {name for name in names if schema.snapshot.unsafe_type(Name(name), PATH)}
    assert unsafe == {"tone", "int8"}

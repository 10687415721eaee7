"""Results that depend on the time although nothing in the text says so (C-13)."""

from __future__ import annotations

import pytest

from pgcache.catalog.snapshot import Snapshot
from pgcache.sql.analyse import analyse_read
from pgcache.sql.lexer import tokenize
from tests.catalog.schema import PATH, Schema, load
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres

BASE = (
    "create schema s1",
    "create table sale (id int, at timestamptz, note text, open time, days date[], ok bool)",
    "create table visit (id int, made date, note varchar, label date)",
    "create table clock (id int, until timetz)",
    "create domain day as date",
    "create domain words as text",
    "create type stamp as (at timestamptz)",
    "create function made(visit) returns text immutable language sql as 'select $1.note'",
    "create function s1.max(anyelement) returns text immutable language sql as 'select $1::text'",
    "create function rows() returns table (at text) immutable language sql as 'select null::text'",
)
# Casts that are not IMMUTABLE, and why that is no matter: settings of the key, the catalogs, or
# (timetz) what is tested here.
STABLE_CASTS = {
    *("money", "numeric", "regclass", "xml", "timestamptz", "date", "time", "timestamp"),
    "timetz",  # by ``hidden_clock``
}


@pytest.fixture
async def schema(newest_postgres: Server, newest_database: str) -> Schema:
    return await load(newest_postgres, newest_database, *BASE)


def is_hidden(snapshot: Snapshot, sql: str, path: tuple[str, ...] = PATH) -> bool:
    read = analyse_read(sql, list(tokenize(sql)))
    assert read.refusal is None, read.refusal
    found = [relation for ref in read.relations for relation in snapshot.find(ref.name, path)]
    functions = [snapshot.function(c.name, path, c.nargs, c.literal) for c in read.functions]
    closure = snapshot.read_closure((relation, False) for relation in found)
    return (
        snapshot.hides_clock(read, found, path)
        or closure.clock
        or any(verdict.clock for verdict in functions)
    )


async def test_C13_casts_of_text(schema: Schema) -> None:
    for sql in (
        "select note::date from sale",
        "select note::day from sale",
        "select day(note) from sale",
        "select note::tstzrange from sale",
        "select note::stamp from sale",
        "select note::words::date from sale",
        "select v.made::date from visit v",  # made(visit), if no column has that name
        "select note::date from visit",
        "select label::date from (select note as label from visit) x",
        "select x.label::date from (select label from (select note as label from sale) y) x, visit",
        "select at::date from (values ('2024-01-01'::text)) v(at), sale",
        "select r.at::date from sale, rows() r",
        "select (select note from sale limit 1)::date from visit",
    ):
        assert is_hidden(schema.snapshot, sql), sql


async def test_dates_are_no_text(schema: Schema) -> None:
    for sql in (
        "select at::date, at::day, date(at), days::timestamptz[] from sale",
        "select label::timestamptz from visit",
        "select s.at::date from sale s, visit",
        "select d::date from (select at as d from sale) x",
        "select at::date from (select at::date as at from sale) x",
        "select d::date from (select date_trunc('month', max(at)) as d from sale) x",
        "select sale.at::date from sale, (select note as at from sale) x",
        "select d::date from generate_series(date '2024-01-01', '2024-02-01', '1 day') d, sale",
        "select note, at::date, 'a' || id::text from sale",
    ):
        assert not is_hidden(schema.snapshot, sql), sql


async def test_a_function_of_somebody_else_may_be_meant(schema: Schema) -> None:
    sql = "select max(at)::date from public.sale"
    assert not is_hidden(schema.snapshot, sql)
    assert is_hidden(schema.snapshot, sql, ("public", "s1"))


async def test_C13_times_of_day_with_a_zone(schema: Schema) -> None:
    for sql in (
        "select open::timetz from sale",
        "select timetz(open) from sale",
        "select open at time zone 'Europe/Berlin' from sale",
        "select timezone('Europe/Berlin', open) from sale",
        "select at::time at time zone 'Europe/Berlin' from sale",
        "select make_time(1, 2, 3) at time zone 'Europe/Berlin' from visit",
        "select * from sale, clock where open = until",
    ):
        assert is_hidden(schema.snapshot, sql), sql
    assert not is_hidden(schema.snapshot, "select open + interval '1 hour' from sale")
    assert not is_hidden(
        schema.snapshot, "select made at time zone 'UTC' from visit v where id = 1"
    )


async def test_C13_views(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        *BASE,
        "create view casts as select note::date as d from sale",
        "create view arrays as select string_to_array(note, ',')::date[] as d from sale",
        "create view zones as select open::timetz as t from sale",
        "create view moved as select open at time zone 'Europe/Berlin' as t from sale",
        "create view parts as select r.at from sale, json_to_record(to_json(note)) as r(at date)",
        "create view plain as select at::date, at::text as words, made::timestamptz"
        " from sale, visit",
    )
    for view in ("casts", "arrays", "zones", "moved", "parts"):
        assert schema.reads(view).clock, view
        assert schema.reads(view).refusal is None, view
    assert not schema.reads("plain").clock


async def test_parameters_of_a_zoned_time_of_day_are_not_cached(schema: Schema) -> None:
    assert schema.snapshot.any_unsafe_types([23, 1266])
    assert not schema.snapshot.any_unsafe_types([23, 1083, 1184])


@pytest.fixture
def stable_casts(postgres: Server) -> set[str]:
    with postgres.connect() as connection:
        rows = connection.execute(
            "select distinct p.proname from pg_cast c join pg_proc p on p.oid = c.castfunc"
            " where p.provolatile <> 'i' and c.oid < 16384"
        ).fetchall()
    return {str(name) for (name,) in rows}


def test_C13_no_cast_of_this_version_is_left_out(stable_casts: set[str]) -> None:
    """A cast that the text does not show, and that is not immutable, must be one of the known."""
    assert stable_casts <= STABLE_CASTS

"""What reading relations depends on (C-16 to C-20)."""

from __future__ import annotations

import pytest

from pgcache.errors.reasons import Reason
from tests.catalog.schema import load
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres

BASE = (
    "create table sale(id int primary key, at timestamptz, region text, amount numeric)",
    "create table perms(who text, region text)",
    "create function vol() returns int volatile language sql as 'select 1'",
    "create function looks() returns bigint stable language sql as 'select 1::bigint'",
)


async def test_C17_views_are_expanded_to_their_leaves(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        *BASE,
        "create view inner_view as select * from sale where amount > 0",
        "create view outer_view as select i.*, p.who from inner_view i"
        " join perms p using (region) where exists (select from sale)",
        "create view of_function as select looks() from perms",
        "create view of_clock as select * from sale where at > now() - interval '30 days'",
        "create view of_random as select now(), random(), current_user, id from sale",
        "create view of_setting as select current_setting('app.x') as x from sale",
        "create view of_catalog as select relname from pg_class",
        "create view of_volatile as select vol() from perms",
        "create view of_lock as select pg_try_advisory_lock(1) from perms",
        "create view of_sample as select * from sale tablesample system (10)",
    )
    assert schema.read_names("outer_view") == {"outer_view", "inner_view", "sale", "perms"}
    assert schema.reads("outer_view").refusal is None
    assert not schema.reads("outer_view").clock
    assert schema.reads("of_clock").clock
    assert schema.reads("of_clock").refusal is None
    assert schema.reads("of_setting").settings == {"app.x"}
    details = {
        name: getattr(schema.reads(name).refusal, "detail", None)
        for name in ("of_random", "of_function", "of_catalog", "of_volatile", "of_sample")
    }
    assert details == {
        "of_random": "public.of_random calls random",
        "of_function": "public.of_function calls public.looks",
        "of_catalog": "pg_catalog.pg_class",
        "of_volatile": "public.of_volatile calls public.vol",
        "of_sample": "public.of_sample uses TABLESAMPLECLAUSE",
    }
    assert schema.reads("of_volatile").may_write
    assert schema.reads("of_lock").locks
    assert not schema.reads("of_random").may_write


async def test_C17_declared_functions_add_their_tables(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        *BASE,
        "create view of_function as select looks() from perms",
        declared={"public.looks": ("public.sale",)},
    )
    assert schema.reads("of_function").refusal is None
    assert schema.read_names("of_function") == {"of_function", "perms", "sale"}


async def test_C18_materialized_views_stand_for_themselves(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        *BASE,
        "create materialized view m as select random(), * from sale",
        "create view over_m as select * from m",
    )
    assert schema.reads("m").refusal is None
    assert schema.read_names("over_m") == {"over_m", "m"}
    assert schema.write_names("m") == {"m"}
    assert schema.write_names("sale") == {"sale"}


async def test_C19_row_security_adds_what_its_policies_read(
    postgres: Server, database: str
) -> None:
    schema = await load(
        postgres,
        database,
        *BASE,
        "alter table sale enable row level security",
        "create policy mine on sale for select using"
        " (exists (select from perms p where p.who = current_user and p.region = sale.region)"
        " and region = current_setting('app.region', true))",
        "create policy writing on sale for insert with check (random() > 0.5)",
        "create view over_sale as select * from sale",
        "create table idle(id int)",
        "create policy unused on idle using (random() > 0.5)",
        "create table dice(id int)",
        "alter table dice enable row level security",
        "create policy roll on dice using (random() > 0.5)",
        "create table timed(id int, at timestamptz)",
        "alter table timed enable row level security",
        "create policy recent on timed using (at > current_timestamp)",
    )
    closure = schema.reads("sale")
    assert closure.refusal is None
    assert schema.names(closure.tags) == {"sale", "perms"}
    assert closure.settings == {"app.region"}
    assert schema.read_names("over_sale") == {"over_sale", "sale", "perms"}
    assert schema.relation("sale").row_security
    assert schema.reads("idle").refusal is None
    assert schema.reads("timed").clock
    refusal = schema.reads("dice").refusal
    assert refusal is not None
    assert (refusal.reason, refusal.detail) == (
        Reason.ROW_SECURITY_POLICY,
        "public.dice calls random",
    )


async def test_C19_policies_that_refer_to_protected_tables(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        *BASE,
        "create table third(region text)",
        "alter table sale enable row level security",
        "alter table perms enable row level security",
        "create policy a on sale using (region in (select region from perms))",
        "create policy b on perms using (region in (select region from third))",
    )
    assert schema.read_names("sale") == {"sale", "perms", "third"}


async def test_C20_partitions_and_only(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        "create table root(id int) partition by range (id)",
        "create table low partition of root for values from (0) to (10)",
        "create table mid partition of root for values from (10) to (20) partition by list (id)",
        "create table leaf partition of mid for values in (10)",
        "create table parent(id int)",
        "create table child() inherits (parent)",
        "create view over_root as select * from root",
    )
    assert schema.read_names("root") == {"root", "low", "mid", "leaf"}
    assert schema.read_names("over_root") == {"over_root", "root", "low", "mid", "leaf"}
    assert schema.read_names("mid") == {"mid", "leaf"}
    assert schema.read_names("parent") == {"parent", "child"}
    assert schema.read_names("parent", only=True) == {"parent"}


async def test_C16_relations_that_are_never_cached(postgres15: Server) -> None:
    database = "catalog_refused"
    postgres15.execute(f"drop database if exists {database}", f"create database {database}")
    schema = await load(
        postgres15,
        database,
        "create extension file_fdw",
        "create server files foreign data wrapper file_fdw",
        "create foreign table far(id int) server files options (filename '/nowhere')",
        "create table root(id int) partition by list (id)",
        "create foreign table far_part partition of root for values in (1)"
        " server files options (filename '/nowhere')",
        "create sequence counter",
        "create unlogged table fast(id int)",
    )
    reasons = {
        name: getattr(schema.reads(name).refusal, "reason", None)
        for name in ("far", "root", "counter", "fast", "pg_class", "information_schema.tables")
    }
    assert reasons == {
        "far": Reason.FOREIGN_TABLE,
        "root": Reason.FOREIGN_TABLE,
        "counter": Reason.SEQUENCE,
        "fast": None,
        "pg_class": Reason.SYSTEM_CATALOG,
        "information_schema.tables": Reason.SYSTEM_CATALOG,
    }
    postgres15.execute(f"drop database {database}")


async def test_several_relations_are_joined(newest_postgres: Server, newest_database: str) -> None:
    schema = await load(
        newest_postgres,
        newest_database,
        *BASE,
        "create view of_clock as select now() from perms",
        "create view of_setting as select current_setting('a.b') from sale",
    )
    closure = schema.reads("of_clock", "of_setting")
    assert closure.clock
    assert closure.settings == {"a.b"}
    assert schema.names(closure.tags) == {"of_clock", "of_setting", "perms", "sale"}
    assert schema.reads().tags == frozenset()


async def test_closures_are_remembered(newest_postgres: Server, newest_database: str) -> None:
    schema = await load(newest_postgres, newest_database, *BASE)
    assert schema.reads("sale") is schema.reads("sale")

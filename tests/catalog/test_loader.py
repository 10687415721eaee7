"""Reading the catalogs of real servers (W-11, S-09, C-40, C-41)."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from pgcache.catalog import queries
from pgcache.catalog.loader import (
    Connection,
    is_backend_gone,
    load_changes,
    load_rows,
    load_snapshot,
)
from pgcache.catalog.rows import FIRST_USER_OID
from pgcache.catalog.snapshot import build_snapshot
from pgcache.sql.model import Name
from tests.catalog.schema import load
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres


@pytest.fixture
async def connection(postgres: Server, database: str) -> AsyncIterator[Connection]:
    """Yield a connection of a role without any privilege but the default ones."""
    opened = await asyncpg.connect(postgres.url("service", database))
    yield opened
    await opened.close()


async def test_a_role_without_privileges_reads_the_same(postgres: Server, database: str) -> None:
    statements = (
        "create schema closed",
        "create table closed.t(id int primary key)",
        "create view closed.v as select * from closed.t where now() > '2020-01-01'",
        "create table closed.child(id int references closed.t on delete cascade)",
        "alter table closed.t enable row level security",
        "create policy p on closed.t using (id::text = current_setting('app.x'))",
        "revoke all on schema closed from public",
    )
    mine = await load(postgres, database, *statements)
    theirs = await load(postgres, database, user="service")
    assert mine.snapshot.digest == theirs.snapshot.digest
    assert theirs.read_names("closed.v") == {"closed.v", "closed.t"}
    assert theirs.write_names("closed.t") == {"closed.t", "closed.child"}


async def test_the_server_is_identified(
    postgres: Server, database: str, connection: Connection
) -> None:
    server = (await load_snapshot(connection)).server
    with postgres.connect(database=database) as direct:
        row = direct.execute(
            "select current_database(), (select oid from pg_database where"
            " datname = current_database()), system_identifier::text, timeline_id"
            " from pg_control_system(), pg_control_checkpoint()"
        ).fetchone()
    assert (
        server.database,
        server.database_oid,
        server.system_identifier,
        server.timeline,
    ) == row
    assert server.version // 10000 == postgres.major
    assert float(server.started) > 0
    assert server.recovered
    assert not server.in_recovery


async def test_C21_a_role_that_may_not_read_the_control_file(
    postgres: Server, database: str, connection: Connection
) -> None:
    postgres.execute(
        "revoke execute on function pg_control_system(), pg_control_checkpoint() from public",
        database=database,
    )
    server = (await load_snapshot(connection)).server
    assert (server.system_identifier, server.timeline) == ("", 0)


async def test_an_origin_that_cannot_tell_its_timeline(
    postgres: Server, database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "TIMELINE", "SELECT 1 / 0")
    snapshot = await load_snapshot(connection)
    assert snapshot.server.timeline == 0
    assert snapshot.system_identifier
    assert await load_changes(connection, snapshot) is None


async def test_W11_a_hostile_search_path_is_not_used(postgres: Server, database: str) -> None:
    postgres.execute(
        "create schema evil",
        "create table evil.pg_class(oid oid, relname text)",
        "create function evil.current_database() returns text language sql as $$select 'x'$$",
        "create function evil.same(name, text) returns bool language plpgsql as"
        " $$begin raise exception 'evil'; end$$",
        "create operator evil.= (leftarg = name, rightarg = text, function = evil.same)",
        "create function evil.differ(name, text) returns bool language plpgsql as"
        " $$begin raise exception 'evil'; end$$",
        "create operator evil.!~ (leftarg = name, rightarg = text, function = evil.differ)",
        "grant usage on schema evil to public",
        f"alter role service in database {database} set search_path = evil, pg_catalog",
        database=database,
    )
    connection = await asyncpg.connect(postgres.url("service", database))
    try:
        with pytest.raises(asyncpg.RaiseError):
            await connection.fetch("select nspname !~ 'x'::text from pg_catalog.pg_namespace")
        snapshot = await load_snapshot(connection)
        assert snapshot.database == database
        assert not await is_backend_gone(connection, connection.get_server_pid())
        assert await connection.fetchval("show search_path") == "evil, pg_catalog"
    finally:
        await connection.close()


async def test_S09_temporary_objects_are_left_out(
    postgres: Server, database: str, connection: Connection
) -> None:
    before = await load_snapshot(connection)
    with postgres.connect(database=database) as other:
        other.execute(b"create temp table t(id serial primary key, x int references t)")
        other.execute(b"create temp view v as select * from t")
        other.execute(b"create function pg_temp.f() returns int language sql as 'select 1'")
        other.execute(b"create domain pg_temp.d as int check (value > 0)")
        assert await load_changes(connection, before) is None
        after = await load_snapshot(connection)
    assert after.digest == before.digest
    assert not after.find(Name("t"), ("public", "pg_temp"))


async def test_C41_a_changed_schema_is_noticed(
    postgres: Server, database: str, connection: Connection
) -> None:
    """Every statement moves the digest, and the cheap look sees it."""
    known = await load_snapshot(connection)
    with postgres.connect(database=database) as other:
        for statement in CHANGES:
            other.execute(statement.encode())
            rows = await load_changes(connection, known)
            assert rows is not None, statement
            new = build_snapshot(rows, None, known)
            assert new.digest != known.digest, statement
            known = new
    assert await load_changes(connection, known) is None
    assert known.digest == (await load_snapshot(connection)).digest


async def test_functions_are_read_again_only_where_they_changed(
    postgres: Server, database: str, connection: Connection
) -> None:
    """They are thousands, and tables come and go without them."""
    known = await load_snapshot(connection)
    with postgres.connect(database=database) as other:
        for statement, is_same in (
            ("create table t(id int primary key)", True),
            ("create view v as select id from t", True),
            ("create function f(int) returns int stable language sql as 'select 1'", False),
            ("create operator <#> (rightarg = int, function = f)", True),
            ("alter extension plpgsql add function f(int)", False),
            ("alter extension plpgsql drop function f(int)", False),
            ("alter function f(int) immutable", False),
            ("create schema s", False),
            ("drop table t cascade", True),
        ):
            other.execute(statement.encode())
            rows = await load_changes(connection, known)
            assert rows is not None, statement
            assert (rows.functions is known.function_rows) == is_same, statement
            new = build_snapshot(rows, None, known)
            full = await load_snapshot(connection)
            assert new.digest == full.digest, statement
            assert new.unsafe_operators == full.unsafe_operators, statement
            for name in ("f", "now", "count"):
                judged = [each.function(Name(name), ("public",), 1, None) for each in (new, full)]
                assert judged[0] == judged[1], statement
            known = new


CHANGES = (
    "create schema s",
    "create table s.t(id int primary key, a text, g int)",
    "alter table s.t rename column a to b",
    "alter table s.t drop column b",
    "alter table s.t add column c numeric default 1",
    "alter table s.t alter column c type float8",
    "alter table s.t alter column c type numeric(10, 2)",
    'alter table s.t add column k text collate "C"',
    "create view v as select id from s.t",
    "create or replace view v as select id + 1 as id from s.t",
    "alter view v rename to w",
    "alter view w set (security_barrier)",
    "create type mood as enum ('x')",
    "alter type mood rename value 'x' to 'xx'",
    "alter type mood add value 'y'",
    "create function f() returns int stable language sql as 'select 1'",
    "create or replace function f() returns int stable language sql as 'select 2'",
    "alter function f() volatile",
    "alter function f() security definer",
    "create function trg() returns trigger language plpgsql as 'begin return new; end'",
    "create trigger tr before insert on s.t for each row execute function trg()",
    "alter table s.t disable trigger tr",
    "create policy p on s.t using (id > 1)",
    "alter policy p on s.t using (id > 2)",
    "alter table s.t enable row level security",
    "alter table s.t force row level security",
    "grant select on s.t to alice",
    "grant update (id) on s.t to bob",
    "revoke select on s.t from alice",
    "alter table s.t owner to app",
    "alter schema s rename to s2",
    "grant usage on schema s2 to alice",
    "create table s2.u(id int references s2.t)",
    "alter table s2.u add foreign key (id) references s2.t on delete cascade",
    "create table s2.child() inherits (s2.t)",
    "alter table s2.child no inherit s2.t",
    "create table s2.root(id int) partition by list (id)",
    "create table s2.part partition of s2.root for values in (1)",
    "alter table s2.root detach partition s2.part",
    "create rule r as on insert to s2.u do instead nothing",
    "create domain d as int",
    "alter domain d add check (value > 0)",
    "create operator <#> (leftarg = int, rightarg = int, function = int4pl)",
    "create cast (mood as int) with inout",
    "create aggregate agg(int) (sfunc = int4pl, stype = int)",
    "create materialized view m as select 1 as x",
    "create sequence q",
    "create collation c (locale = 'C')",
    "alter extension plpgsql add function trg()",
    "alter extension plpgsql drop function trg()",
    "create text search dictionary td (template = simple)",
    "alter text search dictionary td (stopwords = 'english')",
    "create text search configuration tc (copy = english)",
    "alter text search configuration tc alter mapping for asciiword with simple",
    "drop table s2.part",
    "drop function f()",
)


async def test_C21_role_membership_is_noticed(
    postgres: Server, database: str, connection: Connection
) -> None:
    role = f"role_of_{database}"
    known = await load_snapshot(connection)
    try:
        for statement in (
            f"create role {role}",
            f"grant alice to {role}",
            f"alter role {role} bypassrls",
        ):
            postgres.execute(statement)
            rows = await load_changes(connection, known)
            assert rows is not None, statement
            new = build_snapshot(rows)
            assert new.digest != known.digest, statement
            known = new
    finally:
        postgres.execute(f"drop role if exists {role}")


async def test_irrelevant_changes_leave_the_digest(
    postgres: Server, database: str, connection: Connection
) -> None:
    postgres.execute("create table t(id int)", database=database)
    before = await load_snapshot(connection)
    postgres.execute(
        "insert into t select generate_series(1, 1000)",
        "create index on t(id)",
        "analyze t",
        "vacuum full t",
        "truncate t",
        "alter table t add check (id > 0)",
        "comment on table t is 'x'",
        database=database,
    )
    assert (await load_snapshot(connection)).digest == before.digest


async def test_T10_whether_a_backend_is_gone(
    postgres: Server, database: str, connection: Connection
) -> None:
    with postgres.connect(database=database) as other:
        pid = other.info.backend_pid
        assert not await is_backend_gone(connection, pid)
        postgres.execute(f"select pg_terminate_backend({pid}, 10000)")
    assert await is_backend_gone(connection, pid)


async def test_system_relations_have_no_columns_and_users_have(
    postgres: Server, database: str, connection: Connection
) -> None:
    postgres.execute('create table t(id int, "Über" text, gone int)', database=database)
    postgres.execute("alter table t drop column gone", database=database)
    rows = await load_rows(connection)
    (table,) = [row for row in rows.relations if row.name == "t"]
    assert table.columns == ("id", "Über")
    assert table.types == (23, 25)
    assert all(not row.columns for row in rows.relations if row.oid < FIRST_USER_OID)


@pytest.mark.slow
async def test_two_thousand_tables(
    newest_postgres: Server, newest_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.execute(
        """do $$ begin
        for i in 1..2000 loop
            execute format('create table t%s(id int primary key, at timestamptz default now(),
                a text, b text, c numeric, d numeric, e jsonb, f bool, g date, h uuid)', i);
            if i % 10 = 0 then
                execute format('create view v%s as select t.*, now() as seen from t%s t
                    join t%s u using (id) where t.at > now() - interval ''1 day''', i, i, i - 1);
                execute format('alter table t%s add foreign key (id) references t%s
                    on delete cascade', i, i - 1);
            end if;
            if i % 500 = 0 then commit; end if;
        end loop; end $$""",
        database=newest_database,
    )
    connection = await asyncpg.connect(newest_postgres.url("service", newest_database))
    try:
        began = time.perf_counter()
        snapshot = await load_snapshot(connection)
        loaded = time.perf_counter()
        assert await load_changes(connection, snapshot) is None
        checked = time.perf_counter()
        with capsys.disabled():
            told = (
                f"loaded in {loaded - began:.2f} s, looked for changes in {checked - loaded:.3f} s"
            )
            sys.stdout.write(f"\n2 000 tables, 200 views: {told}\n")
    finally:
        await connection.close()
    (view,) = snapshot.find(Name("v2000"), ("public",))
    assert snapshot.read_closure([(view, False)]).clock
    (table,) = snapshot.find(Name("t1999"), ("public",))
    assert len(snapshot.write_closure([table])) == 2  # type: ignore[arg-type]

"""The data that every script finds: small, the same each time, owned by `app`."""

from __future__ import annotations

from tests.support.postgres import Server

TEMPLATE = "oracle_template"

_SQL = """
create table t (id int primary key, v text);
insert into t select g, 'v' || g from generate_series(1, 1000) g;
create table pair (a int, b int);
insert into pair values (1, 10), (2, 20), (3, null);
create table empty (id int primary key, note text not null);
create table wide (
    id int primary key, i2 smallint, i8 bigint, n numeric, f4 real, f8 double precision,
    d date, ts timestamp, tz timestamptz, iv interval, b boolean, by bytea, j jsonb, a int[],
    c char(4), m money, u uuid
);
insert into wide values
    (1, 1, 10000000000, 1.50, 0.1, 0.1 + 0.2::float8, '2024-02-29', '2024-02-29 12:34:56.789',
     '2024-02-29 12:34:56+00', '1 year 2 days 03:04:05', true, '\\x0001ff', '{"k": [1, null]}',
     '{1,2,null}', 'ab', 12.34, '00000000-0000-0000-0000-000000000001'),
    (2, null, null, 'NaN', 'Infinity', '-0', 'infinity', null, null, null, false, '', 'null',
     '{}', '', null, null);
create schema s1;
create schema s2;
create table s1.sh (a text);
create table s2.sh (a text);
insert into s1.sh values ('in s1');
insert into s2.sh values ('in s2');
create table ledger (id int primary key, tenant int not null, amount numeric not null);
insert into ledger select g, g % 3, g * 1.25 from generate_series(1, 9) g;
alter table ledger enable row level security;
create policy tenants on ledger to public
    using (tenant = nullif(current_setting('app.tenant', true), '')::int);
create table parent (id int primary key, name text);
create table child (id int primary key, parent int references parent on delete cascade, x text);
insert into parent values (1, 'one'), (2, 'two');
insert into child values (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c');
create table events (at date not null, kind text) partition by range (at);
create table events_23 partition of events for values from ('2023-01-01') to ('2024-01-01');
create table events_24 partition of events for values from ('2024-01-01') to ('2025-01-01');
insert into events values ('2023-05-05', 'old'), ('2024-05-05', 'new');
create view tv as select id, upper(v) as v from t where id <= 10;
create function noisy(text) returns text language plpgsql volatile as
    $$ begin raise notice 'noise: %', $1; return $1; end $$;
create procedure stepwise() language plpgsql as
    $$ begin
        insert into empty values (90, 'committed inside'); commit;
        delete from empty where id = 90; commit;
    end $$;
grant usage on schema s1, s2 to alice, bob, carol;
grant select on all tables in schema public, s1, s2 to alice, bob, carol;
grant insert, update, delete on pair, empty to alice;
"""


def create_template(server: Server) -> None:
    """Create the database that `create_database` copies, once for a server."""
    with server.connect() as connection:
        found = connection.execute(
            "select 1 from pg_database where datname = %s", [TEMPLATE]
        ).fetchone()
        if found:
            return
        connection.execute(f"create database {TEMPLATE} owner app".encode())
    server.execute(
        "alter schema public owner to app",
        "grant alice, bob to app",
        database=TEMPLATE,
    )
    with server.connect("app", TEMPLATE) as connection:
        connection.execute(_SQL.encode())


def create_database(server: Server, name: str, setup: str) -> None:
    """Create a database with the data set and a script's own additions."""
    create_template(server)
    server.execute(f"create database {name} template {TEMPLATE} owner app")
    if setup.strip():
        with server.connect("app", name) as connection:
            connection.execute(setup.encode())

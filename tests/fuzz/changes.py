"""Random SQL that changes rows, definitions, privileges and settings; the schema to start with."""

from __future__ import annotations

from tests.fuzz.grammar import _PATHS, _SETTINGS, COLUMNS, ROLES, SCHEMAS, TABLES, VIEWS, Grammar

SETUP = f"""
create schema s1; create schema s2;
create table t0 ({COLUMNS}, primary key (id)); create table t1 ({COLUMNS});
create table s1.t0 ({COLUMNS}); create table s2.t1 ({COLUMNS}); create table t2 ({COLUMNS});
insert into t0 values (1, 1, 'a'), (2, 2, 'b'), (3, 1, null), (4, 3, 'A');
insert into t1 values (1, 2, 'b'), (2, 1, 'a');
insert into s1.t0 values (1, 7, 's1'), (2, 1, 'a');
insert into s2.t1 values (1, 8, 's2');
insert into t2 values (1, 1, 'z');
create table t3 (primary key (id)) inherits (t0); insert into t3 values (5, 2, 'child');
create table t4 ({COLUMNS}) partition by list (n);
create table t5 partition of t4 for values in (1, 2); create table t4_rest partition of t4 default;
insert into t4 values (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c');
create view v2 as select x.id, y.n, x.v from t0 x join t1 y using (id);
create view v0 as select id, n, v from t0;
create view v1 as select n as id, count(*)::int as n, max(v) as v from t1 group by n;
create materialized view m0 as select id, n, v from t0;
create type e0 as enum ('a', 'b', 'x'); create domain d0 as int;
create sequence q0;
create function f0(int) returns int immutable language sql as 'select $1 + 1';
create function f1(int) returns int stable language sql as 'select count(*)::int from public.t0';
create function f2(int) returns int volatile language sql as 'select $1';
create function g0(text) returns text immutable language sql as 'select upper($1)';
create function g0(t0) returns text stable language sql as 'select ($1).v';
create function srf0(int) returns setof t0 stable language sql as 'select * from t0 where n = $1';
create function fw(int) returns int language sql as
    'insert into public.t1 values ($1, $1, ''fw'') returning n';
create function fset(text) returns text language sql as
    'select set_config(''app.tenant'', $1, false)';
create function frole() returns void language plpgsql as
    $$ begin perform set_config('role', 'alice', false); end $$;
create function ftrig() returns trigger language plpgsql as
    $$ begin insert into public.t2 values (1, 1, 'trig'); return new; end $$;
create function eq3(int, int) returns bool immutable language sql as 'select $1 = $2';
create function plus3(int, int) returns int immutable language sql as 'select $1 + $2';
create operator === (leftarg = int, rightarg = int, function = eq3);
create operator |+| (leftarg = int, rightarg = int, function = plus3);
create aggregate agg0 (int) (sfunc = plus3, stype = int, initcond = '0');
create procedure p0() language plpgsql as
    $$ begin insert into t1 values (6, 6, 'p0'); commit; update t0 set n = n + 1; end $$;
grant usage, create on schema public, s1, s2 to alice, bob;
grant all on all tables in schema public, s1, s2 to alice;
grant all on all sequences in schema public to alice, bob;
grant select on t0, t1, v0 to bob;
"""


class Changes(Grammar):
    """Makes statements that change something."""

    def select_only(self) -> str:
        """Make a query that is neither wide nor wild."""
        return f"select id, n, v from {self.relation()} where {self.condition(0)}"

    def write(self) -> str:
        """Make a statement that changes rows."""
        target = self.table() if self.odds(0.85) else self.view()
        k, s = self._number(), self.one("'a'", "'b'", "null")
        return self.one(
            f"insert into {target} values ({k + 5}, {k}, {s})",
            f"insert into {target} values ({k + 5}, {k}, {s})",
            f"insert into {target} (n, id) values ({k}, {k + 20})",
            f"insert into {target} {self.select_only()}",
            f"insert into {target} values ({k}, {k}, {s}) on conflict do nothing",
            f"insert into {target} values ({k}, 1, {s}) on conflict (id) do update set v = 'up'",
            f"insert into {target} default values returning *",
            f"update {target} set n = {k} where id = {k}",
            f"update {target} set v = {s}, n = coalesce(n, 0) + 1",
            f"update only {target} set n = {k} returning id, n",
            f"update {target} x set v = y.v from {self.relation()} y where x.id = y.id",
            f"delete from {target} where id > {k + 4}",
            f"delete from {target} using {self.relation()} y where y.n = {k}",
            f"with w as (update {target} set n = {k} returning id, n) select * from w",
            f"with w as (delete from {target} where n = {k} returning 1) select count(*) from w",
            f"merge into {target} x using {self.relation()} y on x.id = y.id"
            f" when matched then update set n = {k} when not matched then do nothing",
            f"truncate {target}{self.one('', ' cascade', ' restart identity')}",
            f"explain (analyze, costs off, timing off, summary off, buffers off)"
            f" update {target} set n = {k} where id = 1",
            f"select fw({k})" if self.odds(0.2) else "select 1",
            f"do $$ begin update {target} set n = {k}; end $$" if self.odds(0.2) else "select 1",
            "call p0()" if self.odds(0.2) else f"update {target} set n = {k}",
            f"copy (insert into {target} values (8, {k}, 'c') returning *) to stdout",
            f"copy {target} to stdout",
            f"copy ({self.select_only()}) to stdout",
            "refresh materialized view m0",
            f"select * from {target} for update",
            f"lock table {target} in share mode",
            f"prepare pw as insert into {target} values ($1, $1, 'pw')",
            f"execute pw({k})",
            f"insert into {target} values (7, 7, 'two'); select count(*) from {target}",
            f"update {target} set n = {k}; select 1/0",
        )

    def definition(self) -> str:
        """Make a statement that changes definitions or privileges."""
        return self.one(*self._of_tables(), *self._of_code(), *self._of_rights())

    def _of_tables(self) -> tuple[str, ...]:
        table, other, view = self.table(), self.table(), self.view()
        bare, schema = self.one(*TABLES), self.one(*SCHEMAS)
        kind = self.one("", "", "", "temp ", "unlogged ")
        return (
            f"create {kind}table {table} ({COLUMNS})",
            f"create {kind}table {bare} ({COLUMNS})",
            f"create table if not exists {schema}.{bare} ({COLUMNS})",
            f"create {kind}table {table} as {self.select_only()}",
            f"create table {table} () inherits ({other})",
            f"create table {table} (like {other} including all)",
            f"create table {table} ({COLUMNS}) partition by list (n)",
            f"create table {table} partition of {other} for values in (1, 2, 3)",
            f"alter table {other} attach partition {table} default",
            f"alter table {other} detach partition {table}",
            f"drop table {table}{self.one('', ' cascade')}",
            f"drop table if exists {table} cascade",
            f"alter table {table} rename to {bare}",
            f"alter table {table} set schema {schema}",
            f"alter table {table} add column x{self._number()} int default 1",
            f"alter table {table} drop column x{self._number()} cascade",
            f"alter table {table} alter v type varchar(5)",
            f"alter table {table} inherit {other}",
            f"alter table {table} no inherit {other}",
            f"alter table {table} add unique (id)",
            (
                f"alter table {table} add foreign key (n) references {other} (id)"
                f" on delete {self.one('cascade', 'set null')} on update cascade not valid"
            ),
            f"alter table {table} alter n set default 3",
            f"alter table {table} add column y0 int generated always as (n + 1) stored",
            f"create {self.one('', 'or replace ', 'temp ')}view {view} as {self.select_only()}",
            f"create or replace view {view} as select id, n, current_user::text as v from {table}",
            f"create or replace view {view} with (security_invoker) as {self.select_only()}",
            f"create view {view} as select id, f1(n) as n, v from {table}",
            f"drop view {view} cascade",
            f"create index on {table} (n)",
            f"create materialized view m0 as {self.select_only()}",
            "drop materialized view m0 cascade",
            f"create rule r0 as on insert to {table} do also insert into public.t2 values (3, 3)",
            f"create rule r1 as on update to {table} do instead delete from {other}",
            f"drop rule r0 on {table}",
            (
                f"create trigger tr0 after insert or update on {table} for each row"
                " execute function ftrig()"
            ),
            f"create trigger tr1 instead of insert on {view} for each row execute function ftrig()",
            f"drop trigger tr0 on {table}",
            f"alter table {table} disable trigger all",
            f"cluster {table}",
            f"vacuum {table}",
            f"analyze {table}",
            f"comment on table {table} is 'x'",
            f"create statistics on n, id from {table}",
        )

    def _of_code(self) -> tuple[str, ...]:
        schema, table = self.one(*SCHEMAS), self.table()
        mark = self.one("immutable", "stable", "volatile")
        return (
            (
                "create or replace function f0(int) returns int language sql"
                f" {self.one('immutable', 'volatile')} as 'select $1 + {self._number()}'"
            ),
            (
                f"create or replace function f1(int) returns int stable language sql as"
                f" 'select count(*)::int from {table}'"
            ),
            f"create function {schema}.abs(int) returns int {mark} language sql as 'select 77'",
            (
                f"create function {schema}.upper(text) returns text {mark} language sql as"
                " 'select ''shadow'''"
            ),
            f"drop function if exists {schema}.abs(int)",
            f"drop function if exists {schema}.upper(text)",
            f"create function {schema}.f1(int) returns int immutable language sql as 'select 55'",
            f"create function {schema}.length(t0) returns int stable language sql as 'select 3'",
            f"create operator {schema}.= (leftarg = int, rightarg = int, function = eq3)",
            f"drop operator if exists {schema}.= (int, int)",
            f"create schema if not exists {self.one('alice', 'bob', 'app')}",
            f"drop schema if exists {self.one('alice', 'bob', 'app')} cascade",
            f"create table {self.one('alice', 'bob', 'app')}.t0 as select 1 id, 1 n, 'own' v",
            "alter type e0 rename value 'a' to 'aa'",
            "alter type e0 rename value 'aa' to 'a'",
            "alter domain d0 add constraint c check (value < 3) not valid",
            "create cast (int as e0) with inout as implicit",
            "alter function f0(int) volatile",
            "alter function f0(int) immutable",
            "alter function f2(int) immutable",
            "alter function f0(int) set timezone = 'Asia/Tokyo'",
            "alter sequence q0 restart",
        )

    def _of_rights(self) -> tuple[str, ...]:
        table, role = self.table(), self.one("alice", "bob", "public")
        schema, person = self.one(*SCHEMAS), self.one("alice", "bob")
        return (
            f"grant select on {table} to {role}",
            f"grant select (id, n) on {table} to {role}",
            f"grant all on {table} to {role}",
            f"revoke select on {table} from {role}",
            f"revoke all on {table} from {role}",
            f"revoke all on all tables in schema {schema} from {role}",
            f"grant all on all tables in schema {schema} to {role}",
            f"revoke usage on schema {schema} from {role}",
            f"grant usage on schema {schema} to {role}",
            f"alter table {table} enable row level security",
            f"alter table {table} force row level security",
            f"alter table {table} disable row level security",
            (
                f"create policy {self.one('po0', 'po1')} on {table} using"
                " (n = nullif(current_setting('app.tenant', true), '')::int)"
            ),
            (
                f"create policy {self.one('po0', 'po1')} on {table} using"
                " (exists (select from public.t1 y where y.n = id))"
            ),
            f"create policy {self.one('po0', 'po1')} on {table} using (current_user = 'app')",
            f"create policy {self.one('po0', 'po1')} on {table} to {person} using (n > 1)",
            f"drop policy {self.one('po0', 'po1')} on {table}",
            f"alter table {table} owner to {self.one(*ROLES)}",
            f"alter function f0(int) owner to {self.one(*ROLES)}",
            f"revoke execute on function {self.one('f0', 'f1', 'f2')}(int) from public",
            f"grant execute on function {self.one('f0', 'f1', 'f2')}(int) to public",
            f"alter default privileges grant select on tables to {person}",
            f"alter role {person} in database current_base set search_path = s1, public",
            f"alter role {person} in database current_base reset all",
            f"alter database current_base set timezone = '{self.one('UTC', 'Asia/Tokyo')}'",
            "alter database current_base reset all",
            f"reassign owned by {person} to app",
        )

    def setting(self) -> str:
        """Make a statement that changes the session."""
        local = self.one("", "", "local ", "session ")
        setting = self.one(*_SETTINGS)
        if "transaction" in setting and self.odds(0.8):
            setting = "timezone = 'Asia/Tokyo'"
        name = setting.split(" ")[0]
        role = self.one("alice", "bob", "app", "none", '"bob"')
        return self.one(
            f"set {local}{setting}",
            f"set {local}{setting}",
            f"set {local}{setting}",
            f"set {local}search_path = {self.one(*_PATHS)}",
            f"set {local}search_path = {self.one(*_PATHS)}",
            f"set {local}role {role}",
            f"set {local}role {role}",
            f"set {local}session authorization {self.one('alice', 'bob', 'default', 'app')}",
            f"reset {name if name not in ('time', 'datestyle', 'names') else 'timezone'}",
            self.one("reset all", "reset role", "reset session authorization", "reset search_path"),
            self.one("discard all", "discard temp", "discard plans", "discard all"),
            f"select set_config('app.tenant', '{self._number()}', {self.one('true', 'false')})",
            f"select set_config('search_path', 's1, public', {self.one('true', 'false')})",
            f"select fset('{self._number()}')" if self.odds(0.3) else "select 2",
            "select frole()" if self.odds(0.3) else "select 2",
            f"show {self.one('app.tenant', 'search_path', 'role', 'timezone', 'all')}"
            if self.odds(0.5)
            else "show search_path",
            "deallocate all",
            "set session characteristics as transaction isolation level"
            f" {self.one('read uncommitted', 'read committed')}",
            "select 3"
            if self.odds(0.8)
            else f"do $$ begin set app.tenant = '{self._number()}'; end $$",
            f"set schema '{self.one(*SCHEMAS)}'",
        )


__all__ = ["SETUP", "VIEWS", "Changes"]

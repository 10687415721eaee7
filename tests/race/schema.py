"""The tables of the race: one register each for every way that a write can reach a read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SQL = """
create table p0 (id int primary key, v text);
create table p1 (id int primary key, v text);
insert into p0 values (1, 'x0'), (2, 'x0');
insert into p1 values (1, 'x0'), (2, 'x0');
create view p0_view as select id, v from p0;
create view p0_view_of_view as select v, id from p0_view where id > 0;
create table parted (id int, v text) partition by list (id);
create table parted_1 partition of parted for values in (1);
create table parted_2 partition of parted for values in (2);
insert into parted values (1, 'x0'), (2, 'x0');
create table code_parent (code text primary key);
create table code_child (code text references code_parent on update cascade);
insert into code_parent values ('x0');
insert into code_child values ('x0');
create table source (v text);
create table target (v text);
insert into source values ('x0');
insert into target values ('x0');
create function copy_over() returns trigger language plpgsql as
    $$ begin update target set v = new.v; return new; end $$;
create trigger copying after update on source for each row execute function copy_over();
create table truncated (v text);
insert into truncated values ('x0');
create table swapped (v text);
insert into swapped values ('x0');
create table attached (id int, v text) partition by list (id);
create table attached_1 partition of attached for values in (1);
insert into attached values (1, 'x0');
create table retyped (v text);
insert into retyped values ('x0');
create table polished (v text);
insert into polished values ('x0');
alter table polished enable row level security;
alter table polished force row level security;
create policy shown on polished for select using (v = 'x0');
create policy added on polished for insert with check (true);
create table secured (tenant int, v text);
insert into secured values (1, 'x0'), (2, 'x0');
alter table secured enable row level security;
alter table secured force row level security;
create policy tenants on secured
    using (tenant = nullif(current_setting('app.tenant', true), '')::int);
create schema s1;
create schema s2;
create table s1.same (v text);
create table s2.same (v text);
insert into s1.same values ('x0');
insert into s2.same values ('x0');
create table guarded (v text);
insert into guarded values ('x0');
create function bump(text) returns void language plpgsql as
    $$ begin update p1 set v = $1 where id = 1; end $$;
create procedure step(text) language plpgsql as
    $$ begin update p1 set v = $1 where id = 1; commit; perform 1; end $$;
grant usage on schema s1, s2 to alice, bob;
grant select, insert, update, delete, truncate
    on all tables in schema public, s1, s2 to alice, bob;
revoke all on guarded from bob;
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A register's statements; `{}` is the new value, as `x17`."""

    read: Sequence[str]
    writes: Sequence[str] = ()
    seldom: Sequence[str] = ()
    """Writes that make the proxy drop everything and read the catalogs again: dear, so seldom."""
    alone: Sequence[str] = ()
    """The same, but not inside a transaction."""


_P = (
    "update {table} set v = '{{}}' where id = {id}",
    "insert into {table} values ({id}, '{{}}') on conflict (id) do update set v = excluded.v",
    "with w as (update {table} set v = '{{}}' where id = {id} returning 1) select count(*) from w",
    (
        "merge into {table} m using (values ({id})) s(id) on m.id = s.id"
        " when matched then update set v = '{{}}'"
    ),
    "explain (analyze, costs off, timing off) update {table} set v = '{{}}' where id = {id}",
    "update {table} set v = '{{}}' where id = {id}; select 1",
    "/* a comment */ UPDATE {table} SET v = '{{}}' WHERE id = {id} RETURNING v",
)
_UNKNOWN = (
    "select bump('{}')",
    "do $$ begin update p1 set v = '{}' where id = 1; end $$",
)


def _plain(table: str, number: int) -> tuple[str, ...]:
    return tuple(form.format(table=table, id=number) for form in _P)


TARGETS: Mapping[str, Target] = {
    "p0.1": Target(
        (
            "select v from p0 where id = 1",
            "SELECT  v FROM p0 /* {0} */ WHERE id = 1",
            "select v from p0_view where id = 1",
            "select v from p0_view_of_view where id = 1",
            "with p0 as (select * from p0 where id = 1) select v from p0",
            "select a.v from p0 a join p1 b using (id) where id = 1",
        ),
        _plain("p0", 1),
    ),
    "p0.2": Target(("select v from p0 where id = 2",), _plain("p0", 2)),
    "p1.1": Target(
        ("select v from p1 where id = 1",), _plain("p1", 1), _UNKNOWN, ("call step('{}')",)
    ),
    "p1.2": Target(("select v from p1 where id = 2",), _plain("p1", 2)),
    "parted.1": Target(
        ("select v from parted where id = 1", "select max(v) from parted_1"),
        ("update parted_1 set v = '{}'", "update parted set v = '{}' where id = 1"),
    ),
    "parted.2": Target(
        ("select v from parted where id = 2",),
        ("update parted_2 set v = '{}'", "update parted set v = '{}' where id = 2"),
    ),
    "cascade": Target(
        ("select code from code_child", "select code from code_parent"),
        ("update code_parent set code = '{}'",),
    ),
    "trigger": Target(("select v from target",), seldom=("update source set v = '{}'",)),
    "truncated": Target(
        ("select v from truncated",),
        ("truncate truncated; insert into truncated values ('{}')",),
    ),
    "swapped": Target(
        ("select v from swapped",),
        seldom=(
            (
                "create table public.swapped_new as select '{}'::text as v;"
                " drop table public.swapped;"
                " alter table public.swapped_new rename to swapped;"
                " grant select, insert, update, delete on public.swapped to alice, bob"
            ),
        ),
    ),
    "attached": Target(
        ("select v from attached", "select v from attached where id = 1"),
        seldom=(
            (
                "create table public.attached_new (id int, v text);"
                " insert into public.attached_new values (1, '{}');"
                " alter table public.attached detach partition public.attached_1;"
                " drop table public.attached_1;"
                " alter table public.attached_new rename to attached_1;"
                " alter table public.attached"
                " attach partition public.attached_1 for values in (1)"
            ),
        ),
    ),
    "retyped": Target(
        ("select v from retyped",),
        seldom=("alter table public.retyped alter column v type text using '{}'",),
    ),
    "polished": Target(
        ("select v from polished",),
        seldom=(
            (
                "insert into public.polished values ('{0}');"
                " alter policy shown on public.polished using (v = '{0}')"
            ),
            (
                "drop policy shown on public.polished;"
                " create policy shown on public.polished for select using (v = '{0}');"
                " insert into public.polished values ('{0}')"
            ),
        ),
    ),
    "secured.1": Target(("select v from secured",), ("update secured set v = '{}'",)),
    "secured.2": Target(("select v from secured",), ("update secured set v = '{}'",)),
    "s1.same": Target(("select v from same",), ("update same set v = '{}'",)),
    "s2.same": Target(("select v from same",), ("update s2.same set v = '{}'",)),
}
SCHEMA_CHANGES = frozenset({"swapped", "attached", "retyped", "polished"})
"""Targets whose writes change the schema."""
UNVERSIONED = SCHEMA_CHANGES | {"truncated"}
"""Targets of which old snapshots may see what is newer, or nothing: PostgreSQL's own way."""

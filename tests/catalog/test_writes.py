"""What a write may change (C-32), and that its tags meet what readers depend on (C-20)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcache.catalog.model import EVERYTHING, Tags
from pgcache.catalog.model import Server as Origin
from pgcache.catalog.rows import (
    EventTriggerRow,
    ForeignKeyRow,
    FunctionRow,
    InheritRow,
    RelationRow,
    Rows,
)
from pgcache.catalog.snapshot import build_snapshot
from pgcache.sql.model import Name
from tests.catalog.schema import load
from tests.support.postgres import Server


@pytest.mark.postgres
async def test_C32_foreign_keys(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        "create table a(id int primary key)",
        "create table b(id int primary key references a on delete cascade)",
        "create table c(id int primary key references b on update set null)",
        "create table d(id int references c on delete set default)",
        "create table e(id int references a)",
        "create table f(id int)",
        "create table own(id int primary key, up int references own on delete cascade)",
    )
    assert schema.write_names("a") == {"a", "b", "c", "d"}
    assert schema.write_names("b") == {"b", "c", "d"}
    assert schema.write_names("d") == {"d"}
    assert schema.write_names("a", cascade=True) == {"a", "b", "c", "d", "e"}
    assert schema.write_names("own") == {"own"}
    assert schema.write_names("e", "f") == {"e", "f"}


@pytest.mark.postgres
async def test_C32_foreign_keys_between_partitions(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        "create table r(id int primary key) partition by range (id)",
        "create table r1 partition of r for values from (0) to (10)",
        "create table s(id int references r on delete cascade) partition by range (id)",
        "create table s1 partition of s for values from (0) to (10)",
    )
    assert schema.write_names("r") == {"r", "r1", "s", "s1"}
    assert schema.write_names("r1") == {"r", "r1", "s", "s1"}
    assert schema.write_names("s1") == {"s", "s1"}


BODY = "returns trigger language plpgsql as $$begin"


@pytest.mark.postgres
async def test_C32_triggers(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        "create table audit(id int)",
        "create table plain(id int, at timestamptz, doc tsvector, txt text)",
        "create table unknown_trigger(id int)",
        "create table declared_trigger(id int)",
        "create table off_trigger(id int)",
        "create table root(id int) partition by list (id)",
        "create table leaf partition of root for values in (1)",
        f"create function stamp() {BODY} new.at := now(); return new; end$$",
        f"create function logs() {BODY} insert into audit values (1); return new; end$$",
        f"create function logs2() {BODY} insert into audit values (1); return new; end$$",
        "create trigger t1 before insert on plain for each row execute function stamp()",
        "create trigger t2 before update on plain for each row"
        " execute function suppress_redundant_updates_trigger()",
        "create trigger t3 before insert on plain for each row"
        " execute function tsvector_update_trigger(doc, 'pg_catalog.english', txt)",
        "create trigger t4 after insert on unknown_trigger execute function logs2()",
        "create trigger t5 after insert on declared_trigger for each row execute function logs()",
        "create trigger t6 after insert on off_trigger execute function logs2()",
        "alter table off_trigger disable trigger t6",
        "create trigger t7 after insert on root for each row execute function logs2()",
        declared={"public.logs": ("public.audit",)},
    )
    assert schema.write_names("plain") == {"plain"}
    assert schema.write_names("unknown_trigger") is None
    assert schema.write_names("declared_trigger") == {"declared_trigger", "audit"}
    assert schema.write_names("off_trigger") == {"off_trigger"}
    assert schema.write_names("root") is None
    assert schema.write_names("leaf") is None
    assert schema.write_names("plain", "unknown_trigger") is None


@pytest.mark.postgres
async def test_C32_a_cascade_sets_off_triggers(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        "create table a(id int primary key)",
        "create table b(id int references a on delete cascade)",
        f"create function logs() {BODY} execute 'x'; return new; end$$",
        "create trigger t after delete on b for each row execute function logs()",
    )
    assert schema.write_names("a") is None


@pytest.mark.postgres
async def test_C32_code_that_no_trigger_function_shows(
    newest_postgres: Server, newest_database: str
) -> None:
    schema = await load(
        newest_postgres,
        newest_database,
        "create table log(i int)",
        "create function puts() returns int language sql as"
        " 'insert into log values (1) returning i'",
        "create domain filled as int default puts()",
        "create domain constant as int default 1",
        "create table a(x int, y filled)",
        "create table b(x int, y constant)",
        "create table c(x int)",
        "create trigger t before update on c for each row when (puts() = 1)"
        " execute function suppress_redundant_updates_trigger()",
        "create table d(x int)",
        "create trigger t before update on d for each row when (old.x = 1)"
        " execute function suppress_redundant_updates_trigger()",
        "create type pair as (a int)",
        "create type mood as enum ('good')",
        "create function feel(pair) returns mood language sql as"
        " 'insert into log values (1) returning ''good''::mood'",
        "create cast (pair as mood) with function feel(pair) as assignment",
        "create table e(m mood)",
        "create table f(p pair)",
    )
    assert schema.write_names("a") is None
    assert schema.write_names("b") == {"b"}
    assert schema.write_names("c") is None
    assert schema.write_names("d") == {"d"}
    assert schema.write_names("e") is None
    assert schema.write_names("f") is None  # an UPDATE may cast what it reads of the row
    assert schema.snapshot.writing_type(Name("mood"), ("public",))


@pytest.mark.postgres
async def test_C32_a_foreign_table_may_lead_back(
    newest_postgres: Server, newest_database: str
) -> None:
    schema = await load(
        newest_postgres,
        newest_database,
        "create foreign data wrapper w",
        "create server s foreign data wrapper w",
        "create foreign table far(i int) server s",
        "create table near(i int) partition by list (i)",
        "create foreign table part partition of near for values in (1) server s",
    )
    assert schema.write_names("far") is None
    assert schema.write_names("near") is None


@pytest.mark.postgres
async def test_C32_a_user_function_shadows_a_harmless_name(
    newest_postgres: Server, newest_database: str
) -> None:
    schema = await load(
        newest_postgres,
        newest_database,
        "create table a(at text)",
        "create schema s1",
        "create function s1.lower(text) returns text language sql as 'select $1'",
        f"create function stamp() {BODY} new.at := lower(new.at); return new; end$$",
        "create trigger t before insert on a for each row execute function stamp()",
    )
    assert schema.write_names("a") is None


@pytest.mark.postgres
async def test_C32_views_and_rules(postgres: Server, database: str) -> None:
    schema = await load(
        postgres,
        database,
        "create table t(id int, x int)",
        "create table log(id int)",
        "create view v as select id from t",
        "create view w as select id from v",
        "create view with_rule as select id from t",
        "create rule r as on insert to with_rule do instead insert into log values (new.id)",
        "create view with_trigger as select id from t",
        f"create function puts() {BODY} insert into log values (1); return new; end$$",
        "create trigger g instead of insert on with_trigger for each row execute function puts()",
        "create table ruled(id int)",
        "create rule also as on update to ruled do also insert into log values (1)",
        "create function vol(int) returns bool language sql as 'select true'",
        "create view calls as select id from t where vol(id)",
    )
    assert schema.write_names("v") == {"v", "t"}
    assert schema.write_names("w") == {"w", "v", "t"}
    assert schema.write_names("with_rule") is None
    assert schema.write_names("with_trigger") is None
    assert schema.write_names("ruled") is None
    assert schema.write_names("calls") is None
    assert schema.write_names("t") == {"t"}
    assert schema.write_names("pg_class") is None


@pytest.mark.postgres
async def test_C32_defaults_checks_and_policies_that_may_write(
    postgres: Server, database: str
) -> None:
    schema = await load(
        postgres,
        database,
        "create function vol() returns int language sql as 'select 1'",
        "create function told() returns int language sql as 'select 1'",
        "create function pure(int) returns bool immutable language sql as 'select true'",
        "create sequence numbers",
        "create table log(id int)",
        "create table usual(id serial, u uuid default gen_random_uuid(), at timestamptz"
        " default clock_timestamp(), g int generated always as identity, check (pure(id)))",
        "create table by_default(id int default vol() + 1)",
        "create table by_told(id int default told())",
        "create table by_check(id int check (id > vol()))",
        "create table by_policy(id int)",
        "create policy p on by_policy with check (vol() > 0)",
        declared={"public.told": ("public.log",)},
    )
    assert schema.write_names("usual") == {"usual"}
    assert schema.write_names("by_default") is None
    assert schema.write_names("by_check") is None
    assert schema.write_names("by_policy") is None
    assert schema.write_names("by_told") == {"by_told", "log"}


SIZE = 8
OIDS = st.integers(0, SIZE - 1).map(lambda n: 20000 + n)


@settings(deadline=None)
@given(
    inherits=st.lists(st.tuples(OIDS, OIDS).filter(lambda p: p[0] > p[1]), max_size=12),
    keys=st.lists(st.tuples(OIDS, OIDS, st.sampled_from("acdnr")), max_size=6),
)
def test_C20_writes_meet_the_reads_of_every_relation_that_shows_the_change(
    inherits: list[tuple[int, int]], keys: list[tuple[int, int, str]]
) -> None:
    """A row in any table is seen by the table and its ancestors; a write reaches descendants."""
    snapshot = build_snapshot(
        Rows(
            server=Origin("db", 1, 150000),
            relations=tuple(
                RelationRow(20000 + n, "public", f"t{n}", "r", "p", False) for n in range(SIZE)
            ),
            inherits=tuple(InheritRow(*pair) for pair in sorted(set(inherits))),
            foreign_keys=tuple(ForeignKeyRow(a, b, "a", action) for a, b, action in keys),
        )
    )
    children = {oid: {c for c, p in inherits if p == oid} for oid in snapshot.relations}
    for relation in snapshot.relations.values():
        tags = snapshot.write_closure([relation])
        assert tags is not EVERYTHING
        changed = _changed({relation.oid}, children, keys)
        for reader in snapshot.relations.values():
            shown = _below(reader.oid, children)
            reads = snapshot.read_closure([(reader, False)]).tags
            only = snapshot.read_closure([(reader, True)]).tags
            assert not shown & changed or reads & tags
            assert reader.oid not in changed or only & tags


def _below(oid: int, children: dict[int, set[int]]) -> set[int]:
    return {oid}.union(*(_below(child, children) for child in children[oid]))


def _changed(
    start: set[int], children: dict[int, set[int]], keys: list[tuple[int, int, str]]
) -> set[int]:
    """The tables whose own rows may change, found in the plainest way."""
    found = set(start)
    while True:
        more = found.union(*(_below(oid, children) for oid in found))
        more |= {a for a, b, action in keys if b in more and action in "cdn"}
        if more == found:
            return found
        found = more


def test_C32_what_a_login_may_change() -> None:
    server = Origin("db", 1, 180000)
    log = RelationRow(20000, "public", "log", "r", "p", False)
    puts = FunctionRow(20001, "public", "puts", "v", "f", 0, 0, False)
    says = FunctionRow(20002, "public", "says", "s", "f", 0, 0, False)

    def writes(*triggers: EventTriggerRow, **declared: tuple[str, ...]) -> Tags:
        rows = Rows(
            server=server, relations=(log,), functions=(puts, says), event_triggers=triggers
        )
        named = {f"public.{name}": tables for name, tables in declared.items()}
        return build_snapshot(rows, named).login_writes

    assert not writes()
    assert not writes(EventTriggerRow(1, "t", "ddl_command_end", puts.oid))
    assert not writes(EventTriggerRow(1, "t", "login", says.oid))
    assert writes(EventTriggerRow(1, "t", "login", puts.oid)) is EVERYTHING
    assert writes(EventTriggerRow(1, "t", "login", puts.oid), puts=("public.log",)) == frozenset(
        {log.oid}
    )

"""Writes go where names lead when they run, not where they led before (S-09, S-11, C-30)."""

from __future__ import annotations

import pytest

from tests.isolation.arena import Arena

COUNT = "select count(*) from other.kv"


@pytest.fixture
def two(arena: Arena) -> Arena:
    """Return the arena with a second ``kv`` in another schema, and ways to get there."""
    arena.run(
        "create schema other",
        "create table other.kv (k int primary key, v text)",
        "grant all on schema other to public",
        "grant all on other.kv to public",
        "create function public.login() returns void language sql as "
        "$$ select set_config('search_path', 'other', false) $$",
    )
    arena.talk().ask("create table noted ()")  # the proxy looks at the catalogs
    return arena


@pytest.mark.parametrize(
    "text",
    [
        "set search_path = other; insert into kv values (1, 'a')",
        "begin; set local search_path = other; insert into kv values (1, 'a'); commit",
        "select set_config('search_path', 'other', false); insert into kv values (1, 'a')",
        "select login(); insert into kv values (1, 'a')",
    ],
)
def test_S11_a_path_set_in_the_same_text(two: Arena, text: str) -> None:
    talker = two.talk()
    talker.ask("select * from kv")
    two.warm(COUNT)
    talker.ask(text)
    assert two.talk().ask(COUNT) == [(1,)]


def test_S11_a_path_taken_back_in_the_same_text(two: Arena) -> None:
    talker = two.talk()
    talker.ask("set search_path = other")
    talker.ask("select * from kv")
    talker.ask("begin")
    talker.ask("set local search_path = public")
    two.warm(COUNT)
    talker.ask("rollback; insert into kv values (1, 'a')")
    assert two.talk().ask(COUNT) == [(1,)]


def test_S11_a_path_set_in_a_pipeline(two: Arena) -> None:
    talker = two.talk()
    talker.ask("select * from kv")
    two.warm(COUNT)
    with talker.connection.pipeline():
        talker.connection.execute("set search_path = other")
        talker.connection.execute("insert into kv values (1, 'a')")
    assert two.talk().ask(COUNT) == [(1,)]


def test_S07_a_path_set_by_a_function(two: Arena) -> None:
    talker = two.talk()
    talker.ask("select * from kv")
    talker.ask("select login()")
    two.warm(COUNT)
    talker.ask("insert into kv values (1, 'a')")
    assert two.talk().ask(COUNT) == [(1,)]


def test_S09_a_table_is_temporary_by_the_path(arena: Arena) -> None:
    sql = "select * from kv"
    talker, twin = arena.talk(), arena.talk()
    talker.ask("set search_path = pg_temp, public")
    twin.ask("set search_path = public, pg_temp")
    assert twin.is_hit(sql)
    assert talker.ask(sql) == [(1, "a")]
    talker.ask("create table kv (k int, v text)")
    assert talker.ask(sql) == []
    assert twin.ask(sql) == [(1, "a")]
    twin.ask("set search_path = pg_temp, public")
    assert twin.ask(sql) == [(1, "a")]


def test_S09_a_schema_for_temporary_objects_stays(arena: Arena) -> None:
    """A session that ever had a temporary table differs from one that never had."""
    sql = "select current_schemas(true)::text, current_schema::text, k from kv"
    arena.talk().ask(sql)
    for talker in (arena.talk(), arena.direct()):
        before = talker.ask(sql)
        talker.ask("create temp table t ()")
        talker.ask("drop table t")
        after = talker.ask(sql)
        assert before != after
        assert str(after[0][0]).startswith("{pg_temp_")
        talker.ask("set search_path = pg_temp, public")
        assert str(talker.ask(sql)[0][1]).startswith("pg_temp_")


def test_S04_constants_may_differ_and_names_mean_what_they_mean_to_the_session(
    arena: Arena,
) -> None:
    """Queries of one outline share their analysis, not what their names resolve to."""
    arena.run(
        "create schema other",
        "create table other.kv (k int primary key, v text)",
        "insert into kv values (2, 'b'), (3, 'c')",
        "insert into other.kv values (1, 'other'), (2, 'other'), (3, 'other')",
        "grant usage on schema other to public",
        "grant all on other.kv to public",
    )
    here, there, writer = arena.talk(), arena.talk(), arena.talk()
    there.ask("set search_path = other")
    assert here.is_hit("select v from kv where k = 1")
    assert there.is_hit("select v from kv where k = 2")
    writer.ask("update other.kv set v = 'changed'")
    assert there.ask("select v from kv where k = 2") == [("changed",)]
    assert there.is_hit("select v from kv where k = 3")
    writer.ask("update kv set v = 'changed here'")
    assert here.ask("select v from kv where k = 1") == [("changed here",)]

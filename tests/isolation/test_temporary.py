"""Temporary tables that only hold rows leave everybody's results alone; others may not (S-09)."""

from __future__ import annotations

import pytest

from tests.isolation.arena import Arena
from tests.support.postgres import SUPERUSER

ROWS = "select * from kv"

MAKERS = [
    "create temp table t (k int, v text)",
    "create temp table t as table kv",
    "select * into temp t from kv",
]


@pytest.mark.parametrize("maker", MAKERS)
def test_C34_work_on_a_temporary_table(arena: Arena, maker: str) -> None:
    arena.talk().ask("create table noted ()")
    arena.warm(ROWS)
    reader, talker = arena.talk(), arena.talk()
    for statement in (
        maker,
        "create temp table another (i int)",
        "insert into t values (2, 'b')",
        "insert into pg_temp.t values (2, 'b')",
        "create index on t (k)",
        "update t set v = 'c'",
        "analyze t",
        "delete from t where k = 2",
        "truncate t, another",
        "begin",
        "insert into t select * from kv",
        "commit",
        "drop table t",
    ):
        assert not talker.fails(statement), statement
        reader.ask(ROWS)
        assert "; hit" in reader.verdict(), statement
    assert talker.ask(ROWS) == [(1, "a")]


def test_C34_a_table_of_the_same_name(arena: Arena) -> None:
    talker = arena.talk()
    talker.ask("create temp table kv (k int, v text)")
    talker.ask("drop table kv")
    arena.warm(ROWS)
    talker.ask("insert into kv values (2, 'b')")
    assert arena.talk().ask(ROWS) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("name", ["t", "pg_temp.t"])
@pytest.mark.parametrize(
    "makers",
    [
        (
            "create temp table t (i int)",
            "create trigger noted after insert on t for each row execute function noted()",
        ),
        (
            "create temp table t (i int)",
            "create rule r as on insert to t do also insert into kv values (2, 'b')",
        ),
        ("create temp table t (i int default again())",),
        ("create temp table t (i int, j int check (again() > 0))",),
        ("create temp table t (i int)", "alter table t alter i set default again()"),
        (
            "create temp table t (i int)",
            "do $$ begin alter table t alter i set default again(); end $$",
        ),
        ("create temp view t as select k as i, v from kv",),
        (
            "create temp table t (i int)",
            "create trigger noted after insert on t for each row execute function noted()",
            "create temp table if not exists t (i int)",
        ),
    ],
)
def test_C32_a_temporary_table_with_code(arena: Arena, makers: tuple[str, ...], name: str) -> None:
    arena.run(
        "create function noted() returns trigger language plpgsql as "
        "$$ begin insert into public.kv values (2, 'b'); return new; end $$",
        "create function again() returns int language plpgsql as "
        "$$ begin insert into public.kv values (2, 'b'); return 1; end $$",
    )
    talker = arena.talk(SUPERUSER)
    talker.ask("create table noted ()")
    for maker in makers:
        assert not talker.fails(maker)
    arena.warm(ROWS)
    text = f"insert into {name} {'values (2)' if 'view' in makers[0] else 'default values'}"
    talker.ask(text)
    assert len(arena.truth(ROWS)) == 2
    assert arena.talk().ask(ROWS) == arena.truth(ROWS)

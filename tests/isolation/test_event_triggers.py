"""Code that DDL runs although the DDL itself changes nothing that is cached (C-31, C-32)."""

from __future__ import annotations

import pytest

from tests.isolation.arena import Arena
from tests.support.postgres import SUPERUSER

COUNT = "select count(*) from log"


def _log(arena: Arena) -> None:
    arena.run("create table log (i int)", "grant all on log to public")


@pytest.mark.parametrize(
    "statement",
    [
        "create temp table t (i int)",
        "create temp table t as select 1 as i",
        "select 1 as i into temp t",
        "comment on table kv is 'x'",
        "refresh materialized view mv",
    ],
)
def test_C32_event_triggers_may_write(arena: Arena, statement: str) -> None:
    _log(arena)
    arena.run(
        "create function noted() returns event_trigger language plpgsql as "
        "$$ begin insert into public.log values (1); end $$",
        "create materialized view mv as select * from kv",
        "create event trigger noted on ddl_command_end execute function noted()",
    )
    talker = arena.talk(SUPERUSER)
    talker.ask("create table noted ()")
    arena.warm(COUNT)
    talker.ask(statement)
    assert arena.talk().ask(COUNT) == arena.truth(COUNT) == [(2,)]


def test_C32_a_refresh_reads_a_view_that_writes(arena: Arena) -> None:
    _log(arena)
    arena.run(
        "create function noted() returns int language plpgsql as "
        "$$ begin insert into public.log values (1); return 1; end $$",
        "create view writing as select noted() as n, k from kv",
        "create materialized view mv as select * from writing",
    )
    talker = arena.talk(SUPERUSER)
    talker.ask("create table noted ()")
    arena.warm(COUNT)
    talker.ask("refresh materialized view mv")
    assert arena.talk().ask(COUNT) == arena.truth(COUNT) == [(2,)]


def test_C31_a_cast_checks_a_domain(arena: Arena) -> None:
    _log(arena)
    arena.run(
        "create function noted(int) returns bool language plpgsql as "
        "$$ begin insert into public.log values (1); return true; end $$",
        "create domain checked as int check (noted(value))",
    )
    talker = arena.talk(SUPERUSER)
    talker.ask("create table noted ()")
    for text in ("select 1::checked", "select checked(1)", "select checked '1'"):
        arena.warm(COUNT)
        talker.ask(text)
        assert arena.talk().ask(COUNT) == arena.truth(COUNT)


def test_C32_a_login_may_write(arena: Arena) -> None:
    if arena.server.major < 17:
        pytest.skip("no event triggers run at a login before PostgreSQL 17")
    _log(arena)
    arena.run(
        "create function noted() returns event_trigger language plpgsql security definer as "
        "$$ begin insert into public.log values (1); end $$",
        "create event trigger noted on login execute function noted()",
        "alter event trigger noted enable always",
    )
    talker = arena.talk(SUPERUSER)
    talker.ask("create table noted ()")
    assert talker.is_hit(COUNT)
    before = talker.ask(COUNT)[0][0]
    arena.talk()
    assert talker.ask(COUNT)[0][0] > before

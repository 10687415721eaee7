"""Definitions that change what a write touches, and what cannot run inside a transaction."""

from __future__ import annotations

from tests.isolation.arena import Arena

COUNT = "select count(*) from noted"


def test_C33_a_trigger_counts_from_its_creation_on(arena: Arena) -> None:
    arena.run("create table noted (k int)", "grant all on noted to public")
    talker = arena.talk("postgres")
    talker.ask("insert into kv values (2, 'b')")
    arena.warm(COUNT)
    talker.ask(
        "create function note() returns trigger language plpgsql as"
        " $$ begin insert into noted values (new.k); return new; end $$"
    )
    talker.ask("create trigger noting after insert on kv for each row execute function note()")
    arena.warm(COUNT)
    arena.talk().ask("insert into kv values (3, 'c')")
    assert arena.talk().ask(COUNT) == [(1,)]


def test_C42_what_no_transaction_may_hold_runs(arena: Arena) -> None:
    talker = arena.talk("postgres")
    assert talker.ask("create index concurrently on kv (v)") == "CREATE INDEX"
    assert talker.ask("vacuum full kv") == "VACUUM"
    assert talker.ask("reindex table concurrently kv") == "REINDEX"
    assert talker.is_hit("select * from kv")


def test_T22_what_a_procedure_commits_on_its_way_is_seen(arena: Arena) -> None:
    arena.run(
        "create procedure steps() language plpgsql as $$ begin"
        " insert into kv values (2, 'b'); commit; insert into kv values (3, 'c'); rollback;"
        " end $$"
    )
    sql = "select count(*) from kv"
    arena.warm(sql)
    assert arena.talk("postgres").ask("call steps()") == "CALL"
    assert arena.talk().ask(sql) == [(2,)]


def test_W25_the_clients_address_is_never_cached(arena: Arena) -> None:
    talker = arena.talk()
    for _ in range(3):
        talker.ask("select inet_client_addr(), k from kv")
        assert "session-function" in talker.verdict()

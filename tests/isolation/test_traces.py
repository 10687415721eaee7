"""What of a session reaches the origin, and when (T-19, T-21)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.isolation.arena import Arena, Talker

ROWS = "select * from kv"


def _activity(arena: Arena, talker: Talker) -> Any:
    pid = talker.connection.info.backend_pid
    (row,) = arena.truth(f"select state, query from pg_stat_activity where pid = {pid}")
    return row


def test_T21_a_hit_leaves_no_trace(arena: Arena) -> None:
    """Documented as what is not kept: to the origin the session has not asked."""
    arena.warm(ROWS)
    talker = arena.talk()
    assert talker.is_hit(ROWS)
    talker.ask("select 'forwarded'")
    assert talker.is_hit(ROWS)
    assert _activity(arena, talker) == ("idle", "select 'forwarded'")


def test_T21_a_hit_is_not_ended_by_statement_timeout(arena: Arena) -> None:
    arena.run(
        "create function slow(int) returns int language plpgsql immutable as"
        " $$ begin perform pg_sleep(0.3); return $1; end $$"
    )
    sql = "select slow(k) from kv"
    arena.talk().ask("create table noted ()")  # the proxy looks at the catalogs
    arena.warm(sql)
    talker = arena.talk()
    assert talker.is_hit(sql)
    talker.ask("set statement_timeout = '20ms'")
    assert talker.ask(sql) == [(1,)]
    assert talker.ask("select slow(k) + 0 from kv") == "57014"


@pytest.mark.parametrize("begin", ["begin", "start transaction read only"])
def test_T19_a_transaction_begins_when_the_client_says_so(arena: Arena, begin: str) -> None:
    """BEGIN is not kept back, though nothing but hits follow: its now() is of that moment."""
    arena.warm(ROWS)
    talker = arena.talk()
    talker.ask(begin)
    assert _activity(arena, talker)[0] == "idle in transaction"
    pid = talker.connection.info.backend_pid
    since = f"select xact_start from pg_stat_activity where pid = {pid}"
    ((began,),) = arena.truth(since)
    assert talker.is_hit(ROWS)
    assert talker.ask("select now()") == [(began,)]
    talker.ask("commit")

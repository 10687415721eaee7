"""What a result depends on although neither the text nor the settings asked for show it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Proxies, fresh_database
from tests.isolation.arena import Arena, Talker
from tests.support.postgres import SUPERUSER, Server

THRESHOLD = "pg_trgm.similarity_threshold"


@pytest.fixture
def trigrams(postgres15: Server, proxies: Proxies) -> Iterator[Arena]:
    """Yield an arena whose database has pg_trgm, which the packaged servers lack."""
    for database in fresh_database(postgres15):
        arena = Arena(postgres15, proxies.plain(postgres15), database)
        if not arena.truth("select 1 from pg_available_extensions where name = 'pg_trgm'"):
            pytest.skip("pg_trgm is not installed")
        arena.run(
            "create extension pg_trgm",
            "create table names (v text)",
            "insert into names values ('a')",
            "grant all on names to public",
        )
        yield arena
        arena.close()


def test_S02_an_operator_obeys_a_setting_of_the_startup_packet(trigrams: Arena) -> None:
    sql = "select v from names where v % 'ab'"
    trigrams.warm(sql, "bob")
    options = f"-c {THRESHOLD}=0.01"
    assert trigrams.talk("bob", options=options).ask(sql) == [("a",)]
    assert trigrams.talk("bob").ask(sql) == trigrams.truth(sql) == []


def test_S02_an_operator_obeys_the_default_of_its_role(trigrams: Arena) -> None:
    sql = "select v from names where v % 'ab'"
    early = trigrams.talk("bob")
    trigrams.run(f"alter role bob set {THRESHOLD} = 0.01")
    try:
        assert early.is_hit(sql)
        assert trigrams.talk("bob").ask(sql) == trigrams.truth(sql, "bob") == [("a",)]
    finally:
        trigrams.run(f"alter role bob reset {THRESHOLD}")


def test_C14_a_subquery_has_not_its_tables_columns(arena: Arena) -> None:
    arena.run(
        "create table read (i int)",
        "insert into read values (1)",
        "create function hidden(anyelement) returns bigint language sql stable"
        " as 'select count(*) from public.read'",
        "create table wide (a int, hidden int)",
        "insert into wide values (1, 9)",
        "grant all on read, wide to public",
    )
    sql = "select s.hidden from (select a from wide) s"
    talker = arena.talk(SUPERUSER)
    talker.ask("create table noted ()")
    for _ in range(3):
        assert talker.ask(sql) == [(1,)]
    talker.ask("insert into read values (1)")
    assert arena.talk().ask(sql) == arena.truth(sql) == [(2,)]


def _run(talker: Talker, sql: str, *, by_name: bool) -> list[str | None]:
    """Run a query by the extended protocol; the notices that came of it."""
    notices: list[str | None] = []
    talker.connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    origin = talker.connection.pgconn
    if by_name:
        origin.prepare(b"p", sql.encode())
        for _ in range(3):
            origin.exec_prepared(b"p", [])
    else:
        origin.exec_params(sql.encode(), [])
    return notices


def test_W67_a_notice_of_the_parser_is_not_lost(arena: Arena) -> None:
    sql = f"select k as {'a' * 70} from kv"
    arena.warm("select k from kv")
    for _ in range(3):
        assert len(_run(arena.talk(), sql, by_name=True)) == 1
    truth = _run(arena.direct(), sql, by_name=False)
    assert _run(arena.talk(), sql, by_name=False) == truth
    assert len(truth) == 1

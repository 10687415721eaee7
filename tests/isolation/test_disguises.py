"""What a result depends on although neither the text nor the settings asked for show it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg.pq import DiagnosticField

from tests.conftest import Proxies, fresh_database
from tests.isolation.arena import Arena, Talker
from tests.support.postgres import SUPERUSER, Server, password_of

THRESHOLD = "pg_trgm.similarity_threshold"


@pytest.fixture
def contrib(postgres15: Server, proxies: Proxies) -> Iterator[Arena]:
    """Yield an arena whose server has PostgreSQL's extensions, which the packaged ones lack."""
    for database in fresh_database(postgres15):
        arena = Arena(postgres15, proxies.plain(postgres15), database)
        arena.run(
            "create table names (v text)",
            "insert into names values ('a')",
            "grant all on names to public",
        )
        yield arena
        arena.close()


def _extend(arena: Arena, extension: str) -> None:
    known = f"select 1 from pg_available_extensions where name = '{extension}'"
    if not arena.truth(known):
        pytest.skip(f"{extension} is not installed")
    arena.run(f"create extension {extension}")


@pytest.fixture
def trigrams(contrib: Arena) -> Arena:
    """Return an arena with pg_trgm."""
    _extend(contrib, "pg_trgm")
    return contrib


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


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_C31_a_connection_of_the_origins_own_commits_by_itself(contrib: Arena, end: str) -> None:
    _extend(contrib, "dblink")
    server = contrib.server
    way = f"host=127.0.0.1 port={server.port} dbname={contrib.database} user={SUPERUSER}"
    contrib.run(
        "create function aside() returns text language sql volatile as $$ select dblink_exec("
        f"'{way} password={password_of(SUPERUSER)}', 'insert into names values (''b'')') $$"
    )
    sql = "select count(*) from names"
    talker = contrib.talk(SUPERUSER)
    talker.ask("create table noted ()")
    talker.ask("begin")
    contrib.warm(sql)
    assert talker.ask("select aside()") == [("INSERT 0 1",)]
    assert contrib.talk().ask(sql) == [(2,)]
    talker.ask(end)
    assert contrib.talk().ask(sql) == [(2,)]


def test_C15_a_parameter_of_a_domain_is_checked_each_time(arena: Arena) -> None:
    arena.run(
        "create table allowed (n int)",
        "insert into allowed values (5)",
        "create function is_allowed(int) returns bool language sql stable as"
        " 'select exists (select from public.allowed where n = $1)'",
        "create domain checked as int check (is_allowed(value))",
    )
    talker = arena.talk(SUPERUSER)
    talker.ask("create table noted ()")
    domain = int(talker.ask("select 'checked'::regtype::oid::int")[0][0])

    def run(talker: Talker) -> str:
        origin = talker.connection.pgconn
        answer = origin.exec_params(b"select k, $1 from kv", [b"5"], param_types=[domain])
        return (answer.error_field(DiagnosticField.SQLSTATE) or b"").decode()

    assert [run(talker) for _ in range(3)] == [""] * 3
    talker.ask("delete from allowed")
    assert run(arena.talk(SUPERUSER)) == run(arena.direct(SUPERUSER)) == "23514"


def test_S09_the_schema_of_temporary_objects_by_its_own_name(arena: Arena) -> None:
    talker = arena.talk(SUPERUSER)
    talker.ask("create temp table any_table ()")
    schema = talker.ask("select pg_my_temp_schema()::regnamespace::text")[0][0]
    talker.ask("drop table any_table")
    talker.ask(f"set search_path = {schema}, public")
    talker.ask("create table kv (k int)")
    for _ in range(3):
        assert talker.ask("select count(*) from kv") == [(0,)]
        assert "temporary-table" in talker.verdict()


def test_C15_a_default_of_an_argument_reads(arena: Arena) -> None:
    arena.run(
        "create table rate (r int)",
        "insert into rate values (2)",
        "create function rated() returns int language sql stable as 'select r from public.rate'",
        "create function same(a int default rated()) returns int language sql immutable"
        " as 'select a'",
    )
    sql = "select same(), k from kv"
    talker = arena.talk(SUPERUSER)
    talker.ask("create table noted ()")
    for _ in range(3):
        assert talker.ask(sql) == [(2, 1)]
    talker.ask("update rate set r = 5")
    assert talker.ask(sql) == arena.truth(sql) == [(5, 1)]


def test_S03_a_path_is_shown_as_it_was_spelled(arena: Arena) -> None:
    sql = "select current_setting('search_path'), k from kv"
    first = arena.talk()
    first.ask("set search_path = public, pg_catalog")
    for _ in range(3):
        assert first.ask(sql) == [("public, pg_catalog", 1)]
    spelled = "-c search_path=public,pg_catalog"
    assert arena.talk(options=spelled).ask(sql) == arena.direct(options=spelled).ask(sql)

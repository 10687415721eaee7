"""Portals and statements that only pgcache knows are made real late, or never (W-56 to W-59)."""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections.abc import Iterator

import pytest

from tests.support.frames import SYNC, bind, close_request, execute, parse, query
from tests.support.postgres import Server
from tests.support.proxy import Proxy
from tests.support.raw import RawClient, errors_of, rows_of

READ = "select k, v from kv order by k"
ZONED = "select timestamptz '2024-01-01 00:00', k from kv where k = 1"
OLD = [("2", "b"), ("3", "c")]


@pytest.fixture
def client(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> Iterator[RawClient]:
    newest_postgres.execute(
        "create table kv (k int primary key, v text)",
        "insert into kv values (1, 'a'), (2, 'b'), (3, 'c')",
        "create schema other",
        "create table other.kv as select 9 as k, 'other' as v from generate_series(1, 5)",
        database=newest_database,
    )
    with RawClient(newest_proxy.address, newest_database) as client:
        for text in (READ, ZONED):
            while "; hit" not in str(client.rows("show pgcache.last")):
                client.query(text)
            client.ask(parse("", text), bind("", ""), execute(""), SYNC)
            client.query("select 1")
        yield client


def _open_portal(client: RawClient) -> None:
    client.query("begin")
    (row,) = rows_of(client.ask(parse("", READ), bind("p", ""), execute("p", 1), SYNC))
    assert row == ("1", "a")


@pytest.mark.parametrize(
    "change",
    [
        "update kv set v = 'new'",
        "set local search_path = other",
        "savepoint s; delete from kv where k = 2; release s",
        "do $$ begin update kv set v = 'new'; end $$",
    ],
)
def test_W59_no_page_is_of_another_snapshot(client: RawClient, change: str) -> None:
    """SQL's FETCH of the rest gets those rows, and so does the protocol's Execute."""
    _open_portal(client)
    client.query(change)
    assert client.rows("fetch all from p") == OLD
    client.query("rollback")
    _open_portal(client)
    client.query(change)
    assert rows_of(client.ask(execute("p"), SYNC)) == OLD
    client.query("rollback")


@pytest.mark.parametrize("change", ["select 1", "update kv set v = 'new'"])
def test_W57_a_name_in_use_is_refused_whatever_has_changed(client: RawClient, change: str) -> None:
    _open_portal(client)
    client.query(change)
    client.ask(parse("", READ), SYNC)
    assert errors_of(client.ask(bind("p", ""), execute("p"), SYNC)) == ["42P03"]
    assert errors_of(client.query("select 1")) == ["25P02"]
    client.query("rollback")
    assert rows_of(client.query(READ)) == [("1", "a"), *OLD]


def test_W59_no_page_is_of_what_others_committed(
    client: RawClient, newest_proxy: Proxy, newest_database: str
) -> None:
    _open_portal(client)
    with RawClient(newest_proxy.address, newest_database) as other:
        other.query("update kv set v = 'new'")
    assert client.rows("fetch all from p") == OLD


_MISSES = parse("", "select count(*) from kv, other.kv") + bind("", "") + execute("")
_WRITES = parse("", "insert into kv values (9, 'i')") + bind("", "") + execute("")
_FETCHES = parse("", "fetch all from p") + bind("", "") + execute("")


@pytest.mark.parametrize(
    "how",
    [
        [query("fetch all from p")],
        [query("fetch from p; fetch 5 from p")],
        [execute("p"), SYNC],
        [execute("p", 1), SYNC, execute("p", 1), SYNC],
        [_FETCHES, SYNC],
        [_MISSES, execute("p"), SYNC],
        [execute("p", 1), _MISSES, execute("p"), SYNC],
        [_WRITES, execute("p", 1), _MISSES, execute("p"), SYNC],
        [query("savepoint s; insert into kv values (8, 's')"), query("fetch all from p")],
        [query("create table also (i int)"), query("fetch all from p")],
    ],
)
def test_W59_no_page_is_of_what_was_written_past_pgcache(
    client: RawClient, newest_postgres: Server, newest_database: str, how: list[bytes]
) -> None:
    """The entry is old without pgcache knowing: it is played to its end, as it was."""
    _open_portal(client)
    newest_postgres.execute("update kv set v = 'new'", database=newest_database)
    client.query("select 'forwarded'")
    count = sum(piece == SYNC or piece[:1] == b"Q" for piece in how)
    found = rows_of(client.ask(*how, count=count))
    assert [row for row in found if len(row) == 2] == OLD
    client.query("rollback")


@pytest.mark.parametrize("formats", [[], [1]])
def test_W59_what_is_not_played_here_is_of_one_snapshot_or_an_error(
    client: RawClient, newest_postgres: Server, newest_database: str, formats: list[int]
) -> None:
    """Before its first row a portal is made real; after it, SQL finds none where it is mixed."""
    client.ask(parse("b", READ), bind("", "b", results=formats), execute(""), SYNC)
    client.query("begin")
    client.ask(bind("p", "b", results=formats), SYNC)
    newest_postgres.execute("update kv set v = 'new'", database=newest_database)
    found = rows_of(client.query("select 1; fetch 1 from p; fetch all from p"))
    assert found == [("1",), ("1", "new"), ("2", "new"), ("3", "new")]
    client.query("rollback")
    newest_postgres.execute("update kv set v = 'newer'", database=newest_database)
    client.query("begin")
    told = client.ask(bind("p", "b", results=formats), execute("p", 1), SYNC)
    assert len(rows_of(told)) == 1
    assert errors_of(client.query("select 1; fetch all from p")) == ["34000"]
    client.query("rollback")


def test_W59_a_page_in_a_savepoint_that_is_rolled_back(client: RawClient) -> None:
    """The portal is older than the savepoint and stays; where it stands is not taken back."""
    _open_portal(client)
    client.query("savepoint s")
    client.query("update kv set v = 'new'")
    assert client.rows("fetch from p") == OLD[:1]
    client.query("rollback to s")
    assert client.rows("fetch from p") == OLD[1:]
    client.query("savepoint t")
    told = client.ask(parse("", READ), bind("later", ""), execute("later", 1), SYNC)
    assert rows_of(told) == [("1", "a")]
    client.query("rollback to t")
    assert errors_of(client.query("fetch from later")) == ["34000"]


def test_W57_no_page_is_of_another_statement_of_that_name(client: RawClient) -> None:
    client.ask(parse("a", READ), bind("", "a"), execute(""), SYNC)
    client.query("begin")
    assert rows_of(client.ask(bind("p", "a"), execute("p", 1), SYNC)) == [("1", "a")]
    client.ask(close_request("S", "a"), parse("a", "select 5, k from kv"), SYNC)
    assert client.rows("fetch all from p") == OLD


@pytest.mark.parametrize("asked", [execute("p"), b"D\0\0\0\7Pp\0"])
def test_W69_a_portal_in_a_failed_transaction_is_not_unknown(
    client: RawClient, asked: bytes
) -> None:
    """Not even where its statement is gone; and it is there again once that is taken back."""
    client.ask(parse("a", READ), bind("", "a"), execute(""), SYNC)
    client.query("begin")
    assert rows_of(client.ask(bind("p", "a"), execute("p", 1), SYNC)) == [("1", "a")]
    client.ask(close_request("S", "a"), SYNC)
    client.query("savepoint s")
    told = client.ask(
        parse("", "select 1/0"), bind("", ""), execute(""), SYNC, asked, SYNC, count=2
    )
    assert errors_of(told) == ["22012", "25P02"]
    for _ in range(2):
        assert errors_of(client.ask(asked, SYNC)) == ["25P02"]
    client.query("rollback to s")
    assert rows_of(client.ask(execute("p"), SYNC)) == OLD


def test_W59_a_run_goes_on_with_a_portal_behind_its_write(client: RawClient) -> None:
    _open_portal(client)
    write = parse("w", "update kv set v = 'new'") + bind("w", "w") + execute("w")
    assert rows_of(client.ask(write, execute("p"), SYNC)) == OLD


def test_W73_a_cursor_in_a_failed_transaction_gets_an_answer(client: RawClient) -> None:
    for sql in ("fetch 1 from p", "close p"):
        _open_portal(client)
        client.query("select 1/0")
        assert errors_of(client.query(sql)) == ["25P02"]
        client.query("rollback")
        _open_portal(client)
        told = client.ask(query("select 1/0"), query(sql), count=2)
        assert errors_of(told) == ["22012", "25P02"]
        for _ in range(2):
            assert errors_of(client.ask(execute("p"), SYNC)) == ["25P02"]
        client.query("rollback")


def test_W56_an_unnamed_statement_keeps_the_settings_it_was_parsed_under(client: RawClient) -> None:
    client.query("set timezone = 'UTC'")
    for _ in range(3):
        told = client.ask(parse("", ZONED), bind("", ""), execute(""), SYNC)
        assert rows_of(told) == [("2024-01-01 00:00:00+00", "1")]
    client.ask(parse("z", "set timezone = 'Asia/Tokyo'"), bind("", "z"), execute(""), SYNC)
    told = client.ask(bind("", ""), execute(""), SYNC)
    assert rows_of(told) == [("2024-01-01 09:00:00+09", "1")]


def test_what_pgcache_itself_answers_can_be_prepared(client: RawClient) -> None:
    client.query(READ)
    assert errors_of(client.ask(parse("own", "show pgcache.last"), SYNC)) == []
    for _ in range(2):
        (row,) = rows_of(client.ask(bind("", "own"), execute(""), SYNC))
        assert str(row[0]).startswith("pgcache; ")
    assert errors_of(client.query("deallocate own")) == []
    assert errors_of(client.ask(bind("", "own"), execute(""), SYNC)) == ["26000"]


@pytest.mark.parametrize("portal", ["", "p"])
def test_what_pgcache_itself_answers_is_never_asked_of_the_origin(
    client: RawClient, portal: str
) -> None:
    """As pgjdbc does it: its COMMIT has a name, and the unnamed statement is still there."""
    client.ask(parse("c", "commit"), SYNC)
    client.query("begin")
    own = parse("", "show pgcache.last"), bind(portal, ""), execute(portal), SYNC
    assert len(rows_of(client.ask(*own))) == 1
    named = parse("t", "truncate kv"), bind("", "t"), execute(""), SYNC
    assert errors_of(client.ask(*named)) == []
    assert errors_of(client.ask(bind("", "c"), execute(""), SYNC)) == []
    assert client.rows("select count(*) from kv") == [("0",)]


@pytest.mark.parametrize(
    "change",
    [
        "alter table kv add column w int",
        "truncate kv",
        "drop table kv",
        "cluster kv using kv_pkey",
        "reindex table kv",
    ],
)
def test_W73_an_open_portal_keeps_its_own_session_from_changing_the_table(
    client: RawClient, change: str
) -> None:
    _open_portal(client)
    assert errors_of(client.query(change)) == ["55006"]
    client.query("rollback")
    _open_portal(client)
    told = client.ask(parse("", change), bind("", ""), execute(""), SYNC)
    assert errors_of(told) == ["55006"]
    client.query("rollback")
    # What is closed, or has another table, keeps nobody.
    _open_portal(client)
    assert errors_of(client.query("alter table other.kv add column w int")) == []
    assert rows_of(client.ask(execute("p", 1), SYNC)) == OLD[:1]
    client.query("savepoint s")
    assert errors_of(client.query("create table also (i int)")) == []
    client.query("rollback to s")
    assert rows_of(client.ask(execute("p", 1), SYNC)) == OLD[1:]
    client.query("close p")
    assert errors_of(client.query(change)) == []
    client.query("rollback")


@pytest.mark.parametrize("begin", ["", "begin"])
def test_W57_a_portal_that_is_not_there_has_run_nothing(
    client: RawClient, newest_proxy: Proxy, newest_database: str, begin: str
) -> None:
    """Any client can ask for it: nobody's entries go (C-30)."""
    if begin:
        client.query(begin)
    assert errors_of(client.ask(execute("never"), SYNC)) == ["34000"]
    with RawClient(newest_proxy.address, newest_database) as other:
        other.query(READ)
        assert "; hit" in str(other.rows("show pgcache.last"))
    client.query("rollback")
    client.query(READ)
    assert "; hit" in str(client.rows("show pgcache.last"))


def test_T15_what_misses_a_cursor_on_its_way_may_have_committed(client: RawClient) -> None:
    client.query(
        "create procedure f() language plpgsql as $$ declare c refcursor := 'never'; r record;"
        " begin update kv set v = 'new'; commit; fetch c into r; end $$"
    )
    client.query(READ)
    client.query(READ)
    told = client.ask(parse("", "call f()"), bind("", ""), execute(""), SYNC)
    assert errors_of(told) == ["34000"]
    assert rows_of(client.query(READ))[0] == ("1", "new")


def _pages(rng: random.Random) -> list[bytes]:
    """One way to go on with p; every way ends in one ReadyForQuery."""
    return rng.choice(
        [
            [query("fetch 1 from p")],
            [query("fetch 1 from p; fetch 1 from p")],
            [query("select 'mixed'; fetch 1 from p")],
            [query("fetch backward 1 from p")],
            [query("create table if not exists also (i int)")],
            [query("savepoint s")],
            [query("rollback to s")],
            [execute("p", 1), SYNC],
            [_MISSES, execute("p", 1), SYNC],
            [execute("p", 1), _MISSES, SYNC],
            [parse("", "fetch 1 from p"), bind("", ""), execute(""), SYNC],
            [b"D\0\0\0\7Pp\0", execute("p", 1), SYNC],
        ]
    )


def test_W59_a_portal_is_of_one_snapshot_while_others_write_past_pgcache(
    client: RawClient, newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    """Whatever is done with it, its rows are of one moment, each once and in order."""
    rng, done = random.Random(os.environ.get("PGCACHE_TEST_SEED", 1)), threading.Event()

    def write() -> None:
        with newest_postgres.connect(database=newest_database) as connection:
            for number in itertools.count():
                if done.is_set():
                    return
                connection.execute(b"update kv set v = %b" % str(number).encode())
                connection.commit()

    newest_postgres.execute("update kv set v = 'first'", database=newest_database)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        with RawClient(newest_proxy.address, newest_database) as other:
            for _ in range(int(os.environ.get("PGCACHE_TEST_PORTALS", "60"))):
                again = parse("", f"/* pgcache: refresh */ {READ}") + bind("", "") + execute("")
                other.ask(again, SYNC)
                client.query("begin")
                found = rows_of(client.ask(parse("", READ), bind("p", ""), execute("p", 1), SYNC))
                for _ in range(4):
                    found += rows_of(client.ask(*_pages(rng)))
                found = [row for row in found if len(row) == 2]
                assert [row[0] for row in found] == ["1", "2", "3"][: len(found)]
                assert len({row[1] for row in found}) == 1, found
                client.query("rollback")
    finally:
        done.set()
        writer.join()

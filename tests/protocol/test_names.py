"""A name can mean another statement by the time it runs: the write behind it must be seen.

Each case makes a statement or portal whose name meant a harmless read before, and runs a write
under it. Afterwards another session, whose count was served from the cache, has to see the row.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.frames import (
    FLUSH,
    SYNC,
    bind,
    close_request,
    execute,
    parse,
    query,
)
from tests.support.postgres import Server
from tests.support.proxy import Proxy
from tests.support.raw import RawClient, errors_of

INSERT = "insert into t values (1)"
FAILING = parse("", "select 1/0") + bind("", "") + execute("")

Case = Callable[[RawClient], object]


def _portal_behind_a_rolled_back_savepoint(client: RawClient) -> None:
    client.query("begin")
    client.ask(query("savepoint s"), parse("", "select 1"), bind("p", ""), SYNC, count=2)
    client.query("rollback to s")
    client.ask(parse("", INSERT), bind("p", ""), execute("p"), SYNC)
    client.query("commit")


def _sql_statement_prepared_anew_in_one_query(client: RawClient) -> None:
    client.query("prepare x as select 1")
    client.query(f"deallocate x; prepare x as {INSERT}; execute x")


def _sql_statement_prepared_anew_ahead(client: RawClient) -> None:
    client.query("prepare x as select 1")
    client.ask(query("deallocate x"), query(f"prepare x as {INSERT}"), query("execute x"), count=3)


def _statement_parsed_behind_a_deallocate(client: RawClient) -> None:
    client.ask(parse("x", "select 1"), SYNC)
    client.ask(query("deallocate x"), parse("x", INSERT), bind("", "x"), execute(""), SYNC, count=2)


def _close_that_an_error_skips(client: RawClient) -> None:
    client.ask(parse("x", INSERT), SYNC)
    skipped = close_request("S", "x") + parse("x", "select 1") + SYNC
    client.ask(FAILING, skipped, bind("", "x"), execute(""), SYNC, count=2)


def _parse_that_an_error_skips(client: RawClient) -> None:
    client.ask(parse("x", INSERT), SYNC)
    client.ask(close_request("S", "x"), SYNC)
    client.ask(parse("x", INSERT), SYNC)
    client.ask(FAILING, parse("x", "select 1"), SYNC, bind("", "x"), execute(""), SYNC, count=2)


def _portal_named_again_ahead(client: RawClient) -> None:
    read = parse("", "select 1") + bind("p", "") + execute("p") + SYNC
    client.ask(read, parse("", INSERT), bind("p", ""), execute("p"), SYNC, count=2)


def _portal_bound_ahead_of_its_execute(client: RawClient) -> None:
    client.ask(parse("i", INSERT), SYNC)
    client.send(parse("", "select 1"), bind("p", ""), FLUSH, SYNC)
    client.ask(bind("p", "i"), FLUSH, execute("p"), SYNC, count=2)


def _fetch_from_a_portal_that_writes(client: RawClient) -> None:
    client.query("begin")
    client.ask(parse("", f"{INSERT} returning a"), bind("p", ""), SYNC)
    client.query("fetch all from p")
    client.query("commit")


def _move_in_a_portal_that_writes(client: RawClient) -> None:
    client.query("begin")
    client.ask(parse("", f"with x as ({INSERT} returning a) select a from x"), bind("p", ""), SYNC)
    client.query("move all in p")
    client.query("commit")


def _execute_with_a_value_that_writes(client: RawClient) -> None:
    client.query("prepare x (int) as select $1")
    client.query("execute x(add_row())")


CASES: list[Case] = [
    _portal_behind_a_rolled_back_savepoint,
    _sql_statement_prepared_anew_in_one_query,
    _sql_statement_prepared_anew_ahead,
    _statement_parsed_behind_a_deallocate,
    _close_that_an_error_skips,
    _parse_that_an_error_skips,
    _portal_named_again_ahead,
    _portal_bound_ahead_of_its_execute,
    _fetch_from_a_portal_that_writes,
    _move_in_a_portal_that_writes,
    _execute_with_a_value_that_writes,
]


@pytest.mark.parametrize("case", CASES, ids=[case.__name__.strip("_") for case in CASES])
def test_a_write_under_an_old_name_is_seen(
    case: Case, newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    newest_postgres.execute(
        "create table t (a int)",
        f"create function add_row() returns int language sql as '{INSERT} returning a'",
        database=newest_database,
    )
    address = newest_proxy.address
    with (
        RawClient(address, newest_database) as reader,
        RawClient(address, newest_database) as writer,
    ):
        for _ in range(3):
            assert reader.rows("select count(*) from t") == [("0",)]
        assert reader.rows("show pgcache.last")[0][0].startswith("pgcache; hit")  # type: ignore[union-attr]
        case(writer)
        assert reader.rows("select count(*) from t") == [("1",)]


def test_a_failed_parse_leaves_the_old_statement(newest_proxy: Proxy, newest_database: str) -> None:
    with RawClient(newest_proxy.address, newest_database) as client:
        client.ask(parse("x", "select 7"), SYNC)
        assert errors_of(client.ask(parse("x", "select 8"), SYNC)) == ["42P05"]
        found = client.ask(bind("", "x"), execute(""), SYNC)
        assert [frame.body[-1:] for frame in found if frame.kind == "D"] == [b"7"]


def test_what_could_not_be_bound_changes_nothing(
    newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    """Behind a pooler, clients bind statements that are not there: nothing has run (C-30)."""
    newest_postgres.execute("create table t (a int)", database=newest_database)
    count = "select count(*) from t"
    with RawClient(newest_proxy.address, newest_database) as reader:
        while "; hit" not in str(reader.rows("show pgcache.last")):
            reader.query(count)
        with RawClient(newest_proxy.address, newest_database) as client:
            told = client.ask(bind("", "gone"), execute(""), SYNC)
            assert errors_of(told) == ["26000"]
            write = parse("w", "insert into t values ($1)", [23])
            told = client.ask(write, bind("", "w", [b"x"]), execute(""), SYNC)
            assert errors_of(told) == ["22P02"]
            reader.query(count)
            assert "; hit" in str(reader.rows("show pgcache.last"))
            told = client.ask(
                bind("", "w", [b"1"]), execute(""), bind("", "gone"), execute(""), SYNC
            )
            assert errors_of(told) == ["26000"]
            client.ask(bind("", "w", [b"1"]), execute(""), SYNC)
        assert reader.rows(count) == [("1",)]

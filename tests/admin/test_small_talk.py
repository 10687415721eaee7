from __future__ import annotations

import pytest

from pgcache.admin.small_talk import parameters, respond, split

FACTS = {"version": "PostgreSQL 15.0", "current_schema": "public", "user": "dba"}


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("SET extra_float_digits = 3", "SET"),
        ("set session characteristics as transaction read only", "SET"),
        ("RESET ALL", "RESET"),
        ("DISCARD ALL", "DISCARD ALL"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN"),
        ("START TRANSACTION", "START TRANSACTION"),
        ("/* x */ COMMIT", "COMMIT"),
        ("ABORT", "ROLLBACK"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("DEALLOCATE ALL", "DEALLOCATE"),
    ],
)
def test_nods(text: str, tag: str) -> None:
    reply = respond(text, FACTS)
    assert reply is not None
    assert (reply.tag, reply.columns) == (tag, ())


def test_transactions_open_and_end() -> None:
    for text, opens, ends in (
        ("BEGIN", True, False),
        ("COMMIT", False, True),
        ("ROLLBACK", False, True),
        ("ROLLBACK TO SAVEPOINT a", False, False),
        ("SET x = 1", False, False),
    ):
        reply = respond(text, FACTS)
        assert reply is not None
        assert (reply.opens, reply.ends) == (opens, ends)


@pytest.mark.parametrize(
    ("text", "columns", "row"),
    [
        ("SELECT 1", ("?column?",), ("1",)),
        ("SELECT 1;", ("?column?",), ("1",)),
        ("SELECT 'keep alive' AS ping", ("ping",), ("keep alive",)),
        ("select version()", ("version",), ("PostgreSQL 15.0",)),
        ("SELECT pg_catalog.version()", ("version",), ("PostgreSQL 15.0",)),
        (
            "SELECT current_schema(), user AS u, 1",
            ("current_schema", "u", "?column?"),
            ("public", "dba", "1"),
        ),
        ("SHOW TRANSACTION ISOLATION LEVEL", ("transaction_isolation",), ("read committed",)),
        ("show search_path", ("search_path",), ('"$user", public',)),
        ("SHOW TIME ZONE", ("timezone",), ("UTC",)),
        ("SELECT current_setting('client_encoding')", ("current_setting",), ("UTF8",)),
    ],
)
def test_questions(text: str, columns: tuple[str, ...], row: tuple[str, ...]) -> None:
    reply = respond(text, FACTS)
    assert reply is not None
    assert (reply.columns, reply.rows) == (columns, (row,))


def test_the_catalogs_are_empty() -> None:
    reply = respond(
        'SELECT n.oid, n.nspname AS "Name", count(a, b) cnt FROM pg_catalog.pg_namespace n '
        "WHERE n.nspname = $1 ORDER BY (SELECT 1 FROM x)",
        FACTS,
    )
    assert reply is not None
    assert (reply.tag, reply.columns, reply.rows) == ("SELECT 0", ("oid", "Name", "cnt"), ())


@pytest.mark.parametrize(
    "text",
    ["", "SELECT a FROM t", "SELECT unknown()", "SELECT 1 + 1", "SHOW STATS", "INSERT INTO t", "'"],
)
def test_what_is_no_small_talk(text: str) -> None:
    assert respond(text, FACTS) is None


def test_statements_and_parameters() -> None:
    assert split("a; b ';' ;; -- c;\n d") == ["a", " b ';' ", " -- c;\n d"]
    assert split(" ; ") == []
    assert parameters("x = $2 and y = $1 and z = '$9'") == 2
    assert parameters("x") == 0

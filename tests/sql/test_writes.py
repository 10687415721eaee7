"""Writes, wherever they hide (C-30, C-31)."""

from __future__ import annotations

import pytest

from pgcache.sql.model import Kind, Name, RelationRef, Statement
from pgcache.sql.script import read_script


def read(text: str) -> Statement:
    (statement,) = read_script(text.encode()).statements
    return statement


def targets(text: str) -> list[str]:
    """Return the targets in short: ``schema.name``, with a ``!`` for ONLY."""
    return [
        ".".join(filter(None, (ref.name.schema, ref.name.name))) + "!" * ref.only
        for ref in read(text).targets
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('INSERT INTO "S"."T" AS x VALUES (1)', ["S.T"]),
        ("UPDATE ONLY (s.t) AS x SET a = 1", ["s.t!"]),
        ("DELETE FROM t * x", ["t"]),
        ("MERGE INTO ONLY t USING s ON true WHEN MATCHED THEN DELETE", ["t!"]),
        ("WITH a AS (DELETE FROM x RETURNING 1) INSERT INTO y TABLE a", ["y", "x"]),
        ("WITH a AS (SELECT 1), b AS (UPDATE x SET c = 1 RETURNING c) SELECT * FROM b", ["x"]),
        ("WITH a AS (WITH b AS (SELECT 1) DELETE FROM x RETURNING 1) SELECT 1", ["x"]),
        ("INSERT INTO t SELECT * FROM (SELECT 1) q ON CONFLICT DO NOTHING", ["t"]),
        ("WITH a AS (INSERT INTO t VALUES (1)), b AS (INSERT INTO t VALUES (2)) SELECT 1", ["t"]),
        ("TRUNCATE TABLE ONLY a, s.b *, c", ["a!", "s.b", "c"]),
        ("COPY s.t (a) FROM STDIN", ["s.t"]),
    ],
)
def test_C30_targets(text: str, expected: list[str]) -> None:
    assert read(text).kind is Kind.WRITE
    assert targets(text) == expected


def test_C32_truncate_cascades_only_when_it_says_so() -> None:
    assert read("TRUNCATE a RESTART IDENTITY CASCADE").cascade
    assert not read("TRUNCATE a CONTINUE IDENTITY RESTRICT").cascade
    assert not read("TRUNCATE cascade").cascade


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO",
        "INSERT INTO select VALUES (1)",
        "DELETE FROM (SELECT 1)",
        "TRUNCATE",
        "TRUNCATE a b",
        "WITH a AS (SELECT 1) INSERT INTO",
        "WITH a AS SELECT 1 INSERT INTO t VALUES (1)",
        "WITH a AS (INSERT INTO x.) SELECT 1",
        "WITH insert",
        "COPY",
        "COPY t",
        "SELECT a INTO FROM t",
    ],
)
def test_C30_targets_that_cannot_be_read_make_it_unknown(text: str) -> None:
    assert read(text).kind is Kind.UNKNOWN


def test_a_with_clause_inside_that_is_not_understood_is_not_a_query() -> None:
    text = "SELECT * FROM (WITH a AS NEW SYNTAX (INSERT INTO t VALUES (1)) SELECT 1) x"
    assert read(text).kind is not Kind.SELECT


@pytest.mark.parametrize(
    ("text", "temporary"),
    [
        ("SELECT a INTO x FROM t", False),
        ("SELECT a INTO TEMP x FROM t", True),
        ("SELECT a INTO GLOBAL TEMPORARY TABLE x FROM t", True),
        ("SELECT a INTO UNLOGGED x FROM t", False),
        ("SELECT a INTO pg_temp.x FROM t", True),
        ("SELECT a INTO pg_temp_3.x FROM t", True),
    ],
)
def test_S09_select_into(text: str, temporary: bool) -> None:
    statement = read(text)
    assert (statement.kind, statement.verb) == (Kind.DDL, "SELECT INTO")
    assert statement.targets[0].name.name == "x"
    assert statement.temporary is temporary


@pytest.mark.parametrize("text", ["SELECT a INTO temp FROM t", "SELECT a INTO unlogged FROM t"])
def test_the_table_itself_may_be_called_temp(text: str) -> None:
    statement = read(text)
    assert statement.targets == (RelationRef(Name(text.split()[3])),)
    assert not statement.temporary

"""Statements that hold a statement (C-31)."""

from __future__ import annotations

import pytest

from pgcache.sql.model import Kind, Name, RelationRef, Statement
from pgcache.sql.script import read_script


def read(text: str) -> Statement:
    (statement,) = read_script(text.encode()).statements
    return statement


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("EXPLAIN DELETE FROM t", False),
        ("EXPLAIN VERBOSE DELETE FROM t", False),
        ("EXPLAIN ANALYZE DELETE FROM t", True),
        ("EXPLAIN ANALYSE VERBOSE DELETE FROM t", True),
        ("EXPLAIN (ANALYZE) DELETE FROM t", True),
        ("EXPLAIN (COSTS off, ANALYZE, FORMAT json) DELETE FROM t", True),
        ("EXPLAIN (ANALYZE on) DELETE FROM t", True),
        ("EXPLAIN (ANALYZE 1) DELETE FROM t", True),
        ("EXPLAIN (ANALYZE 'TRUE') DELETE FROM t", True),
        ('EXPLAIN ("analyze") DELETE FROM t', True),
        ("EXPLAIN (ANALYZE false) DELETE FROM t", False),
        ("EXPLAIN (ANALYZE OFF) DELETE FROM t", False),
        ("EXPLAIN (ANALYZE 0) DELETE FROM t", False),
        ("EXPLAIN (ANALYZE 'Off') DELETE FROM t", False),
        ("EXPLAIN (ANALYZE off, ANALYZE) DELETE FROM t", True),
        ("EXPLAIN (ANALYZE, ANALYZE off) DELETE FROM t", False),
        ("EXPLAIN (ANALYZE maybe) DELETE FROM t", True),
        ("EXPLAIN (FORMAT analyze) DELETE FROM t", False),
        ("EXPLAIN (BUFFERS) DELETE FROM t", False),
    ],
)
def test_C31_explain_analyze_runs_what_it_explains(text: str, runs: bool) -> None:
    statement = read(text)
    assert (statement.kind, statement.executes_inner) == (Kind.EXPLAIN, runs)
    assert statement.inner is not None
    assert statement.inner.kind is Kind.WRITE
    assert statement.inner.targets == (RelationRef(Name("t")),)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("EXPLAIN (SELECT 1)", Kind.SELECT),
        ("EXPLAIN (VALUES (1))", Kind.SELECT),
        ("EXPLAIN (TABLE t)", Kind.SELECT),
        ("EXPLAIN ((SELECT 1))", Kind.SELECT),
        ("EXPLAIN EXECUTE p", Kind.EXECUTE),
        ("EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT 1", Kind.DECLARE),
        ("EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", Kind.DDL),
        ("EXPLAIN", Kind.UNKNOWN),
        ("EXPLAIN nonsense", Kind.UNKNOWN),
    ],
)
def test_explain_holds_any_statement(text: str, kind: Kind) -> None:
    inner = read(text).inner
    assert inner is not None
    assert inner.kind is kind


def test_deep_nesting_ends_as_unknown() -> None:
    statement: Statement | None = read("EXPLAIN " * 50 + "SELECT 1")
    kinds = []
    while statement is not None:
        kinds.append(statement.kind)
        statement = statement.inner
    assert kinds[-1] is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("PREPARE P AS SELECT 1", "p", Kind.SELECT),
        ('PREPARE "P" (int, numeric(1, 2)) AS INSERT INTO t VALUES ($1)', "P", Kind.WRITE),
        ("PREPARE transaction AS SELECT 1", "transaction", Kind.SELECT),
        ("PREPARE transaction (int) AS SELECT 1", "transaction", Kind.SELECT),
    ],
)
def test_prepare(text: str, name: str, kind: Kind) -> None:
    statement = read(text)
    assert (statement.kind, statement.name) == (Kind.PREPARE, name)
    assert not statement.executes_inner
    assert statement.inner is not None
    assert statement.inner.kind is kind


def test_B05_declare_runs_its_query_by_and_by() -> None:
    text = 'DECLARE "SQL_CUR0x7f" NO SCROLL CURSOR WITH HOLD FOR SELECT f(a) FROM t'
    statement = read(text)
    assert (statement.kind, statement.name) == (Kind.DECLARE, "SQL_CUR0x7f")
    assert statement.executes_inner
    assert statement.inner is not None
    assert statement.inner.kind is Kind.SELECT
    assert statement.read is statement.inner.read
    assert statement.read is not None
    assert statement.read.relations == (RelationRef(Name("t")),)


def test_C31_copy_of_a_write_writes() -> None:
    statement = read("COPY (DELETE FROM ONLY s.t RETURNING *) TO STDOUT")
    assert statement.kind is Kind.COPY_OUT
    assert statement.executes_inner
    assert statement.inner is not None
    assert statement.inner.kind is Kind.WRITE
    assert statement.targets == (RelationRef(Name("t", "s"), only=True),)


def test_copy_of_a_table_reads_it() -> None:
    statement = read("COPY s.t (a) TO STDOUT")
    assert statement.kind is Kind.COPY_OUT
    assert statement.inner is None
    assert statement.read is not None
    assert statement.read.relations == (RelationRef(Name("t", "s"), only=True),)


@pytest.mark.parametrize(
    "text",
    [
        "PREPARE",
        "PREPARE p",
        "PREPARE 'p' AS SELECT 1",
        "DECLARE c FOR SELECT 1",
        "DECLARE c CURSOR",
        "DECLARE CURSOR FOR",
        "COPY (SELECT 1)",
        "COPY (SELECT 1) FROM STDIN",
        "COPY 't' TO STDOUT",
    ],
)
def test_Z00_what_is_not_understood_is_unknown(text: str) -> None:
    assert read(text).kind is Kind.UNKNOWN

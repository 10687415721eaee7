"""Queries against what only looks like one (C-10)."""

from __future__ import annotations

import pytest

from pgcache.sql.model import Kind, Statement
from pgcache.sql.script import read_script


def read(text: str) -> Statement:
    (statement,) = read_script(text.encode()).statements
    return statement


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("SELECT 1", "SELECT"),
        ("((SELECT 1))", "SELECT"),
        ("VALUES (1)", "VALUES"),
        ("TABLE t", "TABLE"),
        ("WITH a AS (SELECT 1) TABLE a", "SELECT"),
        ("SELECT delete FROM insert", "SELECT"),
        ("SELECT a AS into FROM t", "SELECT"),
        ("SELECT trim(update FROM delete) FROM t", "SELECT"),
    ],
)
def test_C10_queries(text: str, verb: str) -> None:
    statement = read(text)
    assert (statement.kind, statement.verb) == (Kind.SELECT, verb)
    assert statement.read is not None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("(WITH a AS (DELETE FROM t RETURNING 1) SELECT 1)", Kind.WRITE),
        ("SELECT 1 INTO t", Kind.DDL),
        ("(SELECT 1 INTO t)", Kind.DDL),
        ("WITH a AS (DELETE FROM t RETURNING 1) SELECT 1 INTO x", Kind.DDL),
        ("WITH a AS (SELECT 1) DELETE FROM t", Kind.WRITE),
        ("( (", Kind.UNKNOWN),
        ("(INSERT INTO t VALUES (1))", Kind.UNKNOWN),
        ("FROM t", Kind.UNKNOWN),
        ("'select'", Kind.UNKNOWN),
        ('"select" 1', Kind.UNKNOWN),
        ("1", Kind.UNKNOWN),
        ("$1", Kind.UNKNOWN),
        ("REPACK t", Kind.UNKNOWN),
    ],
)
def test_Z00_what_is_no_query_never_is_one(text: str, kind: Kind) -> None:
    assert read(text).kind is kind

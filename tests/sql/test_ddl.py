"""Schema changes and temporary objects (C-40, S-09)."""

from __future__ import annotations

import pytest

from pgcache.sql.model import Kind, Statement
from pgcache.sql.script import read_script


def read(text: str) -> Statement:
    (statement,) = read_script(text.encode()).statements
    return statement


@pytest.mark.parametrize(
    ("text", "verb", "expected"),
    [
        ("CREATE TABLE IF NOT EXISTS s.t (a int)", "CREATE TABLE", ["t"]),
        ("CREATE UNLOGGED TABLE t (a int)", "CREATE TABLE", ["t"]),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE VIEW", ["v"]),
        ("CREATE RECURSIVE VIEW v (a) AS SELECT 1", "CREATE VIEW", ["v"]),
        ("CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT 1", "CREATE MATERIALIZED VIEW", ["m"]),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON ONLY s.t (a)", "CREATE INDEX", ["t"]),
        ("CREATE INDEX ON t (a)", "CREATE INDEX", ["t"]),
        ("CREATE FOREIGN TABLE f (a int) SERVER s", "CREATE FOREIGN TABLE", ["f"]),
        ("CREATE FUNCTION f() RETURNS int RETURN 1", "CREATE FUNCTION", []),
        ("CREATE ROLE r", "CREATE ROLE", []),
        ("ALTER TABLE IF EXISTS ONLY s.t ADD a int", "ALTER TABLE", ["t"]),
        ("ALTER SYSTEM SET x = 1", "ALTER SYSTEM", []),
        ("ALTER TYPE t RENAME VALUE 'a' TO 'b'", "ALTER TYPE", []),
        ("DROP TABLE IF EXISTS a, s.b CASCADE", "DROP TABLE", ["a", "b"]),
        ("DROP INDEX CONCURRENTLY i", "DROP INDEX", ["i"]),
        ("DROP OWNED BY a", "DROP OWNED", []),
        ("GRANT SELECT ON t TO a", "GRANT", []),
        ("REVOKE a FROM b", "REVOKE", []),
        ("COMMENT ON TABLE t IS 'x'", "COMMENT", []),
        ("SECURITY LABEL ON TABLE t IS 'x'", "SECURITY LABEL", []),
        ("IMPORT FOREIGN SCHEMA s FROM SERVER t INTO u", "IMPORT FOREIGN SCHEMA", []),
        ("REASSIGN OWNED BY a TO b", "REASSIGN OWNED", []),
    ],
)
def test_C40_schema_changes(text: str, verb: str, expected: list[str]) -> None:
    statement = read(text)
    assert (statement.kind, statement.verb) == (Kind.DDL, verb)
    assert [target.name.name for target in statement.targets] == expected
    assert not statement.temporary


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TEMP TABLE t (a int)",
        "CREATE TEMPORARY TABLE t AS SELECT 1",
        "CREATE LOCAL TEMP TABLE t (a int)",
        "CREATE GLOBAL TEMPORARY TABLE t (a int)",
        "CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
        "CREATE TEMP RECURSIVE VIEW v (a) AS SELECT 1",
        "CREATE TEMP SEQUENCE s",
        "CREATE TABLE pg_temp.t (a int)",
        'CREATE TABLE "pg_temp"."t" (a int)',
        "CREATE TABLE pg_temp_3.t (a int)",
        "CREATE FUNCTION pg_temp.f() RETURNS int RETURN 1",
        "CREATE TYPE pg_temp.ty AS (a int)",
        'CREATE TEMP TABLE "#Tableau_1" (a int)',
    ],
)
def test_S09_temporary_objects(text: str) -> None:
    assert read(text).temporary


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CREATE TABLE t AS SELECT f() FROM s", Kind.SELECT),
        ("CREATE TABLE t (a) WITH (fillfactor = 7) AS SELECT f() FROM s WITH NO DATA", Kind.SELECT),
        ("CREATE TABLE t AS (SELECT f() FROM s) WITH DATA", Kind.SELECT),
        ("CREATE MATERIALIZED VIEW m AS SELECT f() FROM s", Kind.SELECT),
        ("CREATE TABLE t AS EXECUTE p(1, f())", Kind.EXECUTE),
    ],
)
def test_C31_a_table_from_a_query_runs_it(text: str, kind: Kind) -> None:
    statement = read(text)
    assert statement.executes_inner
    assert statement.inner is not None
    assert statement.inner.kind is kind
    assert statement.read is not None
    assert [function.name.name for function in statement.read.functions] == ["f"]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE t (a int GENERATED ALWAYS AS (1) STORED)",
        "CREATE TABLE t (LIKE u)",
    ],
)
def test_other_definitions_hold_no_statement_that_runs(text: str) -> None:
    assert read(text).inner is None


@pytest.mark.parametrize("text", ["CREATE", "ALTER", "DROP", "SECURITY x", "IMPORT x", "REASSIGN"])
def test_Z00_what_is_not_understood_is_unknown(text: str) -> None:
    assert read(text).kind is Kind.UNKNOWN

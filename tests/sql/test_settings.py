"""Every spelling of SET, RESET, SHOW and DISCARD (S-05)."""

from __future__ import annotations

from typing import Any

import pytest
from pglast import ast, enums

from pgcache.sql.model import Kind, SetScope, SettingChange, Statement
from pgcache.sql.script import read_script
from tests.sql import oracle
from tests.sql.corpus import statements

SESSION, LOCAL, TRANSACTION = SetScope.SESSION, SetScope.LOCAL, SetScope.TRANSACTION


def read(text: str) -> Statement:
    (statement,) = read_script(text.encode()).statements
    return statement


@pytest.mark.parametrize(
    ("text", "name", "value", "scope"),
    [
        ("SET x TO 1", "x", ("1",), SESSION),
        ("SET x = -1.5", "x", ("-1.5",), SESSION),
        ("SET x = 007", "x", ("7",), SESSION),
        ("SET x = '007'", "x", ("007",), SESSION),
        ("SET x = -0", "x", ("0",), SESSION),
        ("SET x = +012", "x", ("12",), SESSION),
        ("SET x = -012", "x", ("-12",), SESSION),
        ("SET x = 0x1F", "x", ("31",), SESSION),
        ("SET x = 0b_101", "x", ("5",), SESSION),
        ("SET x = 1_000", "x", ("1000",), SESSION),
        ("SET x = 2147483647", "x", ("2147483647",), SESSION),
        ("SET x = 02147483648", "x", ("02147483648",), SESSION),
        ("SET x = 1e3", "x", ("1e3",), SESSION),
        ("SET SESSION x = on", "x", ("on",), SESSION),
        ("SET LOCAL X = TRUE", "x", ("true",), LOCAL),
        ("SET App.Tenant = 'A b'", "app.tenant", ("A b",), SESSION),
        ('SET "App"."Tenant" = "A b"', "app.tenant", ("A b",), SESSION),
        ("SET x TO DEFAULT", "x", None, SESSION),
        ("SET LOCAL x = DEFAULT", "x", None, LOCAL),
        ("SET search_path = A, \"B\", 'C d'", "search_path", ("a", "B", "C d"), SESSION),
        ("SET search_path = 'a, b'", "search_path", ("a, b",), SESSION),
        ("SET x = E'a\\tb'", "x", ("a\tb",), SESSION),
        ("SET x = 'it''s'", "x", ("it's",), SESSION),
        ("SET SCHEMA 'S'", "search_path", ("S",), SESSION),
        ("SET NAMES 'latin1'", "client_encoding", ("latin1",), SESSION),
        ("SET NAMES", "client_encoding", None, SESSION),
        ("SET NAMES DEFAULT", "client_encoding", None, SESSION),
        ("SET TIME ZONE 'Europe/Rome'", "timezone", ("Europe/Rome",), SESSION),
        ("SET LOCAL TIME ZONE UTC", "timezone", ("utc",), LOCAL),
        ("SET TIME ZONE -7", "timezone", ("-7",), SESSION),
        ("SET TIME ZONE LOCAL", "timezone", None, SESSION),
        ("SET TIME ZONE DEFAULT", "timezone", None, SESSION),
        (
            "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE",
            "timezone",
            ("interval '-08:00' hour to minute",),
            SESSION,
        ),
        ("SET ROLE joe", "role", ("joe",), SESSION),
        ("SET LOCAL ROLE 'Joe'", "role", ("Joe",), LOCAL),
        ("SET ROLE NONE", "role", ("none",), SESSION),
        ("SET role TO joe", "role", ("joe",), SESSION),
        ("SET SESSION AUTHORIZATION joe", "session_authorization", ("joe",), SESSION),
        ("SET LOCAL SESSION AUTHORIZATION joe", "session_authorization", ("joe",), LOCAL),
        ("SET SESSION AUTHORIZATION DEFAULT", "session_authorization", None, SESSION),
        ("SET XML OPTION DOCUMENT", "xmloption", ("document",), SESSION),
        ("SET TRANSACTION READ ONLY", "transaction_read_only", ("on",), TRANSACTION),
        ("SET TRANSACTION SNAPSHOT 'a-1'", "transaction_snapshot", ("a-1",), TRANSACTION),
        (
            "SET transaction_isolation = 'serializable'",
            "transaction_isolation",
            ("serializable",),
            TRANSACTION,
        ),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
            "default_transaction_isolation",
            ("read uncommitted",),
            SESSION,
        ),
        ("SET pgcache.ttl = '60s'", "pgcache.ttl", ("60s",), SESSION),
        ("set session to 1", "session", ("1",), SESSION),
    ],
)
def test_S05_set(text: str, name: str, value: tuple[str, ...] | None, scope: SetScope) -> None:
    statement = read(text)
    assert statement.kind is Kind.SET
    assert statement.settings == (SettingChange(name, value, scope),)


def test_S05_modes_are_several_settings() -> None:
    text = "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE, NOT DEFERRABLE"
    assert read(text).settings == (
        SettingChange("default_transaction_read_only", ("off",)),
        SettingChange("default_transaction_deferrable", ("off",)),
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("RESET x", "x"),
        ("RESET App.Tenant", "app.tenant"),
        ("RESET ALL", "*"),
        ("RESET ROLE", "role"),
        ("RESET TIME ZONE", "timezone"),
        ("RESET SESSION AUTHORIZATION", "session_authorization"),
    ],
)
def test_S05_reset(text: str, name: str) -> None:
    statement = read(text)
    assert statement.kind is Kind.RESET
    assert statement.settings == (SettingChange(name, None),)


def test_reset_of_isolation_lasts_for_the_transaction() -> None:
    changes = read("RESET TRANSACTION ISOLATION LEVEL").settings
    assert changes == (SettingChange("transaction_isolation", None, TRANSACTION),)


@pytest.mark.parametrize(
    "text",
    [
        "SET x FROM CURRENT",
        "SET",
        "SET x",
        "SET x =",
        "SET x = 1 2",
        "SET x = a.b",
        "SET x = f(1)",
        "SET CATALOG 'x'",
        "SET TRANSACTION",
        "SET TRANSACTION ISOLATION LEVEL CHAOS",
        "SET SESSION CHARACTERISTICS AS TRANSACTION",
        "SET ROLE",
        "SET ROLE 1",
        "SET XML OPTION x",
        "SET TIME ZONE",
        "SET x = -'1'",
        "RESET",
        "RESET a b",
        "SHOW",
        "SHOW a b",
        "DISCARD",
        "DISCARD x",
        "DISCARD ALL x",
    ],
)
def test_Z00_what_is_not_understood_is_unknown(text: str) -> None:
    assert read(text).kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SHOW x", "x"),
        ("SHOW TIME ZONE", "timezone"),
        ("SHOW TRANSACTION ISOLATION LEVEL", "transaction_isolation"),
        ("SHOW SESSION AUTHORIZATION", "session_authorization"),
        ("SHOW ALL", "all"),
        ("SHOW pgcache.last", "pgcache.last"),
    ],
)
def test_show_names_its_setting(text: str, name: str) -> None:
    statement = read(text)
    assert (statement.kind, statement.name) == (Kind.SHOW, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("DISCARD ALL", "all"),
        ("DISCARD TEMPORARY", "temp"),
        ("discard plans", "plans"),
        ("DISCARD SEQUENCES", "sequences"),
    ],
)
def test_discard_names_its_object(text: str, name: str) -> None:
    statement = read(text)
    assert (statement.kind, statement.name) == (Kind.DISCARD, name)


def test_constraints_change_no_setting() -> None:
    statement = read("SET CONSTRAINTS ALL DEFERRED")
    assert (statement.kind, statement.settings) == (Kind.SET, ())


def constant(node: Any) -> str | None:
    """Return a constant of the parse tree as text; None for what is more than that."""
    value = node.val if isinstance(node, ast.A_Const) else None
    for attribute in ("sval", "fval"):
        if hasattr(value, attribute):
            return str(getattr(value, attribute))
    return str(value.ival) if isinstance(value, ast.Integer) else None


@pytest.mark.parametrize("text", statements("settings"))
def test_S05_names_and_values_are_those_of_the_parse_tree(text: str) -> None:
    trees = oracle.parse(text)
    assert trees is not None
    node = trees[0]
    if not isinstance(node, ast.VariableSetStmt):
        return
    if node.kind not in (enums.VariableSetKind.VAR_SET_VALUE, enums.VariableSetKind.VAR_RESET):
        return
    (change,) = read(text).settings
    assert node.name is not None
    assert change.name == node.name.lower()
    if change.scope is not TRANSACTION:
        assert (change.scope is LOCAL) == node.is_local
    expected = [constant(item) for item in node.args or ()]
    if change.value is None:
        assert expected == []
    elif node.name == "xmloption":  # the tree has it in capitals, for any case of the text
        assert [value.upper() for value in change.value] == expected
    elif None not in expected:
        assert list(change.value) == expected

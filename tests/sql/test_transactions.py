"""BEGIN, COMMIT, ROLLBACK, savepoints and two-phase commit."""

from __future__ import annotations

import pytest

from pgcache.sql.model import Kind, SetScope, SettingChange, Statement
from pgcache.sql.script import read_script


def read(text: str) -> Statement:
    (statement,) = read_script(text.encode()).statements
    return statement


def test_T03_modes_of_begin_are_settings_of_the_transaction() -> None:
    text = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY DEFERRABLE"
    statement = read(text)
    assert statement.kind is Kind.BEGIN
    assert statement.settings == (
        SettingChange("transaction_isolation", ("repeatable read",), SetScope.TRANSACTION),
        SettingChange("transaction_read_only", ("on",), SetScope.TRANSACTION),
        SettingChange("transaction_deferrable", ("on",), SetScope.TRANSACTION),
    )


@pytest.mark.parametrize("text", ["BEGIN", "begin work", "START TRANSACTION", "BEGIN TRANSACTION"])
def test_begin_without_modes(text: str) -> None:
    assert (read(text).kind, read(text).settings) == (Kind.BEGIN, ())


@pytest.mark.parametrize(
    ("text", "kind", "chain"),
    [
        ("COMMIT", Kind.COMMIT, False),
        ("END WORK", Kind.COMMIT, False),
        ("COMMIT AND CHAIN", Kind.COMMIT, True),
        ("COMMIT TRANSACTION AND NO CHAIN", Kind.COMMIT, False),
        ("END AND CHAIN", Kind.COMMIT, True),
        ("ROLLBACK", Kind.ROLLBACK, False),
        ("ROLLBACK WORK AND CHAIN", Kind.ROLLBACK, True),
        ("ABORT", Kind.ROLLBACK, False),
        ("ABORT TRANSACTION AND NO CHAIN", Kind.ROLLBACK, False),
    ],
)
def test_T07_ends(text: str, kind: Kind, chain: bool) -> None:
    assert (read(text).kind, read(text).chain) == (kind, chain)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("SAVEPOINT A", Kind.SAVEPOINT, "a"),
        ('SAVEPOINT "A"', Kind.SAVEPOINT, "A"),
        ("RELEASE a", Kind.RELEASE, "a"),
        ("RELEASE SAVEPOINT a", Kind.RELEASE, "a"),
        ("RELEASE savepoint", Kind.RELEASE, "savepoint"),
        ("ROLLBACK TO a", Kind.ROLLBACK_TO, "a"),
        ("ROLLBACK WORK TO SAVEPOINT a", Kind.ROLLBACK_TO, "a"),
        ("ROLLBACK TO savepoint", Kind.ROLLBACK_TO, "savepoint"),
        ("PREPARE TRANSACTION 'G 1'", Kind.PREPARE_TRANSACTION, "G 1"),
        ("COMMIT PREPARED 'G 1'", Kind.COMMIT_PREPARED, "G 1"),
        ("ROLLBACK PREPARED 'G 1'", Kind.ROLLBACK_PREPARED, "G 1"),
    ],
)
def test_T16_named_points(text: str, kind: Kind, name: str) -> None:
    assert (read(text).kind, read(text).name) == (kind, name)


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN x",
        "BEGIN READ ONLY,",
        "BEGIN ISOLATION LEVEL",
        "START",
        "COMMIT x",
        "COMMIT AND",
        "ROLLBACK TO",
        "ROLLBACK TO a b",
        "SAVEPOINT",
        "RELEASE",
        "COMMIT PREPARED x",
        "PREPARE TRANSACTION",
        "ABORT TO a",
    ],
)
def test_Z00_what_is_not_understood_is_unknown(text: str) -> None:
    assert read(text).kind is Kind.UNKNOWN

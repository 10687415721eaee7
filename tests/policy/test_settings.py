"""What is known of PostgreSQL's settings, and how their values are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.policy.settings import (
    IGNORED,
    JUDGED_APART,
    NEWER_SETTINGS,
    RESULT_SETTINGS,
    SAFE_VALUES,
    canonical,
    cut_name,
    is_custom,
    is_ignored,
    is_safe_encoding,
    join_names,
    parse_bool,
    role_follows_user,
    split_names,
)
from tests.support.postgres import Server


def test_no_setting_is_of_two_classes() -> None:
    judged = {"default_transaction_isolation"}  # asked for, because T-03 needs it
    assert set(RESULT_SETTINGS) & (IGNORED | JUDGED_APART) == judged
    assert IGNORED.isdisjoint(SAFE_VALUES)
    assert IGNORED.isdisjoint(NEWER_SETTINGS)


@pytest.mark.postgres
def test_what_is_asked_exists_and_what_is_ignored_is_a_setting(postgres: Server) -> None:
    """A SHOW of an unknown name would fail the whole probe."""
    with postgres.connect() as connection:
        names = {str(row[0]) for row in connection.execute("select name from pg_settings")}
    assert {*RESULT_SETTINGS, *SAFE_VALUES} - names == set()
    assert len(IGNORED & names) > 100


@pytest.mark.parametrize("name", ["work_mem", "application_name", "transaction_isolation"])
def test_ignored(name: str) -> None:
    assert is_ignored(name)


@pytest.mark.parametrize("name", ["datestyle", "app.tenant", "search_path", "brand_new_setting"])
def test_not_ignored(name: str) -> None:
    """S-20: what is unknown is class A."""
    assert not is_ignored(name)


def test_two_part_names_are_custom() -> None:
    assert is_custom("app.tenant")
    assert not is_custom("search_path")


@pytest.mark.parametrize(
    "encoding", ["UTF8", "SQL_ASCII", "LATIN1", "LATIN10", "ISO_8859_5", "WIN1252", "WIN866"]
)
def test_safe_encodings(encoding: str) -> None:
    assert is_safe_encoding(encoding)


@pytest.mark.parametrize(
    "encoding", ["SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004", "", "UTF8X"]
)
def test_unsafe_encodings(encoding: str) -> None:
    """S-12: bytes that look like ASCII may be the second half of a character."""
    assert not is_safe_encoding(encoding)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        *[(text, True) for text in ("on", "ON", "t", "tr", "true", "y", "yes", "1")],
        *[(text, False) for text in ("off", "of", "f", "false", "n", "NO", "0")],
        *[(text, None) for text in ("o", "", "2", "truex", "maybe")],
    ],
)
def test_booleans(text: str, truth: bool | None) -> None:
    assert parse_bool(text) is truth


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("row_security", ("FALSE",), "off"),
        ("row_security", ("odd",), "odd"),
        ("extra_float_digits", ("+3",), "3"),
        ("extra_float_digits", ("010",), "010"),
        ("bytea_output", ("ESCAPE",), "escape"),
        ("lc_monetary", ("C.UTF-8",), "C.UTF-8"),
        ("app.tenant", ("Seven",), "Seven"),
        ("search_path", ("a", 'B"'), '"a", "B"""'),
        ("search_path", ("a, b",), '"a, b"'),
        ("temp_tablespaces", ("a", "b"), '"a", "b"'),
    ],
)
def test_canonical_values(name: str, values: tuple[str, ...], text: str) -> None:
    assert canonical(name, values) == text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ('"$user", public', ("$user", "public")),
        ("Sales,\tPUBLIC", ("sales", "public")),
        ('"Sales" , "a""b","c, d"', ("Sales", 'a"b', "c, d")),
        ('""', ("",)),
        ('a"b', ('a"b',)),
        ("Ä", ("Ä",)),
        ("x" * 70, ("x" * 63,)),
    ],
)
def test_lists_of_names(text: str, names: tuple[str, ...]) -> None:
    """S-11, as SplitIdentifierString reads them."""
    assert split_names(text) == names


@pytest.mark.parametrize("text", ["a,", ",a", "a b", '"a', '"a"b', "a,,b"])
def test_what_is_no_list_of_names(text: str) -> None:
    with pytest.raises(ValueError, match="not a list of names"):
        split_names(text)


@given(st.lists(st.text(max_size=15), max_size=4))
def test_names_survive_being_written(names: list[str]) -> None:
    assert split_names(join_names(tuple(names))) == tuple(names)


@pytest.mark.parametrize(
    ("name", "cut"), [("ä" * 40, "ä" * 31), ("a" * 63, "a" * 63), ("€" * 16, "€" * 16)]
)
def test_names_are_cut_at_a_character(name: str, cut: str) -> None:
    assert cut_name(name) == cut


@pytest.mark.parametrize(
    ("version", "follows"),
    [
        ("15.18 (Debian 15.18-1)", True),
        ("15.9", True),
        ("15.8", False),
        ("17.0", False),
        ("17.1", True),
        ("18beta1", True),
        ("19devel", True),
        ("13.22", False),
        ("CockroachDB", False),
    ],
)
def test_releases_in_which_the_role_follows_the_session_user(version: str, follows: bool) -> None:
    assert role_follows_user(version) is follows

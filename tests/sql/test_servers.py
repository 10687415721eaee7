"""Key texts and literals against real servers, of every version at hand (C-02, S-13).

pglast carries the scanner of one version only, with standard_conforming_strings on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from pgcache.sql.lexer import TokenKind, tokenize
from pgcache.sql.literals import string_value
from pgcache.sql.normal import normalise
from pgcache.sql.script import read_script
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres

PIECES = [
    *("'a'", "'b\\'", "E'c\\'", "'d'", "''", "'", "\\", "e'f'", "U&'g'", "B'1'", "x'1f'", "N'h'"),
    *("$$i$$", "$t$j$t$", "1", "2.5", "1e5", ".5", "0x1F", "1_0", "0b1", "1.", "$1", '"k"', "l"),
    *("+", "-", "*", "/", "<", ">", "=", "||", "::", "text", "AS", ",", "(", ")", "[", "]", "|/"),
    *("--", "/*", "*/", "-- m\n", "/* n */", "/* /* */", " ", " ", " ", "\n", "\t", "\f"),
    "\v",
]
LITERALS = ["'", "''", "\\", "\\'", "a", "B", "\n", "' \n '", "'--x\n'", "n", "\\\\", "x41", " "]


@pytest.fixture(scope="module", params=[True, False], ids=["standard", "backslash"])
def session(
    postgres: Server, request: pytest.FixtureRequest
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with postgres.connect() as connection:
        setting = "on" if request.param else "off"
        connection.execute("SET escape_string_warning = off")
        connection.execute(sql.SQL("SET standard_conforming_strings = {}").format(setting))
        yield connection


def answer(session: psycopg.Connection, text: str) -> object:
    """Run a text; returns labels and rows, or the error's SQLSTATE."""
    try:
        cursor = psycopg.ClientCursor(session)
        cursor.execute(text.encode())
        labels = [column.name for column in cursor.description or ()]
        return labels, cursor.fetchall()
    except psycopg.Error as error:
        return error.sqlstate


def is_standard(session: psycopg.Connection) -> bool:
    return session.info.parameter_status("standard_conforming_strings") == "on"


def test_C02_a_key_text_answers_as_its_text_does(session: psycopg.Connection) -> None:
    rng = random.Random(4)
    scs = is_standard(session)
    successes = 0
    for _ in range(3_000):
        text = "SELECT " + "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 7)))
        tokens = tokenize(text, standard_conforming_strings=scs)
        expected = answer(session, text)
        key = normalise(text, tokens)
        if "\v" in text:  # white space to some versions only, and one in a comment stays as well
            assert "\v" in key
        else:
            assert answer(session, key) == expected
        if isinstance(expected, tuple):
            successes += 1
            assert all(token.kind is not TokenKind.ERROR for token in tokens)
    assert successes > 100


def test_S13_literals_mean_what_the_server_says(session: psycopg.Connection) -> None:
    rng = random.Random(5)
    scs = is_standard(session)
    successes = 0
    for _ in range(3_000):
        prefix = rng.choice(["", "", "E", "N"])
        body = "".join(rng.choice(LITERALS) for _ in range(rng.randint(0, 6)))
        text = f"SELECT {prefix}'{body}'"
        expected = answer(session, text)
        if not isinstance(expected, tuple) or len(expected[0]) != 1:
            continue
        literal = tokenize(text, standard_conforming_strings=scs)[1]
        if literal.end == len(text):  # and no label follows it
            successes += 1
            found = string_value(literal)
            assert found is not None
            trimmed = found.rstrip(" ") if prefix == "N" else found
            assert expected[1][0][0].rstrip(" " if prefix == "N" else "") == trimmed
    assert successes > 300


@pytest.mark.parametrize(
    "text",
    [
        "SET TIME ZONE 'Europe/Rome'",
        "SET TIME ZONE utc",
        "SET TIME ZONE -7",
        'SET "timezone" = "Asia/Tokyo"',
        "SET DateStyle = German, DMY",
        "SET datestyle TO 'ISO, MDY'",
        "SET SCHEMA 'Some schema'",
        "SET search_path TO Abc",
        "SET search_path = 'a, B'",
        'SET SESSION search_path = "$user"',
        "SET NAMES 'latin1'",
        "SET extra_float_digits = -3",
        "SET App.Tenant = 'A b'",
        "SET app.tenant TO On",
        "SET app.tenant = E'a\\tb'",
        "SET app.tenant = 1.50",
        "SET ROLE alice",
        "SET role = 'alice'",
        "SET SESSION AUTHORIZATION alice",
        "SET XML OPTION DOCUMENT",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET TIME ZONE LOCAL",
        "SET TIME ZONE DEFAULT",
        "SET work_mem TO DEFAULT",
        "RESET TIME ZONE",
    ],
)
def test_S05_settings_become_what_was_read(postgres: Server, text: str) -> None:
    (statement,) = read_script(text.encode()).statements
    (change,) = statement.settings
    with postgres.connect() as connection:
        setting = "SELECT pg_catalog.current_setting(%s)"
        default = None
        if change.value is None:
            default = connection.execute(setting, [change.name]).fetchone()
        connection.execute(text.encode())
        found = connection.execute(setting, [change.name]).fetchone()
    if change.value is None:
        assert found == default
        return
    is_list = change.name == "search_path"
    values = [f'"{value}"' for value in change.value] if is_list else change.value
    with postgres.connect() as connection:
        replayed = "SELECT pg_catalog.set_config(%s, %s, false)"
        connection.execute(replayed, [change.name, ", ".join(values)])
        assert connection.execute(setting, [change.name]).fetchone() == found or is_list
        if is_list:
            assert found is not None
            assert str(found[0]).replace('"', "") == ", ".join(change.value)

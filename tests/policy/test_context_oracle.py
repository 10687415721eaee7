"""The context against PostgreSQL itself: random scripts, every value compared after each statement.

The tracker hears what a proxy would hear: which statement succeeded, and (or not) the settings
that the origin reports. The server is the oracle.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.pq import TransactionStatus

from pgcache.policy.context import SessionSettings
from pgcache.policy.probe import Probe, Question, build_login_question
from pgcache.policy.settings import join_names, split_names
from pgcache.sql.model import SetScope, SettingChange
from pgcache.sql.script import read_script
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres

CUSTOM = ("app.tenant", "app.region")
PLAIN = ("extra_float_digits", "bytea_output", "search_path", "row_security", "array_nulls")
COMPARED = (*CUSTOM, *PLAIN, "pgcache.mode", "transaction_isolation")
REPORTED = ("session_authorization", "is_superuser", "client_encoding", "TimeZone", "search_path")


@dataclass(frozen=True)
class Step:
    """A statement, and what a session hears of it once it has succeeded."""

    text: str
    hear: Callable[[SessionSettings], None]

    def __repr__(self) -> str:
        return self.text


def change(
    text: str, name: str, value: tuple[str, ...] | None, scope: SetScope = SetScope.SESSION
) -> Step:
    return Step(text, lambda context: context.apply(SettingChange(name, value, scope)))


def modes(text: str, name: str, level: str, scope: SetScope, *, begins: bool = False) -> Step:
    def hear(context: SessionSettings) -> None:
        if begins:
            context.begin()
        context.apply(SettingChange(name, (level,), scope))

    return Step(text, hear)


VALUES: dict[str, tuple[str, ...]] = {
    "app.tenant": ("7", "8", ""),
    "app.region": ("north",),
    "extra_float_digits": ("0", "1", "3"),
    "bytea_output": ("hex", "escape"),
    "row_security": ("on", "off"),
    "array_nulls": ("on", "off"),
    "pgcache.mode": ("off", "refresh"),
}
USERS = ("role_a", "role_b", "postgres")
CONTROL_VERBS = ("begin", "commit", "rollback", "savepoint", "release")
SCOPES = (SetScope.SESSION, SetScope.LOCAL)


def all_steps() -> list[Step]:
    steps = [
        Step("begin", lambda context: context.begin()),
        Step("begin", lambda context: context.begin()),
        Step("commit", lambda context: context.commit()),
        Step("rollback", lambda context: context.rollback()),
        change("reset all", "*", None),
        Step("discard all", lambda context: context.discard_all()),
        change("reset role", "role", None),
        change("reset session authorization", "session_authorization", None),
    ]
    for level in ("serializable", "read committed"):
        modes_of = "transaction_isolation", level, SetScope.TRANSACTION
        default = "default_transaction_isolation", level, SetScope.SESSION
        steps += (
            modes(f"begin isolation level {level}", *modes_of, begins=True),
            modes(f"begin; set transaction isolation level {level}", *modes_of, begins=True),
            modes(f"begin; set transaction_isolation = '{level}'", *modes_of, begins=True),
            modes(f"set session characteristics as transaction isolation level {level}", *default),
            modes(f"set default_transaction_isolation = '{level}'", *default),
        )
    steps += (
        Step("commit and chain", lambda context: context.commit(chain=True)),
        Step("rollback and chain", lambda context: context.rollback(chain=True)),
    )
    for savepoint in ("a", "b"):
        steps += (
            Step(f"savepoint {savepoint}", methodcaller("savepoint", savepoint)),
            Step(f"release {savepoint}", methodcaller("release", savepoint)),
            Step(f"rollback to {savepoint}", methodcaller("rollback_to", savepoint)),
        )
    for scope in SCOPES:
        local = "local " if scope is SetScope.LOCAL else ""
        for name, values in VALUES.items():
            steps += [change(f"set {local}{name} = '{v}'", name, (v,), scope) for v in values]
            steps.append(change(f"set {local}{name} to default", name, None, scope))
        paths: tuple[tuple[str, ...], ...] = (("public",), ("a", 'B"c'), ("$user", "pg_catalog"))
        for path in paths:
            steps.append(
                change(f"set {local}search_path = {join_names(path)}", "search_path", path, scope)
            )
        for user in USERS:
            steps.append(change(f"set {local}role {user}", "role", (user,), scope))
            steps.append(
                change(
                    f"set {local}session authorization {user}",
                    "session_authorization",
                    (user,),
                    scope,
                )
            )
        steps.append(change(f"set {local}role none", "role", ("none",), scope))
    steps += [change(f"reset {name}", name, None) for name in (*VALUES, "search_path")]
    return steps


STEPS = all_steps()
CONTROL = [
    step for step in STEPS if step.text == "reset all" or step.text.split()[0] in CONTROL_VERBS
]
NAMED = sorted({step.text.replace("local ", "") for step in STEPS if step not in CONTROL})


@st.composite
def scripts(draw: st.DrawFn) -> list[Step]:
    """A script about few things, so that its statements meet."""
    about = draw(st.lists(st.sampled_from(NAMED), min_size=1, max_size=3, unique=True))
    pool = [step for step in STEPS if step.text.replace("local ", "") in about]
    length = draw(st.integers(4, 24))
    one = st.sampled_from(pool) | st.sampled_from(pool) | st.sampled_from(CONTROL)
    return draw(st.lists(one, min_size=length, max_size=length))


@pytest.fixture(scope="module")
def roles(postgres: Server) -> Server:
    with postgres.connect() as connection:
        for role in ("role_a", "role_b"):
            connection.execute(
                sql.SQL(
                    "do $$ begin create role {0} login; exception when duplicate_object then end $$"
                ).format(sql.Identifier(role))
            )
        connection.execute("grant role_b to role_a")
    return postgres


def ask(connection: psycopg.Connection[tuple[object, ...]], question: Question) -> Probe:
    """Send a question as a proxy would, and read all its results in order."""
    rows: list[list[bytes | None]] = []
    pgconn = connection.pgconn
    pgconn.send_query(question.sql.encode())
    while (result := pgconn.get_result()) is not None:
        assert not result.error_message, result.error_message
        rows += [
            [result.get_value(row, column) for column in range(result.nfields)]
            for row in range(result.ntuples)
        ]
    return question.parse(rows)


def report(connection: psycopg.Connection[tuple[object, ...]], context: SessionSettings) -> None:
    for name in REPORTED:
        value = connection.info.parameter_status(name)
        if value is not None:
            context.report(name, value)


def is_failed(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    return connection.info.transaction_status == TransactionStatus.INERROR


def expected(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, object]:
    row = connection.execute(
        "select session_user::text, current_user::text, "
        + ", ".join(f"current_setting('{name}', true)" for name in COMPARED)
    ).fetchone()
    assert row is not None
    said = dict(zip(("session_user", "current_user", *COMPARED), row, strict=True))
    path = said["search_path"]
    assert isinstance(path, str)
    said["search_path"] = join_names(split_names(path))
    return said


def tracked(context: SessionSettings) -> dict[str, object]:
    told = {**dict.fromkeys(COMPARED), **context.describe()}
    told["pgcache.mode"] = context._values.get("pgcache.mode")
    told["transaction_isolation"] = context.isolation
    return {name: told[name] for name in ("session_user", "current_user", *COMPARED)}


def play(server: Server, steps: list[Step], *, options: str, hears_reports: bool) -> None:
    with psycopg.connect(server.url(), autocommit=True, options=options) as connection:
        connection.prepare_threshold = None
        context = SessionSettings()
        context.learn(ask(connection, build_login_question(CUSTOM)))
        if hears_reports:
            report(connection, context)
        for step in steps:
            failed = is_failed(connection)
            try:
                connection.execute(step.text.encode())
            except psycopg.Error:
                if not failed and is_failed(connection):
                    context.fail()
            else:
                if failed and step.text.startswith("commit"):
                    context.rollback(chain=step.text.endswith("chain"))
                else:
                    step.hear(context)
            if hears_reports:
                report(connection, context)
            if not is_failed(connection):
                assert tracked(context) == expected(connection), step
                assert context.known


@pytest.mark.parametrize("hears_reports", [True, False], ids=["reports", "no reports"])
@settings(max_examples=40, deadline=None)
@given(
    steps=scripts(),
    options=st.sampled_from(["", "-c app.tenant=1 -c search_path=a,b", "-c role=role_a"]),
)
def test_every_value_is_as_the_server_says(
    roles: Server, hears_reports: bool, steps: list[Step], options: str
) -> None:
    """S-04, S-04a, S-06, S-08: transactions, savepoints, LOCAL, RESET, roles, DISCARD ALL."""
    play(roles, steps, options=options, hears_reports=hears_reports)


PINNED = """
    set bytea_output = 'escape'; begin; set local bytea_output to default; reset all; commit
    set role role_a; reset all
    set session authorization role_a; reset all
    begin; savepoint a; set array_nulls = 'off'; rollback to a; set array_nulls = 'off'; rollback to a; commit
    begin; savepoint a; set array_nulls = 'off'; savepoint a; set bytea_output = 'escape'; rollback to a; commit
    begin; savepoint a; set array_nulls = 'off'; savepoint b; release a; set bytea_output = 'escape'; rollback to b; rollback
    begin; savepoint a; savepoint b; set array_nulls = 'off'; release b; rollback to a; commit
    set app.tenant = '7'; begin; set local app.tenant = '8'; savepoint a; set app.tenant to default; release a; commit
    begin; set role role_a; set local session authorization role_b; commit
    set role role_a; begin; set session authorization role_b; rollback
    begin; set app.region = 'north'; rollback; discard all
    set local app.region = 'north'
    reset app.region
"""  # noqa: E501  one script a line


@pytest.mark.parametrize("script", PINNED.strip().splitlines(), ids=str.strip)
def test_known_traps(roles: Server, script: str) -> None:
    """S-04, S-04a, S-06, S-08."""
    by_text = {step.text: step for step in STEPS}
    steps = [by_text[text.strip()] for text in script.split(";")]
    play(roles, steps, options="", hears_reports=False)


SPELLINGS = [
    "SET app.tenant = Mixed",
    'SET app.tenant = "Mixed"',
    "SET App.Tenant TO 'Mixed'",
    "SET app.tenant = TRUE",
    "SET app.tenant = on",
    "SET app.tenant = '007'",
    "SET app.tenant = 007",
    "SET app.tenant = -0",
    "SET app.tenant = +012",
    "SET app.tenant = 02147483647",
    "SET app.tenant = 02147483648",
    "SET app.tenant = -02147483648",
    "SET app.tenant = 0x1F",
    "SET app.tenant = 1_000",
    "SET app.tenant = 07.50",
    "SET app.tenant = +5",
    "SET app.tenant = '+5'",
    "SET app.tenant = - 5",
    "SET app.tenant = -0",
    "SET app.tenant = 1.50",
    "SET app.tenant = -.5",
    "SET app.tenant = +1e3",
    "SET app.tenant = 00099999999999",
    "SET app.tenant = 2147483648",
    "SET app.tenant = 0x1F",
    "SET app.tenant = 0xFFFFFFFFFF",
    "SET app.tenant = 1_000",
    "SET app.tenant = 1_000_000_000_000",
    "SET app.tenant = E'a\\tb'",
    "SET app.tenant = U&'\\00e4'",
    "SET app.tenant = $$it's$$",
    "SET app.tenant = 'ä' /* a comment */",
    f"SET app.tenant = {'x' * 70}",
    f"SET app.tenant = '{'x' * 70}'",
    "SET search_path = A, b , \"C\", 'D, e', \"$user\", ''",
    "SET search_path = ''",
    "SET search_path TO DEFAULT",
    "SET SCHEMA 'Mixed'",
    f"SET search_path = {'x' * 70}, '{'y' * 70}'",
    "SET extra_float_digits = -5",
    "SET extra_float_digits = '02'",
    "SET extra_float_digits = '0x2'",
    "SET extra_float_digits = 2.0",
    "SET bytea_output = ESCAPE",
    "SET bytea_output = 'EsCaPe'",
    "SET row_security = fals",
    "SET row_security = '0'",
    "SET row_security = 0",
    "SET SESSION row_security = NO",
    "SET array_nulls = of",
    "SET ROLE Role_A",
    "SET SESSION ROLE 'role_a'",
    'SET ROLE "role_a"',
    "SET ROLE 'none'",
    "SET SESSION AUTHORIZATION 'role_b'",
    "SET SESSION SESSION AUTHORIZATION role_b",
    "SET SESSION AUTHORIZATION DEFAULT",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
    "SET default_transaction_isolation TO 'Repeatable READ'",
]
NUMBERS_OF_16 = re.compile(r"(?:=|TO) (?:0x|\d+_\d)", re.IGNORECASE)
CANNOT_BE_EQUAL = {"extra_float_digits"}  # octal, hexadecimal and fractions are kept as written


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_means_what_the_server_makes_of_it(roles: Server, text: str) -> None:
    """S-05, from the text on."""
    with psycopg.connect(roles.url(), autocommit=True) as connection:
        context = SessionSettings()
        context.learn(ask(connection, build_login_question(CUSTOM)))
        if roles.major < 16 and NUMBERS_OF_16.search(text):
            with pytest.raises(psycopg.errors.SyntaxError):
                connection.execute(text.encode())
            return
        connection.execute(text.encode())
        (statement,) = read_script(text.encode()).statements
        assert statement.settings
        for setting in statement.settings:
            context.apply(setting)
        told, said = tracked(context), expected(connection)
        if told != said and context.known:
            differing = {name for name in said if told[name] != said[name]}
            assert differing <= CANNOT_BE_EQUAL, (told, said)

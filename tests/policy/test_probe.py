"""The questions to a session, put to real servers."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pgcache.policy.probe import build_full_question, build_login_question
from pgcache.policy.settings import RESULT_SETTINGS
from tests.policy.test_context_oracle import ask
from tests.support.postgres import Server

pytestmark = pytest.mark.postgres
Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def alice(postgres: Server, database: str) -> Iterator[Connection]:
    with postgres.connect("alice", database) as connection:
        yield connection


def test_a_fresh_session_says_its_defaults(alice: Connection) -> None:
    probe = ask(alice, build_login_question(["app.tenant"]))
    assert (probe.session_user, probe.role) == ("alice", "none")
    assert set(RESULT_SETTINGS) <= probe.settings.keys()
    assert probe.settings["search_path"] == '"$user", public'
    assert probe.custom["app.tenant"] is None
    assert probe.custom["pgcache.mode"] is None
    assert not probe.has_temporary


def test_defaults_of_the_role_the_database_and_the_connection_are_seen(
    postgres: Server, database: str
) -> None:
    """S-02: two sessions with equal startup packets may differ."""
    postgres.execute(
        f"alter role bob in database {database} set app.tenant = '7'",
        f"alter database {database} set search_path = sales, public",
    )
    try:
        url = postgres.url("bob", database)
        with psycopg.connect(url, options="-c pgcache.mode=off") as connection:
            probe = ask(connection, build_login_question(["app.tenant"]))
        assert probe.custom["app.tenant"] == "7"
        assert probe.custom["pgcache.mode"] == "off"
        assert probe.settings["search_path"] == "sales, public"
    finally:
        postgres.execute(f"alter role bob in database {database} reset all")


@pytest.mark.parametrize("full", [False, True])
def test_the_clients_search_path_cannot_reach_the_questions(
    postgres: Server, database: str, full: bool
) -> None:
    """W-11: functions and operators of the client's own, in front of pg_catalog."""
    with postgres.connect("postgres", database) as connection:
        connection.execute("create schema evil")
        for function, result in (
            ("current_setting(text, bool)", "text"),
            ("current_setting(unknown, bool)", "text"),
            ("pg_my_temp_schema()", "oid"),
        ):
            if "unknown" not in function:
                connection.execute(
                    f"create function evil.{function} returns {result} language plpgsql"
                    " as $$ begin raise exception 'evil'; end $$"
                )
        connection.execute(
            "create function evil.eq(oid, oid) returns bool language plpgsql"
            " as $$ begin raise exception 'evil'; end $$"
        )
        connection.execute(
            "create operator evil.= (leftarg = oid, rightarg = oid, function = evil.eq)"
        )
        connection.execute("create view evil.pg_settings as select 1/0 as name, 1 as setting")
        connection.execute("create temp table t ()")
        connection.execute("set search_path = evil, pg_temp, pg_catalog")
        question = build_full_question() if full else build_login_question()
        assert ask(connection, question).session_user == "postgres"


def test_the_full_question_tells_what_changed(alice: Connection) -> None:
    """S-07: after a function that set things."""
    alice.execute(
        "select set_config('app.tenant', '7', false), set_config('work_mem', '1MB', false)"
    )
    alice.execute("select set_config('array_nulls', 'off', false)")
    alice.execute("select set_config('check_function_bodies', 'off', false)")
    probe = ask(alice, build_full_question(["app.tenant", "app.region"]))
    assert probe.custom["app.tenant"] == "7"
    assert probe.custom["app.region"] is None
    assert probe.settings["array_nulls"] == "off"
    assert probe.changed["check_function_bodies"] == "off"
    assert "work_mem" not in probe.changed
    assert probe.defaults["array_nulls"] == "on"


def test_temporary_relations_are_seen_while_they_exist(alice: Connection) -> None:
    """S-09, B-05: Tableau makes one and drops it."""
    question = build_full_question()
    assert not ask(alice, question).has_temporary
    alice.execute("create temp table t (a int)")
    assert ask(alice, question).has_temporary
    alice.execute("drop table t")
    assert not ask(alice, question).has_temporary


def test_only_names_that_need_no_quotes_are_asked(alice: Connection) -> None:
    question = build_login_question(["App.Tenant", "x'); drop table t; --", "a.b.c", "pgcache.ttl"])
    assert question.asked[-2:] == ("a.b.c", "app.tenant")
    assert question.asked.count("pgcache.ttl") == 1
    assert "drop" not in question.sql
    assert ask(alice, question).custom["app.tenant"] is None


def test_an_answer_of_another_shape_is_an_error() -> None:
    question = build_login_question()
    with pytest.raises(ValueError, match="too short"):
        question.parse([[b"x"]])

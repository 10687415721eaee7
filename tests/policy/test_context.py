"""The session's context: what splits entries, what does not, and when it is no longer known."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest

from pgcache.errors.reasons import Reason, Refusal
from pgcache.policy.context import SessionSettings
from pgcache.policy.options import Options
from pgcache.policy.probe import Probe, build_login_question
from pgcache.sql.model import SetScope, SettingChange
from tests.policy.test_context_oracle import ask, report
from tests.support.postgres import Server

REPORTS = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
    "session_authorization": "alice",
    "is_superuser": "off",
    "in_hot_standby": "off",
    "application_name": "",
}
SETTINGS = {
    "search_path": '"$user", public',
    "extra_float_digits": "1",
    "row_security": "on",
    "default_transaction_isolation": "read committed",
    "default_text_search_config": "pg_catalog.english",
    "gin_fuzzy_search_limit": "0",
}
Make = Callable[..., SessionSettings]


def make(*, user: str = "alice", custom: dict[str, str | None] | None = None) -> SessionSettings:
    salts = itertools.count()
    context = SessionSettings(salt=lambda: b"salt %d" % next(salts))
    context.learn(Probe(user, settings=SETTINGS, custom=custom or {"app.tenant": None}))
    for name, value in REPORTS.items():
        context.report(name, user if name == "session_authorization" else value)
    return context


def path_of(context: SessionSettings) -> tuple[str, ...]:
    return context.search_path


def refusal_of(context: SessionSettings) -> Refusal | None:
    return context.refusal


def reads_committed(context: SessionSettings) -> bool:
    return context.reads_committed


def is_known(context: SessionSettings) -> bool:
    return context.known


def put(
    context: SessionSettings, name: str, *value: str, scope: SetScope = SetScope.SESSION
) -> None:
    context.apply(SettingChange(name, value or None, scope))


def test_equal_sessions_share() -> None:
    assert make().fingerprint == make().fingerprint
    assert len(make().fingerprint) == 16


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("extra_float_digits", "3"),
        ("row_security", "off"),
        ("search_path", "sales"),
        ("app.tenant", "7"),
        ("app.other", "7"),
        ("brand_new_setting", "on"),
        ("role", "bob"),
        ("default_text_search_config", "simple"),
    ],
)
def test_what_changes_results_splits_and_comes_back(name: str, value: str) -> None:
    """S-03, S-08."""
    context = make()
    before = context.fingerprint
    context.begin()
    put(context, name, value)
    assert context.fingerprint != before
    context.rollback()
    assert (context.fingerprint == before) == ("." not in name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("work_mem", "1GB"),
        ("statement_timeout", "5s"),
        ("default_transaction_isolation", "read uncommitted"),
        ("pgcache.mode", "off"),
        ("extra_float_digits", "+1"),
        ("row_security", "TRUE"),
    ],
)
def test_what_does_not_change_results_does_not_split(name: str, value: str) -> None:
    """2.3 C, T-02: Metabase sets READ UNCOMMITTED on every checkout."""
    context = make()
    put(context, name, value)
    assert context.fingerprint == make().fingerprint


def test_a_set_and_a_default_of_the_same_value_share() -> None:
    """B-03: Superset sets the search_path that a role may have from its login."""
    context = make()
    put(context, "search_path", "$user", "public")
    assert context.fingerprint == make().fingerprint


@pytest.mark.parametrize(
    ("name", "value", "splits"),
    [
        ("TimeZone", "Asia/Tokyo", True),
        ("is_superuser", "on", True),
        ("application_name", "x", False),
    ],
)
def test_reports_are_taken_as_they_are(name: str, value: str, splits: bool) -> None:
    """W-41."""
    context = make()
    before = context.fingerprint
    context.report(name, value)
    assert (context.fingerprint != before) is splits


def test_a_reported_setting_is_believed_over_what_a_set_said() -> None:
    context = make()
    put(context, "timezone", "utc")
    assert context.fingerprint == make().fingerprint
    context.report("search_path", "a, b")
    put(context, "search_path", "c")
    assert path_of(context) == ("a", "b")


def test_never_set_and_set_back_are_other_contexts() -> None:
    """S-04a: NULL and '' are told apart by row security."""
    context = make()
    context.begin()
    put(context, "app.tenant", "7")
    context.rollback()
    assert context.describe()["app.tenant"] == ""
    context.discard_all()
    assert context.fingerprint != make().fingerprint
    other = make()
    put(other, "app.tenant")
    assert other.fingerprint == context.fingerprint


def test_users() -> None:
    """S-08: both of them, and SET SESSION AUTHORIZATION ends SET ROLE."""
    context = make(user="postgres")
    put(context, "role", "bob")
    assert (context.session_user, context.current_user) == ("postgres", "bob")
    put(context, "*")
    assert context.current_user == "bob"
    put(context, "session_authorization", "carol")
    context.report("session_authorization", "carol")
    assert (context.session_user, context.current_user) == ("carol", "carol")


def test_older_releases_lose_the_role_with_the_session_user() -> None:
    """Rolling back SET SESSION AUTHORIZATION ended an earlier SET ROLE before 15.9 and its kin."""
    context = make(user="postgres")
    context.report("server_version", "15.8")
    put(context, "session_authorization", "bob")
    assert not is_known(context)


def test_the_search_path_is_resolved_for_the_user() -> None:
    """S-11."""
    context = make()
    assert path_of(context) == ("alice", "public")
    put(context, "role", "bob")
    assert path_of(context) == ("bob", "public")
    put(context, "search_path", "")
    assert path_of(context) == ()


def test_a_text_search_configuration_is_bound_where_it_was_set() -> None:
    """The unqualified name is looked up once, under the path of that moment."""
    one, other = make(), make()
    put(one, "search_path", "private")
    put(one, "default_text_search_config", "english")
    put(one, "search_path")
    put(other, "default_text_search_config", "english")
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [("gin_fuzzy_search_limit", "100", "gin_fuzzy_search_limit"), ("zero_damaged_pages", "on", "")],
)
def test_unsafe_settings_refuse(name: str, value: str, detail: str) -> None:
    """2.3 B."""
    context = make()
    assert refusal_of(context) is None
    put(context, name, value)
    assert refusal_of(context) == Refusal(Reason.UNSAFE_SETTING, detail or name)
    put(context, name)
    assert refusal_of(context) is None


def test_unsafe_encodings_refuse() -> None:
    """S-12."""
    context = make()
    context.report("client_encoding", "SJIS")
    assert refusal_of(context) == Refusal(Reason.UNSAFE_ENCODING, "SJIS")


def test_isolation_levels() -> None:
    """T-01 to T-03."""
    context = make()
    assert reads_committed(context)
    context.begin()
    put(context, "transaction_isolation", "SERIALIZABLE", scope=SetScope.TRANSACTION)
    assert (context.isolation, reads_committed(context)) == ("serializable", False)
    context.commit(chain=True)
    assert not reads_committed(context)
    context.rollback()
    assert reads_committed(context)
    put(context, "default_transaction_isolation", "read uncommitted")
    assert reads_committed(context)
    context.begin()
    put(context, "default_transaction_isolation", "serializable")
    assert reads_committed(context)  # the next transaction, not this one
    context.commit()
    assert not reads_committed(context)
    context.begin()
    put(context, "transaction_isolation")
    assert (context.isolation, reads_committed(context)) == ("", False)


def test_a_session_that_was_not_asked_is_not_known() -> None:
    context = SessionSettings()
    assert not is_known(context)
    assert context.refusal is not None
    assert context.refusal.reason is Reason.TAINTED_SESSION


def test_a_taint_lasts_until_the_session_is_asked_again() -> None:
    """S-07."""
    context = make()
    context.taint("DO")
    assert refusal_of(context) == Refusal(Reason.TAINTED_SESSION, "DO")
    probe = Probe(
        "alice",
        settings={**SETTINGS, "row_security": "off"},
        custom={"app.tenant": "7"},
        changed={"row_security": "off", "check_function_bodies": "off"},
    )
    context.relearn(probe, complete=True)
    other = make()
    put(other, "row_security", "off")
    put(other, "app.tenant", "7")
    put(other, "check_function_bodies", "off")
    assert is_known(context)
    assert context.fingerprint == other.fingerprint
    for name in ("row_security", "app.tenant", "check_function_bodies"):
        put(context, name)
        put(other, name)
    assert context.fingerprint == other.fingerprint


def test_a_session_of_which_not_all_was_asked_shares_with_none() -> None:
    """Names that PostgreSQL made up are found only by asking for them."""
    context = make()
    put(context, "app.other", "8")
    context.taint("CALL")
    context.relearn(Probe("alice", settings=SETTINGS, custom={"app.tenant": None}), complete=True)
    assert is_known(context)
    assert context.fingerprint != make().fingerprint
    assert not context.knows("app.other")
    question = context.full_question(["app.region"])
    assert {"app.tenant", "app.region"} <= set(question.asked)
    probe = Probe("alice", settings=SETTINGS, custom={"app.tenant": None, "app.other": None})
    context.relearn(probe, complete=False)
    assert context.fingerprint != make().fingerprint
    context.relearn(probe, complete=True)
    assert context.fingerprint == make().fingerprint


def test_S08_what_reset_makes_of_a_role_set_before_the_first_asking_is_not_known() -> None:
    """The session logged in while the catalogs were being read, and became bob at once."""
    context = SessionSettings()
    for name, value in REPORTS.items():
        context.report(name, value)
    put(context, "role", "bob")
    context.relearn(Probe("alice", "bob", SETTINGS, {"app.tenant": None}), complete=True)
    assert is_known(context)
    assert context.current_user == "bob"
    put(context, "role")
    assert not is_known(context)
    context.relearn(Probe("alice", "none", SETTINGS, {"app.tenant": None}), complete=True)
    assert is_known(context)
    assert context.current_user == "alice"
    assert context.fingerprint == make().fingerprint


def test_discard_all_clears_a_taint_but_not_what_was_set_unseen() -> None:
    context = make()
    context.taint("SELECT app.login(7)")
    context.discard_all()
    assert is_known(context)
    assert not context.knows("app.tenant")
    assert context.fingerprint != make().fingerprint


def test_some_taints_are_for_good() -> None:
    context = make()
    context.taint("unknown message", for_good=True)
    context.discard_all()
    context.learn(Probe("alice", settings=SETTINGS))
    assert not is_known(context)


def test_an_unseen_savepoint_taints() -> None:
    for act in (SessionSettings.rollback_to, SessionSettings.release):
        context = make()
        context.begin()
        act(context, "missing")
        assert not is_known(context)


def test_temporary_relations_move_the_epoch() -> None:
    """S-09, S-09a."""
    context = make()
    epochs = [context.temporary_epoch]

    def step(act: Callable[[], None]) -> bool:
        act()
        epochs.append(context.temporary_epoch)
        return context.temporary

    assert not step(context.begin)
    assert step(context.note_temporary)
    assert not step(context.rollback)
    assert step(context.note_temporary)
    assert step(context.begin)
    assert step(context.commit)
    assert not step(context.discard_temporary)
    assert not step(context.discard_all)
    assert [b - a for a, b in itertools.pairwise(epochs)] == [0, 1, 1, 1, 0, 0, 1, 1]


def test_what_a_query_may_read_by_name() -> None:
    context = make()
    for name in ("TimeZone", "app.tenant", "session_authorization"):
        assert context.knows(name), name
    for name in ("work_mem", "application_name", "app.unasked", "role", "search_path", "none"):
        assert not context.knows(name), name
    assert not context.knows("pgcache.mode")
    put(context, "app.unasked", "1")
    assert context.knows("app.unasked")


def test_own_settings_obey_transactions() -> None:
    context = make()
    context.begin()
    put(context, "pgcache.mode", "refresh", scope=SetScope.LOCAL)
    put(context, "pgcache.ttl", "5min")
    put(context, "pgcache.notices", "on")
    assert context.options == Options("refresh", 300.0, True)
    context.commit()
    assert context.options == Options(None, 300.0, True)
    context.discard_all()
    assert context.options == Options()


def test_what_the_lexer_needs() -> None:
    context = make()
    assert context.client_encoding == "UTF8"
    facts = [(context.standard_conforming_strings, context.in_hot_standby)]
    context.report("standard_conforming_strings", "off")
    context.report("in_hot_standby", "on")
    facts.append((context.standard_conforming_strings, context.in_hot_standby))
    assert facts == [(True, False), (False, True)]


@pytest.fixture
def session(newest_postgres: Server) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with newest_postgres.connect() as connection:
        yield connection


@pytest.mark.postgres
def test_a_session_asked_again_is_the_same_as_one_followed(
    session: psycopg.Connection[tuple[object, ...]],
) -> None:
    """S-07: what a function set, and what RESET then returns to, seen by the full question."""
    asked = SessionSettings()
    asked.learn(ask(session, build_login_question(["app.tenant"])))
    followed = SessionSettings()
    followed.learn(ask(session, build_login_question(["app.tenant"])))
    changes = {
        "app.tenant": "7",
        "search_path": "a, b",
        "array_nulls": "off",
        "check_function_bodies": "off",
        "work_mem": "1MB",
        "timezone": "Asia/Tokyo",
    }
    asked.taint("select app.login()")
    for name, value in changes.items():
        session.execute("select set_config(%s, %s, false)", (name, value))
        followed.apply(SettingChange(name, ("a", "b") if name == "search_path" else (value,)))
    asked.relearn(ask(session, asked.full_question(["app.tenant"])), complete=True)
    for context in (asked, followed):
        report(session, context)
    assert asked.describe() == followed.describe()
    assert asked.fingerprint == followed.fingerprint
    session.execute("reset all")
    for context in (asked, followed):
        context.apply(SettingChange("*", None))
        report(session, context)
    assert asked.fingerprint == followed.fingerprint

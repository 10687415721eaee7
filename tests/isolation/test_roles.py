"""What a role may see changes with the role, in every database at once (S-08, C-21)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.conftest import fresh_database
from tests.isolation.arena import Arena
from tests.support.postgres import SUPERUSER
from tests.support.proxy import start_proxy

ROWS = "select * from kv order by k"


@pytest.fixture
def elsewhere(arena: Arena) -> Iterator[str]:
    """Yield another database of the same server."""
    yield from fresh_database(arena.server)


def _secure(arena: Arena, *names: str) -> None:
    arena.run(
        "alter table kv enable row level security",
        "create policy own on kv using (v = current_user)",
        *(f"insert into kv values ({10 + at}, '{name}')" for at, name in enumerate(names)),
    )
    arena.talk().ask("create table noted ()")  # the proxy looks at the catalogs


def test_C21_bypassrls_given_and_taken_in_another_database(arena: Arena, elsewhere: str) -> None:
    _secure(arena, "alice")
    arena.warm(ROWS, "alice")
    admin = arena.talk(SUPERUSER, elsewhere)
    try:
        admin.ask("alter role alice bypassrls")
        assert arena.talk("alice").ask(ROWS) == [(1, "a"), (10, "alice")]
        arena.warm(ROWS, "alice")
    finally:
        admin.ask("alter role alice nobypassrls")
    assert arena.talk("alice").ask(ROWS) == [(10, "alice")]


def test_C21_membership_taken_in_another_database(arena: Arena, elsewhere: str) -> None:
    arena.run("create role readers", "grant readers to bob", "create table secret (i int)")
    arena.run("grant select on secret to readers")
    try:
        arena.talk().ask("create table noted ()")
        talker = arena.talk("bob")
        assert talker.is_hit("select * from secret")
        arena.talk(SUPERUSER, elsewhere).ask("revoke readers from bob")
        assert talker.ask("select * from secret") == "42501"
    finally:
        arena.run("drop owned by readers", "drop role readers")


def test_S08_a_role_set_before_the_catalogs_were_read(arena: Arena, elsewhere: str) -> None:
    """The first session of a database sets its role while nothing is known of the database."""
    arena.server.execute(
        "create table who (i int)",
        "insert into who values (1)",
        "grant select on who to alice, app",
        "grant alice to app",
        database=elsewhere,
    )
    talker = arena.talk("app", elsewhere)
    talker.ask("set role alice")
    assert talker.is_hit("select i, current_user from who")
    talker.ask("reset role")
    assert talker.ask("select i, current_user from who") == [(1, "app")]
    assert talker.is_hit("select i, current_user from who")
    assert talker.ask("select i, current_user from who") == [(1, "app")]


def test_S08_a_renamed_role_keeps_its_sessions(arena: Arena) -> None:
    """A session goes on as the same role, and a new role may have its name."""
    secret = "password 'changer-secret'"
    arena.run(f"create role changer login {secret}")
    _secure(arena, "changer", "changed")
    old = arena.talk("changer")
    try:
        assert old.ask(ROWS) == [(10, "changer")]
        admin = arena.talk(SUPERUSER)
        admin.ask("alter role changer rename to changed")
        assert old.ask(ROWS) == [(11, "changed")]
        admin.ask(f"create role changer login {secret}")
        new = arena.talk("changer")
        assert new.ask(ROWS) == [(10, "changer")]
        assert new.is_hit(ROWS)
        assert old.ask(ROWS) == [(11, "changed")]
        assert new.ask(ROWS) == [(10, "changer")]
    finally:
        arena.close()
        arena.run("drop role if exists changer", "drop role if exists changed")


def test_S02_defaults_differ_by_when_a_session_began(arena: Arena) -> None:
    """ALTER ROLE … SET changes nothing for sessions that are there already."""
    cast = "select v::bytea from kv"
    living = arena.talk()
    assert living.is_hit(cast)
    arena.run(f"alter role app in database {arena.database} set bytea_output = escape")
    changed = arena.talk()
    assert changed.is_hit("select v::bytea::text from kv")
    assert changed.ask("select v::bytea::text from kv") == [("a",)]
    assert living.ask("select v::bytea::text from kv") == [("\\x61",)]


@pytest.fixture
def watchful(arena: Arena) -> Iterator[Arena]:
    """Yield an arena whose proxy looks for changes ten times a second."""
    refresh = {"PGCACHE_CACHE__CATALOG_REFRESH": "100ms"}
    proxy = start_proxy(arena.server, arena.proxy.log.parent, environment=refresh)
    watchful = Arena(arena.server, proxy, arena.database)
    yield watchful
    watchful.close()
    proxy.stop()
    assert not proxy.complaints()


def test_S02_a_reload_changes_living_sessions(watchful: Arena) -> None:
    """Settings that PostgreSQL does not report move under a session that sits still."""
    sql = "select v::bytea::text from kv"
    talker, twin = watchful.talk(), watchful.direct()
    assert talker.is_hit(sql)
    assert talker.ask(sql) == twin.ask(sql) == [("\\x61",)]
    try:
        watchful.run("alter system set bytea_output = escape", "select pg_reload_conf()")
        deadline = time.monotonic() + 30
        while talker.ask(sql) != [("a",)] and time.monotonic() < deadline:
            pass
        assert talker.ask(sql) == twin.ask(sql) == [("a",)]
        assert talker.is_hit(sql)
        assert watchful.talk().is_hit(sql)
    finally:
        watchful.run("alter system reset bytea_output", "select pg_reload_conf()")

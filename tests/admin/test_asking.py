"""As whom, with which settings and in which messages a question is asked again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pgcache.admin.asking import build_asking, build_question
from pgcache.config import Config
from pgcache.proxy.recorder import Asked, Question
from tests.support import frames

REFRESH = "SET pgcache.mode = refresh"


def _config(**sections: Any) -> Config:
    upstream = {"url": "postgresql://service:own@db:5432/shop"}
    return Config.model_validate({"upstream": upstream, **sections})


@pytest.fixture
def passfile(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        file = tmp_path / "pgpass"
        file.write_text(text)
        file.chmod(0o600)
        return str(file)

    return write


def _question(user: str = "alice", **more: Any) -> Question:
    return Question("shop", user, Asked(frames.query("select 1")), **more)


def test_by_the_roles_own_password(passfile: Callable[[str], str]) -> None:
    config = _config(
        warm_up={"passfile": passfile("db:5432:shop:alice:hers\n"), "user": "boss"},
    )
    asking = build_asking(_question(), config)
    assert (asking.startup["user"], asking.password) == ("alice", "hers")
    assert asking.statements == (REFRESH,)
    assert build_asking(_question(), config, "given").password == "given"


def test_by_a_superuser_in_its_place(passfile: Callable[[str], str]) -> None:
    for warm_up in (
        {"user": "boss", "password": "his"},
        {"user": "boss", "passfile": passfile("*:*:*:boss:his\n")},
    ):
        asking = build_asking(_question("o'neill"), _config(warm_up=warm_up))
        assert (asking.startup["user"], asking.password) == ("boss", "his")
        assert asking.statements == ("SET SESSION AUTHORIZATION 'o''neill'", REFRESH)


def test_without_any_password() -> None:
    asking = build_asking(_question(), _config())
    assert (asking.startup["user"], asking.password) == ("alice", None)
    assert build_asking(_question("service"), _config()).password == "own"


def test_settings() -> None:
    question = _question(
        startup=(("application_name", "Metabase"), ("options", "-c a.b=c")),
        settings=(
            ("role", "reader"),
            ("search_path", '"$user", "My Schema"'),
            ("default_text_search_config", "english under public"),
            ("app.tenant", "it's \\ x"),
            ("app.gone", None),
            ("datestyle", None),
            ("session_authorization", "bob"),
        ),
    )
    asking = build_asking(question, _config())
    assert asking.statements == (
        "SET application_name TO 'Metabase'",
        "SET SESSION AUTHORIZATION 'bob'",
        "SET \"search_path\" TO '$user', 'My Schema'",
        "SET \"default_text_search_config\" TO 'english'",
        "SET \"app\".\"tenant\" TO E'it''s \\\\ x'",
        'SET "app"."gone" TO \'\'',
        "SET ROLE 'reader'",
        REFRESH,
    )
    assert asking.startup == {
        "user": "alice",
        "database": "shop",
        "options": "-c a.b=c",
        "application_name": "pgcache warm-up",
    }


def test_messages() -> None:
    def asked(name: str, portal: str = "", limit: int = 0) -> tuple[bytes, ...]:
        parse, bind = frames.parse(name, "select $1"), frames.bind(portal, name, [b"x"])
        question = Question("shop", "alice", Asked(b"", parse, bind, limit))
        return build_asking(question, _config()).messages

    whole = frames.describe_request("P", "") + frames.execute("", 0) + frames.SYNC
    parse, bind = frames.parse("", "select $1"), frames.bind("", "", [b"x"])
    assert asked("") == (parse + bind + whole,)
    named, bound = frames.parse("s", "select $1"), frames.bind("p", "s", [b"x"])
    rest = frames.describe_request("P", "p") + frames.execute("p", 5) + frames.SYNC
    assert asked("s", "p", 5) == (named + frames.SYNC, bound + rest)
    assert build_asking(_question(), _config()).messages == (frames.query("select 1"),)


def test_a_configured_query() -> None:
    given = {"query": "SELECT 'ä'", "user": "ä", "settings": {"TimeZone": "UTC"}}
    config = _config(warm=[given, {**given, "protocol": "extended", "format": "binary"}])
    simple, extended = (build_question(config, warm) for warm in config.warm)
    assert simple.asked.query == frames.query("SELECT 'ä'")
    assert (simple.database, simple.user.encode("latin-1")) == ("shop", "ä".encode())
    assert simple.startup == (("TimeZone", "UTC"),)
    (run,) = build_asking(extended, config).messages
    assert run == (
        frames.parse("", "SELECT 'ä'")
        + frames.bind("", "", [], results=[1])
        + frames.describe_request("P", "")
        + frames.execute("", 0)
        + frames.SYNC
    )

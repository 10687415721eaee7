from __future__ import annotations

from pathlib import Path

import pytest

from pgcache.config import Address, load_config
from pgcache.errors import ConfigError

UPSTREAM = {"PGCACHE_UPSTREAM": "postgresql://u@db"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pgcache.toml"


def _refusal(text: str | None, file: Path, environ: dict[str, str], **flags: str) -> ConfigError:
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_config(file if text is not None else None, flags=flags, environ=environ)
    assert "\n" not in raised.value.message
    assert raised.value.hint
    return raised.value


def test_flags_beat_environment_beat_file_beat_defaults(file: Path) -> None:
    file.write_text(
        "[upstream]\nurl = 'postgresql://file'\n[listen]\nbacklog = 5\nmax_clients = 5\n"
        "startup_timeout = '5s'\n[admin]\naddress = ':1'\n"
    )
    config = load_config(
        file,
        flags={"upstream": "postgresql://flag", "listen": None, "admin": ":3"},
        environ={
            "PGCACHE_UPSTREAM": "postgresql://variable",
            "PGCACHE_LISTEN__BACKLOG": "6",
            "PGCACHE_LISTEN": "*:7000",
            "PGCACHE_ADMIN": ":2",
            "PGCACHE_ADMIN__USERS": "a, b",
            "PGCACHE_CACHE__ENABLED": "false",
        },
    )
    assert config.origin.host == "flag"
    assert config.listen.backlog == 6
    assert config.listen.max_clients == 5
    assert config.listen.startup_timeout == 5.0
    assert config.listen.address == Address("", 7000)
    assert config.admin.address == Address("", 3)
    assert config.admin.users == ("a", "b")
    assert config.cache.enabled is False
    assert config.cache.ttl == 300.0


def test_the_file_can_be_named_by_a_variable(file: Path) -> None:
    file.write_text("[cache]\nttl = 9\n[tables.'public.a']\nttl = 0\ntags = ['x']\n")
    config = load_config(environ={**UPSTREAM, "PGCACHE_CONFIG": str(file)})
    assert config.cache.ttl == 9.0
    assert config.tables["public.a"].ttl == 0.0
    assert config.tables["public.a"].clock_ttl is None
    assert config.tables["public.a"].tags == ("x",)


def test_libpqs_variables_reach_the_service_role() -> None:
    config = load_config(environ={**UPSTREAM, "PGPASSWORD": "geheim"})
    assert config.origin.secret == "geheim"


def test_variables_that_are_not_options_are_left_alone() -> None:
    # what Kubernetes sets for a service named pgcache
    environ = {**UPSTREAM, "PGCACHE_PORT": "tcp://10.0.0.1:6432", "PGCACHE_SERVICE_HOST": "x"}
    assert load_config(environ=environ).listen.address.port == 6432


def test_no_origin(file: Path) -> None:
    error = _refusal(None, file, {})
    assert "no origin given" in error.message
    assert "--upstream" in str(error.hint)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[cahce]\nttl = 1", "unknown table [cahce]", "did you mean 'cache'?"),
        ("[zzz]\n", "unknown table [zzz]", "known are: listen, upstream"),
        ("ttl = 1", "unknown key 'ttl'", "did you mean 'tls'?"),
        ("cache = 1", "cache must be a table", "write [cache]"),
        ("[cache]\ntll = 1", "[cache] has the unknown key 'tll'", "did you mean 'ttl'?"),
        (
            "[cache]\nttl = 'soon'",
            "[cache] ttl = 'soon': is not a duration",
            "give a number of seconds, or text such as '250ms'",
        ),
        (
            "[cache]\nmode = 'refresh'",
            "[cache] mode = 'refresh': is not allowed here",
            "allowed: 'on', 'off' or 'shadow'",
        ),
        ("[listen]\nbacklog = 0", "[listen] backlog = 0: is not allowed here", "1 or more"),
        (
            "[listen]\nbacklog = 0\nmax_clients = 'x'",
            "backlog = 0: is not allowed here (and 1 more)",
            "1 or more",
        ),
        ("[listen]\nstartup_timeout = 0", "= 0: must be more than zero", "a number of seconds"),
        (
            "[tables.'public.a']\nttl = 'x'",
            "[tables.\"public.a\"] ttl = 'x': is not a duration",
            "seconds",
        ),
        (
            "[tables.'public.a']\ntags = 'x'",
            "[tables.\"public.a\"] tags = 'x': is not allowed here",
            "a list of names",
        ),
        (
            "[tables.'public.a']\ntll = 1",
            "[tables.\"public.a\"] has the unknown key 'tll'",
            "did you mean 'ttl'?",
        ),
        ("[tables.a]\nttl = 1", "[tables]: 'a' is no table", "like 'public.a'"),
        ("[tables]\na = 1", "[tables] a must be a table", 'write [tables."schema.name"]'),
        (
            "[tables.public.a]\nttl = 1",
            "[tables.public.a] needs quotes around the name",
            'write [tables."public.a"]',
        ),
        ("[functions.'a.f']", '[functions."a.f"]: declares nothing', "give reads"),
        ("[tls]\nmode = 'require'", "[tls]: mode = 'require' needs a certificate", "cert and key"),
        ("[store]\nmax_bytes = 1", "[store]: max_entry_bytes is more", "lower it"),
        ("[cache\nttl", "is not TOML", "config.example.toml"),
    ],
)
def test_mistakes_in_the_file_are_advice(text: str, message: str, hint: str, file: Path) -> None:
    error = _refusal(text, file, UPSTREAM)
    assert error.message.startswith(str(file))
    assert message in error.message
    assert hint in str(error.hint)


@pytest.mark.parametrize(
    ("variable", "value", "message", "hint"),
    [
        ("PGCACHE_CACHE__TTL", "x", "PGCACHE_CACHE__TTL = 'x': is not a duration", "seconds"),
        ("PGCACHE_CACHE__TLL", "1", "PGCACHE_CACHE__TLL: [cache] has the unknown key", "'ttl'"),
        ("PGCACHE_CAHCE__TTL", "1", "unknown table [cahce]", "'cache'"),
        ("PGCACHE_TABLES__A", "1", "[tables] has no environment variables", "--config"),
        ("PGCACHE_LISTEN", "x", "PGCACHE_LISTEN = 'x': is not an address", "HOST:PORT"),
        ("PGCACHE_UPSTREAM", "db", "PGCACHE_UPSTREAM: is not a PostgreSQL", "postgresql://"),
        ("PGCACHE_CONFIG", "/none", "cannot read /none: No such file", "PGCACHE_CONFIG"),
    ],
)
def test_mistakes_in_the_environment(
    variable: str, value: str, message: str, hint: str, file: Path
) -> None:
    error = _refusal(None, file, {**UPSTREAM, variable: value})
    assert message in error.message
    assert hint in str(error.hint)


def test_mistakes_in_flags(file: Path) -> None:
    error = _refusal(None, file, UPSTREAM, store="http://u:geheim@x")
    assert error.message == "--store: is not a store"


def test_the_upstream_url_is_never_shown(file: Path) -> None:
    error = _refusal("[upstream]\nurl = 'mysql://u:geheim@h'", file, {})
    assert "geheim" not in f"{error.message} {error.hint}"
    assert "[upstream] url: is not" in error.message


def test_rules_stand_in_their_order(file: Path) -> None:
    file.write_text("[[rules]]\nuser = 'a'\nttl = 5\n[[rules]]\noff = true\n")
    config = load_config(file, environ=UPSTREAM)
    assert [(rule.user, rule.ttl, rule.off) for rule in config.rules] == [
        (("a",), 5.0, False),
        ((), None, True),
    ]


def test_a_list_can_be_given_by_a_variable() -> None:
    environ = {**UPSTREAM, "PGCACHE_CACHE__TTL_BY_COST": "1s: 5min, 0s: 1min"}
    assert load_config(environ=environ).cache.ttl_by_cost == ("1s: 5min", "0s: 1min")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[rules]\nttl = 5\n", "rules must be tables", "[[rules]]"),
        ("rules = [1]\n", "rules must be tables", "[[rules]]"),
        ("[[rules]]\n[[rules]]\ntll = 5\n", "[[rules]] 2 has the unknown key 'tll'", "'ttl'"),
        ("[[rules]]\nttl = 'soon'\n", "[[rules]] 1 ttl = 'soon'", "a number of seconds"),
        ("[[rules]]\nrelation = 'x'\n", "[[rules]] 1 relation = 'x'", "schema"),
    ],
)
def test_mistakes_in_rules_are_advice(text: str, message: str, hint: str, file: Path) -> None:
    error = _refusal(text, file, UPSTREAM)
    assert message in error.message
    assert hint in str(error.hint)


def test_rules_have_no_variables(file: Path) -> None:
    error = _refusal(None, file, {**UPSTREAM, "PGCACHE_RULES__TTL": "5"})
    assert "[rules] has no environment variables" in error.message

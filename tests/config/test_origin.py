from __future__ import annotations

import contextlib
import getpass
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.config.origin import Origin, SslMode, parse_origin


def test_everything_in_the_url() -> None:
    origin = parse_origin(
        "postgres://us%40er:p%3A%2Fw@db.example:5433/my%20db?sslmode=verify-full"
        "&sslrootcert=/ca.crt&sslcert=/c.crt&sslkey=/c.key&connect_timeout=3"
    )
    assert (origin.user, origin.secret, origin.dbname) == ("us@er", "p:/w", "my db")
    assert (origin.host, origin.port) == ("db.example", 5433)
    assert origin.sslmode is SslMode.VERIFY_FULL
    assert (origin.sslrootcert, origin.sslcert, origin.sslkey) == ("/ca.crt", "/c.crt", "/c.key")
    assert origin.connect_timeout == 3.0


def test_what_is_left_out_has_libpqs_defaults() -> None:
    origin = parse_origin("postgresql://", {})
    assert (origin.host, origin.port, origin.sslmode) == ("localhost", 5432, SslMode.PREFER)
    assert origin.user == origin.dbname == getpass.getuser()
    assert origin.password is None
    assert origin.secret is None
    assert origin.connect_timeout == 10.0


def test_the_environment_fills_gaps_and_the_url_wins() -> None:
    environ = {
        "PGHOST": "elsewhere",
        "PGPORT": "1",
        "PGUSER": "nobody",
        "PGPASSWORD": "geheim",
        "PGDATABASE": "d",
        "PGSSLMODE": "require",
        "PGCONNECT_TIMEOUT": "7",
    }
    origin = parse_origin("postgresql://u@h", environ)
    assert (origin.host, origin.port, origin.user, origin.secret) == ("h", 1, "u", "geheim")
    assert (origin.dbname, origin.sslmode, origin.connect_timeout) == ("d", SslMode.REQUIRE, 7.0)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("postgresql://u@/d?host=/run/postgresql", "/run/postgresql/.s.PGSQL.5432"),
        ("postgresql://u@%2Frun%2Fpostgresql:5433/d", "/run/postgresql/.s.PGSQL.5433"),
        ("postgresql:///d?user=u&host=@abstract", "@abstract/.s.PGSQL.5432"),
    ],
)
def test_unix_sockets(url: str, path: str) -> None:
    origin = parse_origin(url)
    assert origin.is_unix
    assert origin.socket_path == str(origin) == path
    assert origin.dbname == "d"


def test_ipv6() -> None:
    origin = parse_origin("postgresql://u@[::1]:5433/d")
    assert (origin.host, origin.port, str(origin)) == ("::1", 5433, "[::1]:5433")
    assert not origin.is_unix


def test_a_plus_sign_is_itself() -> None:
    assert parse_origin("postgresql://u@h/d?password=a+b%2B").secret == "a+b+"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:geheim@h", "is not a PostgreSQL connection URL; give postgresql://"),
        ("host=h user=u password=geheim", "is not a PostgreSQL connection URL"),
        ("postgresql://u:geheim@h/d?sslmod=require", "parameter 'sslmod'; did you mean 'sslmode'"),
        ("postgresql://u:geheim@h/d?x=1", "parameter 'x'; known are host, port"),
        ("postgresql://u:geheim@h/d?sslmode=yes", "sslmode='yes'; allowed are disable, allow"),
        ("postgresql://u:geheim@a,b/d", "several hosts"),
        ("postgresql://u:geheim@/d?host=a,b", "several hosts"),
        ("postgresql://u:geheim@h:x/d", "port 'x'; give a number from 1 to 65535"),
        ("postgresql://u:geheim@h:0/d", "port '0'"),
        ("postgresql://u:geheim@[::1/d", "closing bracket"),
        ("postgresql://u:geheim@h/d?connect_timeout=soon", "connect_timeout='soon'; give a whole"),
    ],
)
def test_mistakes_are_advice_without_the_password(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        parse_origin(url)
    assert "geheim" not in str(raised.value)


def _passfile(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    file = tmp_path / "passwords"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_the_password_file(tmp_path: Path) -> None:
    path = _passfile(
        tmp_path, "# comment\nother:*:*:*:no\nh:5432:d:u\\:x:a\\\\b:c\n*:*:*:*:fallback\n"
    )
    assert parse_origin(f"postgresql://u%3Ax@h/d?passfile={path}").secret == "a\\b:c"
    assert parse_origin("postgresql://u@h/d", {"PGPASSFILE": path}).secret == "fallback"
    assert parse_origin("postgresql://u:own@h/d", {"PGPASSFILE": path}).secret == "own"


def test_the_password_file_in_the_home_directory(tmp_path: Path) -> None:
    _passfile(tmp_path, "localhost:5432:d:u:geheim\n")
    (tmp_path / "passwords").rename(tmp_path / ".pgpass")
    origin = parse_origin("postgresql://u@/d?host=/run", {"HOME": str(tmp_path)})
    assert origin.secret == "geheim"


def test_a_password_file_that_others_can_read_is_ignored(tmp_path: Path) -> None:
    path = _passfile(tmp_path, "*:*:*:*:geheim\n", mode=0o644)
    assert parse_origin("postgresql://u@h/d", {"PGPASSFILE": path}).secret is None
    assert parse_origin("postgresql://u@h/d", {"PGPASSFILE": "/nonexistent"}).secret is None


def test_secrets_do_not_show() -> None:
    origin = parse_origin("postgresql://u:geheim@h/d")
    assert "geheim" not in repr(origin)
    assert str(origin) == "h:5432"
    assert origin == parse_origin("postgresql://u:geheim@h:5432/d")
    assert origin != Origin("h")


@given(st.text())
def test_any_text_is_an_origin_or_advice(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_origin(f"postgresql://u@h{text}")

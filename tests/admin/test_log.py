from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from pgcache.admin import log
from pgcache.config import LogConfig


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def _written(config: LogConfig) -> io.StringIO:
    stream = io.StringIO()
    log.configure(config, stream)
    return stream


def test_json_is_one_object_a_line() -> None:
    stream = _written(LogConfig(format="json"))
    log.log_ready(listen="127.0.0.1:6432", upstream="db:5432", admin=None, version="1")
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp")
    assert line == {
        "event": "pgcache ready",
        "level": "info",
        "listen": "127.0.0.1:6432",
        "upstream": "db:5432",
        "version": "1",
    }


def test_auto_is_json_where_no_terminal_is() -> None:
    stream = _written(LogConfig())
    log.get_logger().info("it happened", much=1)
    assert json.loads(stream.getvalue())["much"] == 1


def test_console_is_for_people() -> None:
    stream = _written(LogConfig(format="console"))
    log.get_logger(client="c1").warning("it happened")
    assert "it happened" in stream.getvalue()
    assert "client=c1" in stream.getvalue()


def test_level_hides_what_is_less_serious() -> None:
    stream = _written(LogConfig(level="warning"))
    log.get_logger().info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("redact", "shown"), [(True, "select ? where a = ?"), (False, "select 1 where a = 'x'")]
)
def test_statement_texts_are_redacted_as_configured(redact: bool, shown: str) -> None:
    stream = _written(LogConfig(redact=redact))
    log.get_logger().info("it happened", sql="select 1 where a = 'x'")
    assert json.loads(stream.getvalue())["sql"] == shown


def test_long_statements_are_cut() -> None:
    stream = _written(LogConfig())
    log.get_logger().info("it happened", sql="x" * 10_000)
    assert len(json.loads(stream.getvalue())["sql"]) == 501


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("select 'it''s', E'a\\'b', $$x$$, $t$y $$ z$t$", "select ?, ?, ?, ?"),
        ('select a1, t2.b from "T 3" where c > 1.5e3', 'select a1, t2.b from "T 3" where c > ?'),
        ("select $1 -- secret\n, 2", "select $1 , ?"),
        ("select /* a /* b */ secret */ 1", "select ?"),
        ("select 'unterminated secret", "select ?"),
        ("select $x$unterminated secret", "select ?"),
    ],
)
def test_literals_and_comments_never_show(text: str, shown: str) -> None:
    assert log.redact_sql(text) == shown


def test_the_level_can_change_while_loggers_live() -> None:
    stream = _written(LogConfig(level="warning"))
    logger = log.get_logger(who="me")
    bound = logger.bind(what="it")
    logger.warning("first")
    for each in (logger, bound):
        each.info("quiet")
    log.change_level(LogConfig(level="info"))
    for each in (logger, bound):
        each.info("heard")
        each.debug("quiet")
    log.change_level(LogConfig(level="error"))
    logger.warning("quiet")
    logger.exception("broken")
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert events == ["first", "heard", "heard", "broken"]

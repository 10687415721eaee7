"""How one question is asked again: as whom, with which settings, in which messages.

Pure: a question and the configuration in, what a client has to send out. Counterpart: ``warmer``
sends it. Must not know: sockets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pgcache.config import Config
from pgcache.config.origin import find_password
from pgcache.config.warm import WarmConfig
from pgcache.policy.settings import split_names
from pgcache.proxy.recorder import WARMING, Asked, Question
from pgcache.wire import codes
from pgcache.wire.messages import build, build_execute, build_query, parse_bind

_LISTS: Final = frozenset({"search_path", "temp_tablespaces"})
_USERS: Final = ("session_authorization", "role")
_SYNC: Final = build(codes.SYNC, b"")


@dataclass(frozen=True, slots=True)
class Asking:
    """``startup``: the startup packet's parameters, in latin-1. ``statements``: to run before.
    ``messages``: the question, each to be sent when the one before has been answered."""

    startup: Mapping[str, str]
    password: str | None
    statements: tuple[str, ...]
    messages: tuple[bytes, ...]


def build_asking(question: Question, config: Config, password: str | None = None) -> Asking:
    """How to ask ``question``; ``password``: its role's, where it came with it.

    Where the role's password is known nowhere, the warming role asks in its place.
    """
    user = question.user
    statements: list[str] = []
    if password is None:
        password = _find(config, question.database, user)
    if password is None and config.warm_up.user is not None:
        statements.append(f"SET SESSION AUTHORIZATION {_literal(_text(user))}")
        user = _latin(config.warm_up.user)
        secret = config.warm_up.password
        password = None if secret is None else secret.get_secret_value()
        if password is None:
            password = _find(config, question.database, user)
    application = dict(question.startup).get("application_name")
    if application is not None:  # rules may look at it
        statements.append(f"SET application_name TO {_literal(_text(application))}")
    statements += _set_all(question.settings)
    statements.append("SET pgcache.mode = refresh")
    startup = {
        "user": user,
        "database": _latin(question.database),
        **dict(question.startup),
        "application_name": WARMING,
    }
    return Asking(startup, password, tuple(statements), tuple(_messages(question.asked)))


def build_question(config: Config, warm: WarmConfig) -> Question:
    """The question of a ``[[warm]]``; its settings are set as a client would at startup."""
    text = warm.query.encode()
    if warm.protocol == "simple":
        asked = Asked(build_query(warm.query))
    else:
        formats = b"\0\1\0\1" if warm.format == "binary" else b"\0\0"
        bind = build(codes.BIND, b"\0\0\0\0\0\0" + formats)
        asked = Asked(parse=build(codes.PARSE, b"\0" + text + b"\0\0\0"), bind=bind, statement=text)
    return Question(
        warm.database or config.origin.dbname,
        _latin(warm.user),
        asked,
        startup=tuple((_latin(name), _latin(value)) for name, value in warm.settings.items()),
        text=warm.query,
    )


def _find(config: Config, database: str, user: str) -> str | None:
    """The role's password: of the password file, or the service role's own."""
    origin, name = config.origin, _text(user)
    if config.warm_up.passfile is not None:
        found = find_password(
            config.warm_up.passfile, os.environ, origin.host, origin.port, database, name
        )
        if found is not None:
            return found
    return origin.secret if name == origin.user else None


def _set_all(settings: tuple[tuple[str, str | None], ...]) -> Iterator[str]:
    """The statements that bring a session there; users first and last, as rights come and go."""
    given = dict(settings)
    user = given.get("session_authorization")
    if user is not None:
        yield f"SET SESSION AUTHORIZATION {_literal(user)}"
    for name, value in settings:
        if name not in _USERS and (value is not None or "." in name):
            yield f"SET {_name(name)} TO {_value(name, value or '')}"
    role = given.get("role")
    if role is not None and role != "none":
        yield f"SET ROLE {_literal(role)}"


def _value(name: str, value: str) -> str:
    if name == "default_text_search_config":
        value = value.partition(" under ")[0]  # and the path it was resolved under
    if name in _LISTS:
        return ", ".join(_literal(part) for part in split_names(value)) or "''"
    return _literal(value)


def _name(name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def _literal(text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def _messages(asked: Asked) -> Iterator[bytes]:
    if asked.query:
        yield asked.query
        return
    bind = parse_bind(asked.bind)
    # Described always: such an entry also serves those who do not ask for that.
    describe = build(codes.DESCRIBE, b"P" + bind.portal + b"\0")
    execute = build_execute(bind.portal, asked.limit)
    if bind.statement:
        yield asked.parse + _SYNC
        yield asked.bind + describe + execute + _SYNC
    else:
        yield asked.parse + asked.bind + describe + execute + _SYNC


def _latin(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _text(latin: str) -> str:
    return latin.encode("latin-1").decode("utf-8", "replace")

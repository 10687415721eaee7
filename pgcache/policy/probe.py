"""Questions to a session about its own settings, and what the answers say (S-02, S-07).

The login question is asked of every new connection, so it is all SHOW, which a fresh backend
answers without loading catalogs (0.3 ms of it where a scan of pg_settings takes 1.6), and one
SELECT for the names that need not exist. The full question scans pg_settings, for a session
whose settings are no longer known. Every function and operator is qualified: the session's
search_path is the client's (W-11).

Settings that PostgreSQL made up for a two-part name are in neither pg_settings nor SHOW ALL: they
are found only by asking for them by name, so the asker says which names matter.

Counterpart: ``context.SessionSettings`` is built from the answer. Must not know: the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pgcache.policy import options
from pgcache.policy.settings import (
    NEWER_SETTINGS,
    RESULT_SETTINGS,
    SAFE_VALUES,
    is_custom,
    is_ignored,
)
from pgcache.sql.encodings import decode

_SHOWN: Final = ("session_authorization", "role", *RESULT_SETTINGS, *SAFE_VALUES)
_ASKABLE: Final = re.compile(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)+\Z", re.ASCII)

Rows = Sequence[Sequence[bytes | None]]


@dataclass(frozen=True, slots=True)
class Probe:
    """What a session said of itself.

    ``settings``: values as SHOW gives them. ``custom``: two-part names asked for, None where the
    session never had one. ``role`` is 'none' where none is set. Only the full question tells
    ``defaults``, what RESET would return to; ``changed``, whatever differs from that; and
    ``has_temporary``.
    """

    session_user: str
    role: str = "none"
    settings: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, str | None] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str] = field(default_factory=dict)
    has_temporary: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """SQL for the simple protocol, and how to read the rows of all its results, in order."""

    sql: str
    shown: tuple[str, ...]  # one row of one column each
    asked: tuple[str, ...]  # then one row with a column each
    full: bool = False  # then whether temporary objects exist, and name, setting, reset_val

    def parse(self, rows: Rows, encoding: str = "UTF8") -> Probe:
        """Read the answer, in the client's ``encoding``. Raises ValueError for another shape."""
        if len(rows) < len(self.shown) + 1 or len(rows[len(self.shown)]) < len(self.asked):
            raise ValueError("the answer to the settings probe is too short")
        settings: dict[str, str] = {}
        custom: dict[str, str | None] = {}
        for name, row in zip(self.shown, rows, strict=False):
            settings[name] = _text(row[0], encoding) or ""
        answer = rows[len(self.shown)]
        for name, cell in zip(self.asked, answer, strict=False):
            value = _text(cell, encoding)
            if is_custom(name):
                custom[name] = value
            elif value is not None:
                settings[name] = value
        session_user, role = settings.pop("session_authorization"), settings.pop("role")
        if not self.full:
            return Probe(session_user, role, settings, custom)
        defaults: dict[str, str] = {}
        changed: dict[str, str] = {}
        for cells in rows[len(self.shown) + 1 :]:
            name, setting, default = (_text(cell, encoding) or "" for cell in cells)
            name = name.lower()
            defaults[name] = default
            if setting != default and not is_ignored(name):
                changed[name] = setting
        has_temporary = answer[len(self.asked)] == b"t"
        return Probe(session_user, role, settings, custom, defaults, changed, has_temporary)


def build_login_question(custom: Iterable[str] = ()) -> Question:
    """Ask a fresh session for what is not reported; ``custom``: two-part names that matter."""
    asked = _names_to_ask(custom)
    sql = ";".join([*(f"SHOW {name}" for name in _SHOWN), f"SELECT {_current_settings(asked)}"])
    return Question(sql, _SHOWN, asked)


def build_full_question(custom: Iterable[str] = ()) -> Question:
    """Ask a session, outside of a transaction, for everything that can be found out."""
    asked = _names_to_ask(custom)
    shows = [f"SHOW {name}" for name in _SHOWN]
    one_row = f"SELECT {_current_settings(asked)}, {_HAS_TEMPORARY}"
    return Question(";".join([*shows, one_row, _SCAN]), _SHOWN, asked, full=True)


# What a session can change; some of the others are shown in another form than they are kept.
_SCAN: Final = """\
SELECT s.name, s.setting, s.reset_val FROM pg_catalog.pg_settings s \
WHERE s.context OPERATOR(pg_catalog.=) ANY ('{user,superuser}'::pg_catalog.text[])"""

# Every object of a schema depends on the schema, and pg_depend is indexed by what is depended on.
_HAS_TEMPORARY: Final = """\
CASE WHEN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) '0'::pg_catalog.oid THEN false \
ELSE EXISTS (SELECT FROM pg_catalog.pg_depend d \
WHERE d.refclassid OPERATOR(pg_catalog.=) '2615'::pg_catalog.oid \
AND d.refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) END"""


def _names_to_ask(custom: Iterable[str]) -> tuple[str, ...]:
    wanted = sorted({name.lower() for name in custom if _ASKABLE.match(name)})
    fixed = (*NEWER_SETTINGS, *options.NAMES)
    return (*fixed, *(name for name in wanted if name not in fixed))


def _current_settings(names: Iterable[str]) -> str:
    return ", ".join(f"pg_catalog.current_setting('{name}', true)" for name in names)


def _text(cell: bytes | None, encoding: str) -> str | None:
    return None if cell is None else decode(cell, encoding)[0]

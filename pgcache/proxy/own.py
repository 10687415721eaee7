"""What pgcache itself answers on a client's session: ``SHOW pgcache.…``.

Given as an entry, so that both protocols play it back like a recorded reply.
"""

from __future__ import annotations

from pgcache.cache.entry import Entry
from pgcache.proxy.state import State
from pgcache.sql.model import Kind, Script
from pgcache.wire import codes
from pgcache.wire.messages import build_data_row, build_row_description

_PREFIX = b"show pgcache."
_NAMES = (b"last", b"mode", b"ttl", b"notices", b"stale_if_error")
_QUESTIONS = frozenset(_PREFIX + name for name in _NAMES)


def is_own(script: Script) -> bool:
    """Whether the question is one that the origin could not answer."""
    if len(script.statements) != 1 or script.statements[0].kind is not Kind.SHOW:
        return False
    return script.key_text in _QUESTIONS


def own_entry(state: State, script: Script) -> Entry | None:
    """The answer to a question that is pgcache's own, or None."""
    if not is_own(script) or state.status == codes.FAILED:
        return None
    name = script.key_text[len(_PREFIX) :].decode("latin-1")
    return Entry(
        b"",
        row_description=build_row_description([f"pgcache.{name}"]),
        rows=build_data_row([_value(state, name)]),
        row_count=1,
        tags=(),
        vector=(),
        stored_at=0.0,
        expires_at=0.0,
    )


def _value(state: State, name: str) -> str:
    settings = state.settings
    if name == "last":
        verdict = state.last
        sentence = verdict.explain()
        line = verdict.describe(state.engine.clock())
        return f"{line} -- {sentence}" if sentence else line
    if name == "mode":
        return state.mode
    if settings is None:
        return ""
    if name == "notices":
        return "on" if settings.options.notices else "off"
    options = settings.options
    seconds = options.ttl if name == "ttl" else options.stale_if_error
    return "" if seconds is None else f"{seconds:g}s"

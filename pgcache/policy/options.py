"""pgcache's own settings, ``SET pgcache.mode`` and its kin: what they may say and what they mean.

The origin takes any two-part name, so these are forwarded like all others and obey transactions
like all others; they just never split the cache. Must not know: sessions, the wire.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pgcache.policy.settings import parse_bool

PREFIX: Final = "pgcache."
NAMES: Final = ("pgcache.mode", "pgcache.ttl", "pgcache.notices", "pgcache.stale_if_error")
_TIMES: Final = ("pgcache.ttl", "pgcache.stale_if_error")
MODES: Final = ("on", "off", "refresh", "shadow")

_TTL: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)?\s*\Z", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Options:
    """A session's wishes: ``mode`` is one of ``MODES``, None for the configuration's; ``ttl``
    and ``stale_if_error`` seconds, None for the tables'."""

    mode: str | None = None
    ttl: float | None = None
    notices: bool = False
    stale_if_error: float | None = None


def parse_ttl(text: str) -> float | None:
    """Read '60', '60s', '5min', '500ms', '2h', '1d' as seconds; None if it is none of these."""
    match = _TTL.match(text)
    if match is None:
        return None
    number, unit = match.groups()
    return float(number) * _UNITS[unit or "s"]


def find_problem(name: str, value: str) -> str | None:
    """Say what is wrong with setting ``name`` (of ours) to ``value``; None: nothing."""
    if name == "pgcache.mode":
        if _read_mode(value) is None:
            return f'invalid value for "pgcache.mode": "{value}"; use {", ".join(MODES)}'
    elif name in _TIMES:
        if parse_ttl(value) is None:
            return f'invalid value for "{name}": "{value}"; use seconds or a unit, as in 60s'
    elif name == "pgcache.notices":
        if parse_bool(value) is None:
            return f'invalid value for "pgcache.notices": "{value}"; use on or off'
    else:
        return f'there is no setting "{name}"; pgcache has {", ".join(NAMES)}'
    return None


def read_options(
    mode: str | None, ttl: str | None, notices: str | None, stale_if_error: str | None = None
) -> Options:
    """Turn the settings' texts into options; None, '' and what is invalid mean the default."""
    return Options(
        mode=_read_mode(mode or ""),
        ttl=parse_ttl(ttl or ""),
        notices=parse_bool(notices or "") or False,
        stale_if_error=parse_ttl(stale_if_error or ""),
    )


def _read_mode(value: str) -> str | None:
    word = value.strip().lower()
    if word in ("refresh", "shadow"):
        return word
    truth = parse_bool(word)
    return None if truth is None else ("on" if truth else "off")

"""Which options may change while pgcache runs, and what a new configuration makes of the old one.

Counterpart: ``runtime`` reads the file again and hands the result to whoever keeps values. An
option that is not listed here needs a restart: said, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from pgcache.config.model import Config

# Sections that are taken over whole, and options of the others.
_SECTIONS: Final = frozenset(("events", "functions", "rules", "tables", "tls", "warm"))
_OPTIONS: Final = frozenset(
    (
        "admin.hosts",
        "admin.token",
        "admin.users",
        "cache.clock_ttl",
        "cache.flight_wait",
        "cache.grace",
        "cache.refresh_ahead",
        "cache.refresh_limit",
        "cache.stale_if_error",
        "cache.max_analysis_entries",
        "cache.min_query_ms",
        "cache.mode",
        "cache.ttl",
        "cache.ttl_by_cost",
        "cache.ttl_jitter",
        "cache.verify_quarantine",
        "cache.verify_ratio",
        "invalidation.event_window",
        "listen.max_clients",
        "listen.startup_timeout",
        "log.level",
        "log.shadow_report",
        "log.slow_query",
        "log.why_not_cached",
        "warm_up.concurrency",
        "warm_up.passfile",
        "warm_up.password",
        "warm_up.schedule",
        "warm_up.top",
        "warm_up.user",
    )
)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of reading the configuration again. ``problem``: why nothing has changed."""

    applied: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    problem: str = ""
    config: Config | None = field(default=None, repr=False)


def merge(old: Config, new: Config) -> Reloaded:
    """Take over what may change at once; ``config`` is what is in force then."""
    applied: list[str] = []
    restart: list[str] = []
    sections: dict[str, Any] = {}
    for name in Config.model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if name in _SECTIONS:
            applied.append(name)
            sections[name] = after
        elif isinstance(before, BaseModel):
            changed = list(_changed(name, before, after))
            taken = [key for key in changed if f"{name}.{key}" in _OPTIONS]
            applied += [f"{name}.{key}" for key in taken]
            restart += [f"{name}.{key}" for key in changed if key not in taken]
            update = {key: getattr(after, key) for key in taken}
            sections[name] = before.model_copy(update=update)
        else:
            restart.append(name)
    return Reloaded(tuple(applied), tuple(restart), config=old.model_copy(update=sections))


def _changed(section: str, before: BaseModel, after: BaseModel) -> Iterator[str]:
    for key in type(before).model_fields:
        if getattr(before, key) != getattr(after, key):
            yield key

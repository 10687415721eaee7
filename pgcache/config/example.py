"""``config.example.toml`` and the tables of ``docs/configuration.md``, made from the model.

``python -m pgcache.config.example`` prints the file, with ``--markdown`` the tables. A test holds
that what is committed is what is printed.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pgcache.config.lifetimes import RuleConfig, TableConfig
from pgcache.config.load import generic_name
from pgcache.config.model import Config, EventConfig, FunctionConfig
from pgcache.config.values import ADDRESS_HELP, DURATION_HELP, SIZE_HELP
from pgcache.config.warm import WarmConfig

_WIDTH = 96
# Sections that stand as often as one likes: how one is headed, and what it is for.
_SAMPLES: dict[str, tuple[str, type[BaseModel], str]] = {
    "tables": (
        '[tables."public.orders"]',
        TableConfig,
        "One table's own lifetimes; a section for each such table, its schema.name in quotes.",
    ),
    "functions": (
        '[functions."reporting.exchange_rate"]',
        FunctionConfig,
        "What a user-defined function touches, declared because pgcache cannot see into it.",
    ),
    "events": (
        '[events."order.created"]',
        EventConfig,
        "What an application's event invalidates; a section for each event, its name in quotes.",
    ),
    "rules": (
        "[[rules]]",
        RuleConfig,
        "What to do with some queries; a section for each rule. The first that fits counts.",
    ),
    "warm": (
        "[[warm]]",
        WarmConfig,
        "A query to ask before clients do; a section for each.",
    ),
}
_SAMPLE_VALUES: dict[tuple[str, str], Any] = {
    ("tables", "ttl"): "30s",
    ("tables", "clock_ttl"): "30s",
    ("tables", "grace"): "30s",
    ("tables", "stale_if_error"): "1h",
    ("tables", "tags"): ["revenue", "finance"],
    ("cache", "ttl_by_cost"): ["10s: 30min", "5s: 10min", "1s: 5min", "0s: 1min"],
    ("rules", "name"): "the month's report",
    ("rules", "relation"): ["sales.*"],
    ("rules", "fingerprint"): ["0123456789abcdef"],
    ("rules", "query"): r"date_trunc\(.month",
    ("rules", "user"): ["metabase"],
    ("rules", "database"): ["shop"],
    ("rules", "application_name"): ["Metabase*"],
    ("rules", "off"): False,
    ("rules", "ttl"): "1h",
    ("rules", "clock_ttl"): "1min",
    ("rules", "grace"): "10min",
    ("rules", "stale_if_error"): "1d",
    ("rules", "min_query_ms"): 100,
    ("rules", "tags"): ["reports"],
    ("functions", "reads"): ["public.rates"],
    ("functions", "writes"): ["public.audit_log"],
    ("events", "tags"): ["revenue"],
    ("events", "tables"): ["public.orders"],
    ("invalidation", "notify_channel"): "pgcache",
    ("invalidation", "stream_url"): "redis://127.0.0.1:6379/0",
    ("warm_up", "record"): "/var/lib/pgcache/questions.json",
    ("warm_up", "passfile"): "/etc/pgcache/warm.pgpass",
    ("warm_up", "user"): "pgcache_warm",
    ("warm_up", "password"): "secret",
    ("warm", "query"): "SELECT region, sum(amount) FROM sales.orders GROUP BY region",
    ("warm", "user"): "metabase",
    ("warm", "database"): "shop",
    ("warm", "password"): "secret",
    ("warm", "settings"): {"TimeZone": "UTC"},
    ("warm", "protocol"): "simple",
    ("warm", "format"): "text",
    ("warm", "schedule"): ["start", "0 6 * * mon"],
    ("admin", "address"): "127.0.0.1:6480",
    ("admin", "token"): "at least eight characters",
    ("store", "secret"): "at least sixteen characters",
    ("tables", "consistency"): "strict",
    ("admin", "hosts"): ["pgcache.internal"],
    ("admin", "users"): ["dba"],
    ("log", "slow_query"): "5s",
    ("tls", "cert"): "/etc/pgcache/server.crt",
    ("tls", "key"): "/etc/pgcache/server.key",
}

# What durations, sizes and addresses look like is said once, at the head of the file.
_SHORT = {DURATION_HELP: "a duration", SIZE_HELP: "a size", ADDRESS_HELP: "HOST:PORT"}

_HEAD = """\
# pgcache configuration: every key, with its default.
#
# Flags beat environment variables beat this file beat defaults. Each key outside [tables],
# [functions], [events], [[rules]] and [[warm]] also has a variable, such as PGCACHE_CACHE__TTL=60s
# for ttl in [cache].
# Durations are numbers of seconds or text ('250ms' '300s' '5min' '1h' '1d'); sizes are numbers of
# bytes or text ('64kB' '256MB' '2GB', powers of 1024); '*:6432' listens on all interfaces. Keys
# that stand behind a # have no default.
"""


def build_example() -> str:
    """The whole example file."""
    parts = [_HEAD]
    for section, info in Config.model_fields.items():
        if section in _SAMPLES:
            title, model, help_text = _SAMPLES[section]
            head = [*_comment(help_text), f"# {title}"]
            body = _keys(section, model, is_sample=True)
        else:
            model = _model_of(info)
            head = [*_comment((model.__doc__ or "").strip()), f"[{section}]"]
            body = _keys(section, model, is_sample=False)
        parts.append("\n".join([*head, *body]) + "\n")
    return "\n".join(parts)


def build_markdown() -> str:
    """One table per section, for the documentation."""
    parts: list[str] = []
    for section, info in Config.model_fields.items():
        sample = _SAMPLES.get(section)
        model = sample[1] if sample else _model_of(info)
        title = _title(section)
        rows = [
            f"| `{key}` | {_shown_default(field)} | {_allowed(field)} | {field.description} |"
            for key, field in model.model_fields.items()
        ]
        head = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
        intro = (model.__doc__ or "").strip()
        parts.append("\n".join([f"### `{title}`", "", intro, "", *head, *rows]) + "\n")
    return "\n".join(parts)


def _title(section: str) -> str:
    if section not in _SAMPLES:
        return f"[{section}]"
    is_list = _SAMPLES[section][0].startswith("[[")
    return f"[[{section}]]" if is_list else f'[{section}."{generic_name(section)}"]'


def _model_of(info: FieldInfo) -> type[BaseModel]:
    model = info.annotation
    assert isinstance(model, type) and issubclass(model, BaseModel)
    return model


def _keys(section: str, model: type[BaseModel], *, is_sample: bool) -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield from _comment(f"{field.description} ({_allowed(field)})")
        value = field.examples[0] if field.examples else field.get_default()
        sample = _SAMPLE_VALUES.get((section, key))
        has_default = not is_sample and value is not None and value != ()
        yield f"{'' if has_default else '# '}{key} = {_toml(value if has_default else sample)}"


def _allowed(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    allowed = str(extra["allowed"]) if isinstance(extra, dict) else ""
    return _SHORT.get(allowed, allowed)


def _shown_default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.get_default()
    return "none" if value is None or value == () else f"`{_toml(value)}`"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(" ".join(text.split()), _WIDTH)]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}'" if "\\" in value else f'"{value}"'
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


if __name__ == "__main__":
    sys.stdout.write(build_markdown() if "--markdown" in sys.argv[1:] else build_example())

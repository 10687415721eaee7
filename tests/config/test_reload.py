from __future__ import annotations

from typing import Any

import pytest

from pgcache.config import Config
from pgcache.config.reload import _OPTIONS, _SECTIONS, merge

URL = {"url": "postgresql://u@127.0.0.1/db"}


def _config(**sections: Any) -> Config:
    return Config.model_validate({"upstream": URL, **sections})


def test_nothing_new() -> None:
    merged = merge(_config(), _config())
    assert (merged.applied, merged.restart, merged.config) == ((), (), _config())


@pytest.mark.parametrize(
    ("sections", "applied"),
    [
        ({"cache": {"ttl": 5}}, "cache.ttl"),
        ({"tables": {"public.t": {"ttl": 5}}}, "tables"),
        ({"admin": {"users": ["dba"]}}, "admin.users"),
        ({"admin": {"token": "a new secret"}}, "admin.token"),
        ({"events": {"order.paid": {"tags": ["finance"]}}}, "events"),
        ({"invalidation": {"event_window": "1h"}}, "invalidation.event_window"),
        ({"warm": [{"query": "select 1", "user": "a"}]}, "warm"),
        ({"warm_up": {"schedule": "1h"}}, "warm_up.schedule"),
        ({"log": {"level": "debug"}}, "log.level"),
        ({"functions": {"public.f": {"reads": []}}}, "functions"),
    ],
)
def test_what_applies_at_once(sections: dict[str, Any], applied: str) -> None:
    merged = merge(_config(), _config(**sections))
    assert (merged.applied, merged.restart) == ((applied,), ())
    assert merged.config == _config(**sections)


@pytest.mark.parametrize(
    ("sections", "restart"),
    [
        ({"listen": {"address": "127.0.0.1:1"}}, "listen.address"),
        ({"store": {"max_bytes": "1GB"}}, "store.max_bytes"),
        ({"upstream": {"url": "postgresql://v@127.0.0.1/db"}}, "upstream.url"),
        ({"warm_up": {"record": "questions.json"}}, "warm_up.record"),
        ({"invalidation": {"notify_channel": "news"}}, "invalidation.notify_channel"),
        ({"log": {"format": "json"}}, "log.format"),
    ],
)
def test_what_needs_a_restart_stays_as_it_is(sections: dict[str, Any], restart: str) -> None:
    merged = merge(_config(), _config(**{**sections, "cache": {"ttl": 7}}))
    assert (merged.applied, merged.restart) == (("cache.ttl",), (restart,))
    assert merged.config == _config(cache={"ttl": 7})


def test_the_list_names_options_that_there_are() -> None:
    for path in _OPTIONS:
        section, _, key = path.partition(".")
        assert key in type(getattr(_config(), section)).model_fields, path
    assert {"tables", "tls"} <= _SECTIONS

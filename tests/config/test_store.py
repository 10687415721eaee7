"""The store's options: URLs, and what is not shown of them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pgcache.config.store import StoreConfig


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "rediss://user:word@cache.example.com:6380",
        "unix:///run/redis.sock",
        "redis+sentinel://a:26379,b:26379/pgcache/0",
        "redis+cluster://a:7000,b:7001",
    ],
)
def test_shared_stores(url: str) -> None:
    assert StoreConfig.model_validate({"url": url}).is_shared


@pytest.mark.parametrize("url", ["memory://", "memory:"])
def test_memory(url: str) -> None:
    store = StoreConfig.model_validate({"url": url})
    assert not store.is_shared
    assert store.shown == "memory://"


@pytest.mark.parametrize("url", ["http://x", "redis://", "unix://", "redis", "redis://[x"])
def test_what_is_no_store(url: str) -> None:
    with pytest.raises(ValidationError, match="redis"):
        StoreConfig.model_validate({"url": url})


def test_passwords_are_not_shown() -> None:
    store = StoreConfig.model_validate(
        {"url": "redis://user:word@host:1/2", "secret": "0123456789abcdef"}
    )
    assert store.shown == "redis://…@host:1/2"
    assert "word" not in str(store.model_dump(mode="json")) + repr(store)
    assert "0123456789abcdef" not in str(store.model_dump(mode="json")) + repr(store)

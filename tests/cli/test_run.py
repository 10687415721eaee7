"""What a process does before it serves."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from pgcache import runtime
from pgcache.cli.serve import run
from pgcache.config import Config


def test_what_was_loaded_is_left_out_of_collections_before_there_are_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frozen: list[int] = []

    async def serve(_config: Config, **_options: Any) -> None:
        frozen.append(gc.get_freeze_count())
        await asyncio.sleep(0)

    monkeypatch.setattr(runtime, "serve", serve)
    monkeypatch.setattr("pgcache.admin.log.configure", lambda _options: None)
    config = Config.model_validate({"upstream": {"url": "postgresql://u@127.0.0.1/db"}})
    try:
        run(config, lambda: config)
    finally:
        gc.unfreeze()
    assert frozen[0] > 10_000

"""docs/operations.md holds every metric and every reason code, as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgcache.admin.view import COLUMNS
from pgcache.cli.reference import build_metrics, build_reasons, insert
from pgcache.errors.reasons import Reason

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
HOW = "run: python -m pgcache.cli.reference docs/operations.md"


def test_the_document_is_as_made() -> None:
    text = DOCUMENT.read_text()
    assert insert(text) == text, HOW


def test_every_reason_and_every_kind_of_metric_is_in_it() -> None:
    reasons, metrics = build_reasons(), build_metrics()
    for reason in Reason:
        assert f"| `{reason.value}` |" in reasons
    for name in (
        "pgcache_hits_total",
        "pgcache_clients",
        "pgcache_store_bytes",
        "pgcache_source_lag_seconds",
        "pgcache_hit_duration_seconds",
        "process_resident_memory_bytes",
    ):
        assert f"| `{name}` |" in metrics
    assert "| `pgcache_bypass_total` | counter | reason |" in metrics


def test_everything_that_the_console_shows_is_in_it() -> None:
    table = DOCUMENT.read_text().split("### The console")[1].split("\n\n")[1]
    for name in (*COLUMNS, "HELP"):
        assert f"`SHOW {name}`" in table or f"`{name}`" in table, name


def test_a_document_without_marks_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="has no marks"):
        insert("# Operations\n")

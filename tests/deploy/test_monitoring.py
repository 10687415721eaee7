"""Alert rules and the dashboard: every metric they name is one that pgcache has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pgcache.admin.exposition import Exposition
from pgcache.metrics.sources import SourceState
from tests.proxy.rig import DATABASE, Rig

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "pgcache.json"
_PROMTOOL = shutil.which("promtool")
_NAME = re.compile(r"\b(?:pgcache|process)_[a-z_]+\b")
_ALERTS = (
    "PgcacheHitRatioLow",
    "PgcacheMemoryHigh",
    "PgcacheManyFlights",
    "PgcacheStoreDegraded",
    "PgcacheSourceLagging",
)


@pytest.fixture
async def exposed() -> bytes:
    """What /metrics says."""
    rig = Rig()
    rig.engine.sources.append(SourceState("slot", DATABASE, lag=1.0))
    return Exposition(rig.engine).render()


@pytest.fixture
def known(exposed: bytes) -> set[str]:
    """Every sample's name, as Prometheus sees it."""
    text = exposed.decode()
    names = {f.name for f in text_string_to_metric_families(text)}
    found = {s.name for f in text_string_to_metric_families(text) for s in f.samples}
    # Families that have no sample yet: nothing has been invalidated.
    return found | {f"{name}_total" for name in names} | names


def _queries(value: object) -> Iterator[str]:
    """Every expression anywhere in the dashboard."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expr", "query") and isinstance(inner, str):
                yield inner
            else:
                yield from _queries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _queries(inner)


def test_the_dashboard_asks_for_what_there_is(known: set[str]) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    queries = list(_queries(dashboard))
    asked = {name for query in queries for name in _NAME.findall(query)}
    assert len(asked) > 20
    assert asked - known == set()
    assert all(panel["targets"] for panel in dashboard["panels"])
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))


def test_the_alerts_ask_for_what_there_is(known: set[str]) -> None:
    text = ALERTS.read_text()
    expressions = re.findall(r"expr: (?:\|\n((?: {10}.*\n)+)|(.+)\n)", text)
    asked = {name for pair in expressions for name in _NAME.findall("".join(pair))}
    assert len(expressions) == len(_ALERTS)
    assert asked - known == set()
    for alert in _ALERTS:
        assert f"alert: {alert}" in text


@pytest.mark.skipif(_PROMTOOL is None, reason="no promtool (Debian's prometheus) on this machine")
@pytest.mark.parametrize(
    "arguments", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")]
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    assert _PROMTOOL is not None
    done = subprocess.run(
        [_PROMTOOL, *arguments],
        cwd=ALERTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(_PROMTOOL is None, reason="no promtool (Debian's prometheus) on this machine")
def test_the_metrics_follow_prometheus_conventions(exposed: bytes) -> None:
    """promtool's own linter has nothing to say of /metrics."""
    assert _PROMTOOL is not None
    done = subprocess.run(
        [_PROMTOOL, "check", "metrics"], input=exposed, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")

from __future__ import annotations

import pytest

from pgcache.admin.health import Health
from pgcache.admin.site import Request, Site
from pgcache.config.model import AdminConfig


@pytest.mark.parametrize(
    ("path", "is_ready", "status", "body"),
    [
        ("/healthz", False, 200, b"ok\n"),
        ("/readyz", False, 503, b"starting\n"),
        ("/readyz", True, 200, b"ready\n"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_probes(path: str, is_ready: bool, status: int, body: bytes, method: str) -> None:
    site = Site(AdminConfig())
    Health(is_ready=is_ready).add_to(site)
    answer = await site.respond(Request(method, path, headers={"host": "any.name.at.all"}))
    assert (answer.status, answer.body) == (status, body)

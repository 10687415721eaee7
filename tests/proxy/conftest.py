"""The rig that sessions are tested on."""

from __future__ import annotations

import pytest

from tests.proxy.rig import Line, Rig


@pytest.fixture
async def rig() -> Rig:
    """Return an engine over a small world, inside a running loop."""
    return Rig()


@pytest.fixture
async def line(rig: Rig) -> Line:
    """Return a client that has just logged in."""
    return rig.line()

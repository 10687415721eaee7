"""The rig that views are tested on."""

from __future__ import annotations

import pytest

from tests.proxy.rig import Rig


@pytest.fixture
async def rig() -> Rig:
    """Return an engine over a small world, inside a running loop."""
    return Rig()

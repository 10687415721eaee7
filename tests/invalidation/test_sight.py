"""What is served while a change source is not heard: nothing that it should tell of."""

from __future__ import annotations

import pytest

from pgcache.errors.reasons import Reason
from pgcache.metrics.sources import SourceState
from tests.proxy.rig import DATABASE, Line, Rig
from tests.support.frames import query

QUERY = "select v from t"


def is_hit(line: Line) -> bool:
    """Ask; whether the origin was not asked."""
    line.asked()
    line.says(query(QUERY))
    line.client.take()
    return line.asked() == ""


@pytest.mark.parametrize("where", [DATABASE, ""])
async def test_nothing_is_served_or_stored_while_a_source_is_lost(where: str) -> None:
    rig = Rig()
    line = rig.line()
    is_hit(line)
    assert is_hit(line)
    assert is_hit(line), "by the fast lane"
    sight = rig.engine.sight
    sight.lost("notify", where, "no route")
    for _ in range(2):
        assert not is_hit(line)
    assert rig.counters.passes[Reason.SOURCE_LOST] == 2
    assert sight.problem(DATABASE) == "notify: no route"
    assert sight.problem(DATABASE, but="notify") is None
    assert sight.problem(DATABASE, but="stream") == "notify: no route"
    sight.heard("notify", where, "channel pgcache")
    assert not is_hit(line), "it may have missed something"
    assert is_hit(line)


async def test_a_result_fetched_before_the_loss_is_not_kept_beyond_it() -> None:
    rig = Rig()
    line = rig.line()
    line.origin.is_held = True
    line.says(query(QUERY))
    rig.engine.sight.lost("notify", DATABASE, "gone")
    line.origin.release()
    rig.engine.sight.heard("notify", DATABASE, "back")
    assert not is_hit(line)


async def test_other_databases_are_served() -> None:
    rig = Rig()
    line = rig.line()
    is_hit(line)
    rig.engine.sight.lost("notify", "another", "gone")
    assert is_hit(line)


async def test_states_are_shown() -> None:
    engine = Rig().engine
    engine.sight.lost("notify", "shop", "no route")
    engine.sight.lost("stream", "", "refused")
    engine.sight.heard("notify", "shop", "channel pgcache")
    for _ in range(3):
        engine.sight.brought("notify", "shop")
    assert engine.sources == [
        SourceState("notify", "shop", is_up=True, changes=3, detail="channel pgcache"),
        SourceState("stream", "", is_up=False, detail="refused"),
    ]


async def test_a_source_that_missed_nothing_leaves_what_was_stored() -> None:
    rig = Rig()
    line = rig.line()
    is_hit(line)
    rig.engine.sight.lost("stream", "", "gone")
    assert not is_hit(line)
    rig.engine.sight.heard("stream", "", "back", missed=False)
    assert is_hit(line)

"""Strict hits of the fast lane: answered once the store has confirmed them, in order, or slowly."""

from __future__ import annotations

import pytest

from tests.proxy import rig as rigs
from tests.proxy.plays import VALUED
from tests.proxy.rig import Line, Rig, whole_run
from tests.proxy.sharing import FakeSpace, make_session, share, stored
from tests.support.frames import SYNC, query

READ, ANSWER = "select v from t", "T(v) D(one) D(two) C(SELECT_2) Z(I)"


@pytest.fixture
async def space(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> FakeSpace:
    monkeypatch.setattr(rigs, "Session", make_session)
    return share(rig)


async def prove(rig: Rig, line: Line, data: bytes) -> None:
    """Have it missed, and then found."""
    for _ in range(2):
        line.says(data)
        for _ in range(5):
            await rig.rest()
    line.heard()
    line.asked()


async def ready(rig: Rig, space: FakeSpace, data: bytes) -> Line:
    """A session that waits for the store to confirm its answer to ``data``."""
    line = rig.line()
    await prove(rig, line, data)
    space.ran.clear()
    line.says(data)
    assert len(space.confirmer.asked) == 1, line.transcript()
    assert line.heard() == b""
    return line


@pytest.mark.parametrize("data", [query(READ), whole_run(READ)], ids=["simple", "extended"])
async def test_a_confirmed_hit_is_answered_without_the_slow_lane(
    rig: Rig, space: FakeSpace, data: bytes
) -> None:
    line = await ready(rig, space, data)
    was_idle, before = line.session.is_idle, rig.counters.hits
    space.confirmer.says(True)
    line.hears(ANSWER if data == query(READ) else f"1 2 {ANSWER}")
    assert rig.counters.hits == before + 1
    assert (was_idle, line.session.is_idle) == (False, True)
    assert (space.ran, line.asked()) == ([], "")


async def test_other_parameters_of_a_statement_are_confirmed_as_well(
    rig: Rig, space: FakeSpace
) -> None:
    line = await ready(rig, space, whole_run(VALUED, [b"one"]))
    space.confirmer.says(True)
    line.hears("1 2 T(v) D(one) C(SELECT_1) Z(I)")
    other = whole_run(VALUED, [b"two"])
    line.says(other)
    for _ in range(5):
        await rig.rest()
    line.heard()
    space.ran.clear()
    line.says(other)  # for the first time since it was stored: nothing of it is remembered
    assert len(space.confirmer.asked) == 1
    space.confirmer.says(True)
    line.hears("1 2 T(v) D(two) C(SELECT_1) Z(I)")
    assert space.ran == []


async def test_what_is_not_confirmed_takes_the_slow_lane(rig: Rig, space: FakeSpace) -> None:
    line = await ready(rig, space, query(READ))
    space.confirmer.says(False)
    for _ in range(5):
        await rig.rest()
    line.hears(ANSWER)
    assert space.ran == ["fetch"]


async def test_P3_what_has_moved_here_meanwhile_is_not_answered(rig: Rig, space: FakeSpace) -> None:
    line = await ready(rig, space, query(READ))
    rig.line().says(query("insert into t values ('x')"))
    space.confirmer.says(True)
    for _ in range(5):
        await rig.rest()
    line.hears("T(v) D(one) D(two) D(x) C(SELECT_3) Z(I)")


async def test_what_comes_behind_it_does_not_overtake_it(rig: Rig, space: FakeSpace) -> None:
    line = await ready(rig, space, query(READ))
    asked = space.confirmer.asked
    line.says(query("select 1"))
    for _ in range(5):
        await rig.rest()
    told = line.heard()
    assert rigs.words(told)[: len(ANSWER.split())] == ANSWER.split()
    assert rigs.words(told)[-1] == "Z(I)"
    for _, answer in asked:
        answer(True)
    assert line.heard() == b"", "the confirmation came too late, and is nobody's"


async def test_W33_a_client_that_leaves_meanwhile_is_no_trouble(rig: Rig, space: FakeSpace) -> None:
    line = await ready(rig, space, query(READ))
    line.session.client_gone()
    space.confirmer.says(True)
    for _ in range(5):
        await rig.rest()
    assert line.session.is_idle


async def test_W43_a_client_that_does_not_read_is_answered_when_it_does(
    rig: Rig, space: FakeSpace
) -> None:
    line = await ready(rig, space, query(READ))
    line.session.hold_answers(True)
    space.confirmer.says(True)
    assert line.heard() == b""
    line.session.hold_answers(False)
    for _ in range(5):
        await rig.rest()
    line.hears(ANSWER)


async def test_W32_a_cancel_request_finds_an_execution_of_its_own(
    rig: Rig, space: FakeSpace
) -> None:
    line = await ready(rig, space, query(READ))
    line.origin.is_held = True
    assert line.session.wants_cancel()
    line.origin.release()
    line.hears(ANSWER)


def pipeline(*questions: str) -> bytes:
    """Several questions, and one Sync."""
    return b"".join(whole_run(question)[: -len(SYNC)] for question in questions) + SYNC


async def rest(rig: Rig) -> None:
    for _ in range(8):
        await rig.rest()


async def test_several_questions_of_one_run_are_asked_and_stored_at_once(
    rig: Rig, space: FakeSpace
) -> None:
    line, run = rig.line(), pipeline(READ, "select v from u", READ)
    line.says(run)
    await rest(rig)
    answer = line.heard()
    assert rigs.words(answer).count("C(SELECT_2)") == 2
    assert line.asked() == "PBDEPBDEPBDES"
    assert sorted(space.ran) == ["fetch", "fetch", "fill", "fill"]
    assert len(rig.database.flights) == 0
    kept = {entry.key: entry for entry in rig.engine.entries()}
    for entry in kept.values():
        space.fetched.append(stored(space, entry))
    rig.engine.store.clear()
    space.ran.clear()
    other = rig.line()
    other.says(run)
    await rest(rig)
    assert (other.heard(), other.asked()) == (answer, "")
    assert space.ran == ["fetch", "fetch"]


async def test_P7_what_others_are_at_is_not_waited_for_where_there_is_more(
    rig: Rig, space: FakeSpace
) -> None:
    """Two runs could otherwise wait for each other."""
    line = rig.line()
    space.fetched = [[b"busy", b"t" * 48, b"f" * 16, 60_000], [b"miss", b"t" * 48]]
    line.says(pipeline(READ, "select v from u"))
    await rest(rig)
    assert line.asked() == "PBDEPBDES"
    assert sorted(space.ran) == ["fetch", "fetch", "fill"]


async def test_a_client_that_leaves_meanwhile_gives_all_leave_back(
    rig: Rig, space: FakeSpace
) -> None:
    line = rig.line()
    line.says(pipeline(READ, "select v from u"))
    line.session.client_gone()
    await rest(rig)
    assert space.leases == {}
    assert len(rig.database.flights) == 0

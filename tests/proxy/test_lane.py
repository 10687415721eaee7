"""The fast lane changes nothing but speed; and what clients hear is what the origin would say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations
from pgcache.proxy.lane import MAX_ANSWER, Lanes, LongTurn, Turn, make_turn
from tests.proxy.backend import Backend, World
from tests.proxy.plays import CHOPPED, STEPS, TURNS, Step, play, play_directly
from tests.proxy.rig import Rig, whole_run, words
from tests.support.frames import SYNC, bind, describe_request, execute, parse, query
from tests.wire.cutting import CUTS, pieces_of

CALM = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def played(steps: list[Step], *, fast: bool) -> tuple[list[bytes], dict[str, float]]:
    """What clients heard, and what was counted."""

    async def run() -> tuple[list[bytes], dict[str, float]]:
        rig = Rig()
        return play(rig, steps, fast=fast), dict(rig.counters.snapshot())

    return asyncio.run(run())


@CALM
@given(STEPS)
def test_P1_clients_hear_what_the_origin_would_say(steps: list[Step]) -> None:
    expected = [words(said) for said in play_directly(steps)]
    (slow, counted), (fast, counted_fast) = played(steps, fast=False), played(steps, fast=True)
    for step, by_slow, by_fast, wanted in zip(steps, slow, fast, expected, strict=True):
        assert words(by_slow) == wanted, step
        assert by_fast == by_slow, step
    assert counted_fast == counted


@CALM
@given(CHOPPED)
def test_P1_also_of_pipelines_that_come_in_pieces(steps: list[Step]) -> None:
    expected = play_directly(steps)
    (slow, counted), (fast, counted_fast) = played(steps, fast=False), played(steps, fast=True)
    assert fast == slow
    assert counted_fast == counted
    for who in (0, 1):  # the origin need not wait for the Sync with its answers, and does not here
        whole, wanted = (
            b"".join(said for step, said in zip(steps, heard, strict=True) if step.who == who)
            for heard in (slow, expected)
        )
        assert words(whole) == words(wanted)


@pytest.mark.parametrize("sql", ["select 1", "select v from t", "begin", "commit", "rollback"])
@pytest.mark.parametrize("mode", ["on", "off"])
@pytest.mark.parametrize("form", ["query", "run", "named"])
def test_statements_are_counted_alike(sql: str, mode: str, form: str) -> None:
    turn = {
        "query": query(sql),
        "run": whole_run(sql),
        "named": bind("", "s") + describe_request("P", "") + execute("") + SYNC,
    }[form]
    steps = [Step(0, query(f"set pgcache.mode = '{mode}'")), Step(0, parse("s", sql) + SYNC)]
    begin = [] if sql == "begin" else [Step(0, query("begin"), 2)]
    end = [Step(0, query("rollback"))]
    steps += [*begin, Step(0, turn), *end, *begin, Step(0, turn), *end, *begin, Step(0, turn)]
    (slow, counted), (fast, counted_fast) = played(steps, fast=False), played(steps, fast=True)
    assert fast == slow
    assert counted_fast == counted
    assert counted["hits"] + counted["misses"] + sum(
        count for name, count in counted.items() if name.startswith("passes")
    ) == 1 + sum(step.repeat for step in steps[2:])


def with_syncs(turns: Sequence[bytes]) -> Iterator[bytes]:
    """A Query behind extended messages comes after their Sync: no driver does otherwise."""
    last = SYNC
    for turn in turns:
        if turn[:1] == b"Q" and not last.endswith(SYNC) and last[:1] != b"Q":
            yield SYNC
        yield turn
        last = turn
    yield SYNC


@CALM
@given(st.lists(TURNS, min_size=1, max_size=10), CUTS, CUTS, st.lists(st.integers(0, 2)))
def test_W62_also_when_they_do_not_wait_for_answers(
    turns: list[bytes], cuts: list[int], answer_cuts: list[int], pauses: list[int]
) -> None:
    backend = Backend(World())
    backend.login()
    sent = list(with_syncs(turns))
    expected = words(backend.feed(b"".join(sent)))

    async def run() -> list[str]:
        line = Rig().line()
        line.origin.is_held = True
        line.origin.cut = lambda data: pieces_of(data, answer_cuts)
        when = iter(pauses)
        for turn in sent:
            for piece in pieces_of(turn, cuts):
                line.says(piece)
                for _ in range(next(when, 0)):
                    line.origin.say(line.origin.backend.feed(line.origin.take()))
        line.origin.release()
        return words(line.heard())

    assert asyncio.run(run()) == expected


def turn_of(answer: bytes) -> Turn:
    return Turn(entry_of(b""), answer, Generations(), b"")


def entry_of(rows: bytes) -> Entry:
    return Entry(
        b"key",
        row_description=None,
        rows=rows,
        row_count=3,
        tags=(),
        vector=(),
        stored_at=0.0,
        expires_at=1.0,
    )


def test_a_lane_belongs_to_a_context() -> None:
    lanes = Lanes(10_000)
    lane = lanes.lane(("shop", b"context"))
    assert lanes.lane(("shop", b"context")) is lane
    assert lanes.lane(("shop", b"other")) is not lane
    lanes.remember(lane, b"question", turn_of(b"answer"))
    assert lane[b"question"].answer == b"answer"
    assert lane[b"question"].rows == 3


def test_when_lanes_are_full_they_start_anew() -> None:
    lanes = Lanes(2_000)
    lane = lanes.lane(("shop", b"context"))
    for number in range(5):
        lanes.remember(lane, b"question %d" % number, turn_of(b"a" * 300))
    assert 0 < len(lane) < 5
    assert b"question 4" in lane
    lanes.remember(lane, b"question 4", turn_of(b"a" * 300))
    assert b"question 4" in lane
    for number in range(2_000):
        lanes.lane(("shop", b"%d" % number))
    assert lanes.lane(("shop", b"context")) is not lane


def test_long_answers_are_not_copied_and_keep_entries_within_the_same_bound() -> None:
    lanes = Lanes(4 * MAX_ANSWER)
    lane = lanes.lane(("shop", b"context"))
    rows = b"r" * MAX_ANSWER
    lanes.remember(lane, b"short", turn_of(b"answer"))
    for number in range(10):
        turn = make_turn(entry_of(rows), (b"start", rows, b"end"), Generations(), b"")
        assert isinstance(turn, LongTurn)
        assert turn.answer == b""
        assert turn.pieces[1] is rows
        lanes.remember(lane, b"%d" % number, turn)
    assert sorted(lane) == [b"6", b"7", b"8", b"9", b"short"]
    lanes.forget(lane, b"8")
    for number in range(4):
        lanes.remember(
            lane, b"%d" % number, make_turn(entry_of(rows), (rows, b"end"), Generations(), b"")
        )
    assert sorted(lane) == [b"0", b"1", b"2", b"3", b"short"]

"""What is sent on without the slow lane, and what has it accounted for after all."""

from __future__ import annotations

import pytest

from pgcache.errors.reasons import Reason
from tests.proxy.rig import Line, Rig, whole_run
from tests.support.frames import SYNC, bind, describe_request, execute, message, parse, query

READ = "select v from t"
ANSWER = "T(v) D(one) D(two) C(SELECT_2) Z(I)"
EXECUTED = bind("", "s") + describe_request("P", "") + execute("") + SYNC


@pytest.fixture
async def off(rig: Rig) -> Line:
    """A session without caching, which has asked everything below once."""
    line = rig.line()
    line.says(query("set pgcache.mode = 'off'"))
    line.says(parse("s", READ), SYNC)
    for turn in (query(READ), whole_run(READ), EXECUTED):
        line.says(turn)
    line.heard()
    line.asked()
    return line


def is_underway(line: Line) -> bool:
    return line.session._fast.express.underway is not None


def is_idle(line: Line) -> bool:
    return line.session.is_idle


TURNS = pytest.mark.parametrize(
    ("turn", "start"), [(query(READ), ""), (whole_run(READ), "1 2 "), (EXECUTED, "2 ")]
)


@TURNS
async def test_a_read_is_sent_on_at_once(rig: Rig, off: Line, turn: bytes, start: str) -> None:
    before = rig.counters.passes[Reason.DISABLED]
    off.origin.is_held = True
    off.says(turn)
    assert is_underway(off)
    assert off.state.ledger.is_empty
    assert off.origin.data == turn
    assert not is_idle(off)
    off.origin.release()
    off.hears(start + ANSWER)
    assert not is_underway(off)
    assert is_idle(off)
    assert rig.counters.passes[Reason.DISABLED] == before + 1


@TURNS
async def test_W60_more_bytes_have_it_accounted_for(off: Line, turn: bytes, start: str) -> None:
    off.origin.is_held = True
    off.says(turn)
    off.says(query("select 1"))
    assert not is_underway(off)
    assert len(off.state.groups) == 2
    off.origin.release()
    off.hears(start + ANSWER + " T() D(1) C(SELECT_1) Z(I)")
    assert not off.state.groups


@TURNS
async def test_W40_so_does_an_answer_in_pieces(off: Line, turn: bytes, start: str) -> None:
    off.origin.cut = lambda data: [data[:9], data[9:20], data[20:]]
    off.says(turn)
    off.hears(start + ANSWER)
    assert off.state.ledger.is_empty
    assert not off.state.groups


@TURNS
async def test_W40_and_whatever_else_the_origin_says(off: Line, turn: bytes, start: str) -> None:
    off.origin.is_held = True
    off.says(turn)
    off.origin.say(message("S", b"TimeZone\0Asia/Tokyo\0"))
    assert not is_underway(off)
    assert off.state.parameters["TimeZone"] == "Asia/Tokyo"
    off.origin.release()
    off.hears(f"S(TimeZone=Asia/Tokyo) {start}{ANSWER}")


async def test_W32_a_cancel_request_is_for_it(off: Line) -> None:
    assert not off.session.wants_cancel()
    off.origin.is_held = True
    off.says(query(READ))
    assert off.session.wants_cancel()
    assert not off.session.client_gone()  # it only reads
    assert off.state.groups


async def test_W57_it_leaves_the_unnamed_statement(off: Line) -> None:
    off.says(whole_run(READ))
    off.says(bind("", ""), execute(""), SYNC)
    off.hears(f"1 2 {ANSWER} 2 D(one) D(two) C(SELECT_2) Z(I)")
    off.says(query(READ))
    off.says(bind("", ""), SYNC)
    off.hears(f"{ANSWER} E(26000) Z(I)")


async def test_W57_inside_a_transaction_it_leaves_the_unnamed_portal(off: Line) -> None:
    off.says(query("begin"))
    off.heard()
    off.says(EXECUTED)
    assert b"" in off.state.portals
    off.says(execute(""), SYNC)
    off.hears("2 T(v) D(one) D(two) C(SELECT_2) Z(T) C(SELECT_0) Z(T)")
    off.says(query(READ))
    assert b"" not in off.state.portals


TRANSACTION = [
    (query("begin"), query("commit"), "C(BEGIN) Z(T)", "C(COMMIT) Z(I)"),
    (whole_run("begin"), whole_run("rollback"), "1 2 n C(BEGIN) Z(T)", "1 2 n C(ROLLBACK) Z(I)"),
    (
        bind("", "b") + execute("") + SYNC,
        bind("", "c") + execute("") + SYNC,
        "2 C(BEGIN) Z(T)",
        "2 C(COMMIT) Z(I)",
    ),
]


@pytest.mark.parametrize(("begin", "end", "begun", "ended"), TRANSACTION)
async def test_T01_transactions_begin_and_end_by_it(
    off: Line, begin: bytes, end: bytes, begun: str, ended: str
) -> None:
    off.says(parse("b", "begin"), SYNC)
    off.says(parse("c", "commit"), SYNC)
    for turn in (begin, end):
        off.says(turn)
    off.heard()
    for turn, answer in ((begin, begun), (end, ended)):
        off.origin.is_held = True
        off.says(turn)
        assert is_underway(off)
        off.origin.release()
        off.hears(answer)
    off.says(query("set local timezone to 'Asia/Tokyo'; select tz from t"))
    assert off.state.settings is not None
    assert not off.state.settings.in_transaction


async def test_S04_what_a_transaction_has_set_ends_with_it(off: Line) -> None:
    assert off.state.settings is not None
    for end in ("commit", "rollback"):
        before = off.state.settings.fingerprint
        for _ in range(2):
            off.says(query("begin"))
            off.says(query("set local timezone to 'Asia/Tokyo'"))
            assert off.state.settings.fingerprint != before
            off.says(query(end))
            assert off.state.settings.fingerprint == before


async def test_T10_a_transaction_that_has_written_ends_by_the_slow_lane(
    rig: Rig, off: Line
) -> None:
    reader = rig.line()
    for _ in range(2):
        off.says(query("begin"))
        off.says(query("commit"))
    for _ in range(2):
        reader.says(query(READ))
    off.says(query("begin"))
    off.says(query("insert into t values ('x')"))
    off.origin.is_held = True
    off.says(query("commit"))
    assert not is_underway(off)
    assert rig.database.generations.is_locked((20000,))
    off.origin.release()
    reader.heard()
    reader.says(query(READ))
    reader.hears("T(v) D(one) D(two) D(x) C(SELECT_3) Z(I)")


async def test_W68_a_commit_that_ends_in_a_rollback_is_heard_as_one(off: Line) -> None:
    for _ in range(2):
        off.says(query("begin"))
        off.says(query("commit"))
    off.says(query("begin"))
    off.says(query("select 1/0"))
    off.says(query("commit"))
    off.heard()
    assert off.state.status == ord("I")
    assert off.session.is_idle


@pytest.mark.parametrize("sql", ["select write_something()", "insert into t values ('x')"])
async def test_T10_nothing_that_may_change_anything_takes_it(off: Line, sql: str) -> None:
    for _ in range(2):
        off.says(query(sql))
        off.heard()
    off.says(query("rollback"))
    off.origin.is_held = True
    off.says(query(sql))
    assert not is_underway(off)


async def test_C40_it_is_judged_anew_when_definitions_have_changed(rig: Rig, off: Line) -> None:
    express = off.session._fast.express
    rig.catalog.is_slow = True
    rig.line().says(query("create table other.u (v text)"))
    assert rig.catalog.current is None
    off.says(query(READ))
    off.hears(ANSWER)
    assert express._passes[query(READ)].version == rig.database.generations.version


async def test_what_becomes_cacheable_is_cached(rig: Rig) -> None:
    line, writer = rig.line(), rig.line()
    line.says(query("begin"))
    line.says(query("insert into u values ('x')"))
    line.says(query(READ))
    line.says(query(READ))
    line.says(query("commit"))
    line.heard()
    line.says(query(READ))
    line.says(query(READ))
    line.asked()
    line.says(query(READ))
    assert line.asked() == ""
    writer.says(query("insert into t values ('x')"))
    line.heard()
    line.says(query(READ))
    line.hears("T(v) D(one) D(two) D(x) C(SELECT_3) Z(I)")


async def test_S09_a_refusal_that_may_go_away_by_itself_is_not_remembered(rig: Rig) -> None:
    line = rig.line()
    rig.engine.paused = True
    line.says(query(READ))
    line.says(query(READ))
    assert not line.session._fast.is_open
    rig.engine.paused = False
    line.says(query(READ))
    assert rig.counters.misses == 1

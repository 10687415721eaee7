"""When the fast lane is open, and what closes it."""

from __future__ import annotations

import pytest

from pgcache.proxy.lane import MAX_ANSWER
from tests.proxy.rig import Line, Rig, whole_run, words
from tests.support.frames import FLUSH, SYNC, bind, execute, message, parse, query

READ = "select v from t"
ANSWER = "T(v) D(one) D(two) C(SELECT_2) Z(I)"


def prove(line: Line, data: bytes = b"") -> None:
    """Have the slow lane answer once from the cache."""
    for _ in range(2):
        line.says(data or query(READ))
    line.heard()
    line.asked()


def is_open(line: Line) -> bool:
    return line.session._fast.is_open


async def test_what_was_proved_is_answered_again(rig: Rig, line: Line) -> None:
    prove(line)
    assert is_open(line)
    before = rig.counters.hits
    line.says(query(READ))
    line.hears(ANSWER)
    assert is_open(line)
    assert rig.counters.hits == before + 1
    assert line.session._fast.answer(query(READ)) is not None
    assert line.session._fast.answer(query("select v from u")) is None


async def test_another_session_of_the_same_context_takes_it_over(rig: Rig) -> None:
    first, second = rig.line(), rig.line()
    prove(first)
    prove(first, whole_run("select v from u"))
    assert not is_open(second)
    second.says(query(READ))
    assert is_open(second)
    assert second.session._fast.answer(whole_run("select v from u")) is not None


@pytest.mark.parametrize(
    "what", ["insert into t values ('x')", "set timezone to 'Asia/Tokyo'", "begin", "select 1"]
)
async def test_whatever_goes_to_the_origin_closes_it(line: Line, what: str) -> None:
    prove(line)
    line.says(query(what))
    assert not is_open(line)


async def test_whatever_comes_from_the_origin_closes_it(line: Line) -> None:
    prove(line)
    line.origin.say(message("S", b"TimeZone\0Asia/Tokyo\0"))
    assert not is_open(line)


async def test_half_a_message_closes_it(line: Line) -> None:
    prove(line)
    line.says(query(READ)[:3])
    assert not is_open(line)
    line.says(query(READ)[3:])
    line.hears(ANSWER)


async def test_an_answer_without_sync_closes_it(line: Line) -> None:
    prove(line)
    line.says(parse("", READ), bind("", ""), execute(""), FLUSH)
    assert not is_open(line)


async def test_P4_an_entry_that_has_expired_is_not_played(rig: Rig, line: Line) -> None:
    prove(line)
    rig.now += 301
    line.says(query(READ))
    line.hears(ANSWER)
    assert line.asked() == "Q"


async def test_P3_an_entry_that_has_moved_is_not_played(rig: Rig) -> None:
    line, writer = rig.line(), rig.line()
    prove(line)
    writer.says(query("insert into t values ('x')"))
    line.says(query(READ))
    line.hears("T(v) D(one) D(two) D(x) C(SELECT_3) Z(I)")


async def test_W58_it_leaves_the_unnamed_statement_that_the_turn_leaves(line: Line) -> None:
    prove(line, whole_run(READ))
    line.says(whole_run(READ))
    line.says(bind("", "", results=(1,)), execute(""), SYNC)
    line.hears(f"1 2 {ANSWER} 2 D(one) D(two) C(SELECT_2) Z(I)")
    prove(line)
    line.says(query(READ))
    line.says(bind("", ""), SYNC)
    line.hears(f"{ANSWER} E(26000) Z(I)")


async def test_a_named_statement_is_played_under_this_sessions_name(rig: Rig) -> None:
    first, second = rig.line(), rig.line()
    runs = []
    for line, name in ((first, "s1"), (second, "a longer name")):
        line.says(parse(name, READ), SYNC)
        runs.append(bind("", name) + execute("") + SYNC)
    prove(first, runs[0])
    second.heard()
    second.says(runs[1])
    second.hears("2 D(one) D(two) C(SELECT_2) Z(I)")
    assert first.session._fast.answer(runs[0]) is not None
    assert first.session._fast.answer(runs[1]) is None
    assert second.session._fast.answer(runs[1]) is not None
    assert second.session._fast.answer(bind("p", "a longer name") + execute("p") + SYNC) is None


async def test_P4_a_hinted_lifetime_is_the_statements_own(rig: Rig) -> None:
    patient, hasty = rig.line(), rig.line()
    value = "select v from t where v = $1"
    patient.says(parse("s", value), SYNC)
    hasty.says(parse("s", f"/* pgcache: ttl=10 */ {value}"), SYNC)
    one, two = (bind("", "s", [v]) + execute("") + SYNC for v in (b"one", b"two"))
    prove(patient, one)
    prove(patient, two)
    rig.now += 5
    other = whole_run(f"/* pgcache: ttl=10 */ {value}", [b"nothing"], name="other")
    hasty.says(other)
    prove(hasty, bind("", "s", [b"nothing"]) + execute("") + SYNC)
    rig.now += 8
    for run in (one, two):
        hasty.says(run)
        assert hasty.asked() == "BES"


@pytest.mark.parametrize("wish", ["set pgcache.notices = 'on'", "set pgcache.ttl = '10s'"])
async def test_wishes_of_a_session_keep_it_out(line: Line, wish: str) -> None:
    line.says(query(wish))
    prove(line)
    assert not is_open(line)


@pytest.mark.parametrize("data", [query(READ), whole_run(READ)])
async def test_a_long_answer_is_given_in_pieces_and_not_copied(
    rig: Rig, line: Line, data: bytes
) -> None:
    rig.world.tables["public.t"] = [b"x" * 1_000] * (MAX_ANSWER // 1_000 + 1)
    line.says(data)
    expected = line.heard()
    assert len(expected) > MAX_ANSWER
    prove(line, data)
    fast, before = line.session._fast, rig.counters.hits
    assert fast.is_open
    assert fast.answer(data) == b""
    assert b"".join(fast.pieces) == expected
    (entry,) = rig.engine.entries()
    assert any(memoryview(piece).obj is entry.rows for piece in fast.pieces)
    line.says(data)
    assert line.heard() == expected
    assert line.asked() == ""
    assert rig.counters.hits == before + 2
    rig.line().says(query("insert into t values ('x')"))
    line.says(data)
    assert len(line.heard()) > len(expected)


async def test_a_write_elsewhere_does_not_make_it_be_proved_again(rig: Rig, line: Line) -> None:
    prove(line)
    turn = line.session._fast._lane[query(READ)]
    rig.line().says(query("insert into u values ('x')"))
    assert turn.version != rig.database.generations.version
    line.says(query(READ))
    line.hears(ANSWER)
    assert line.session._fast._lane[query(READ)] is turn
    assert turn.version == rig.database.generations.version


async def test_what_has_to_be_decided_anew_is(rig: Rig, line: Line) -> None:
    value = "select v from t where v = $1"
    prove(line)
    prove(line, whole_run(value, [b"one"]))
    rig.line().says(whole_run(value, [b"two"]))
    fast = line.session._fast
    assert fast.answer(whole_run(value, [b"two"])) is not None
    rig.database.quarantine.confine(value.encode(), 60)
    rig.database.generations.touch()
    assert fast.answer(whole_run(value, [b"one"])) is None
    assert fast.answer(whole_run(value, [b"two"])) is None
    line.heard()
    line.says(query(READ))
    assert line.asked() == ""


async def test_what_was_doubted_for_nothing_need_not_be_decided_anew(rig: Rig, line: Line) -> None:
    prove(line)
    fast = line.session._fast
    rig.database.catalog_doubted()
    assert fast.answer(query(READ)) is None or not fast.answers
    line.heard()
    prove(line)
    turn = fast._lane[query(READ)]
    rig.database.catalog_doubted()
    rig.database.catalog_settled()
    assert fast.answer(query(READ)) is not None
    assert fast._lane[query(READ)] is turn


async def test_what_was_doubted_for_something_else_as_well_is_decided_anew(
    rig: Rig, line: Line
) -> None:
    prove(line)
    fast = line.session._fast
    rig.database.catalog_doubted()
    rig.database.generations.touch()
    rig.database.catalog_settled()
    assert fast.answer(query(READ)) is None
    prove(line)
    turn = fast._lane[query(READ)]
    rig.database.catalog_settled()  # of before
    assert fast.answer(query(READ)) is not None
    assert fast._lane[query(READ)] is turn


async def test_T01_it_is_open_inside_transactions(rig: Rig, line: Line) -> None:
    prove(line)
    line.says(query("begin"))
    prove(line)
    prove(line, whole_run(READ))
    assert is_open(line)
    line.says(query("commit"))
    line.says(query("begin"))
    line.heard()
    line.asked()
    line.says(query(READ))
    assert line.session._fast._played is not None
    line.says(whole_run(READ))
    line.says(execute(""), SYNC)
    line.hears(f"{ANSWER} 1 2 {ANSWER} C(SELECT_0) Z(T)".replace("Z(I)", "Z(T)"))
    assert line.asked() == ""


async def test_W58_the_unnamed_statement_stays_while_others_are_executed(line: Line) -> None:
    line.says(parse("s", "select v from u"), SYNC)
    named = bind("", "s") + execute("") + SYNC
    prove(line, named)
    prove(line, whole_run(READ))
    line.says(whole_run(READ))
    line.says(named)
    line.heard()
    line.says(bind("", ""), execute(""), SYNC)
    line.hears("2 D(one) D(two) C(SELECT_2) Z(I)")


async def test_W60_a_run_that_waits_closes_it(rig: Rig) -> None:
    first, second = rig.line(), rig.line()
    prove(second)
    first.origin.is_held = True
    first.says(query("select v from u"))
    second.says(query(READ), query("select v from u"))
    assert not is_open(second)
    second.says(query(READ))
    second.hears(ANSWER)
    first.origin.release()
    await rig.rest()
    second.hears(f"T(v) D(u) C(SELECT_1) Z(I) {ANSWER}")


async def test_W59_pages_of_a_portal_of_another_turn_are_not_proved(line: Line) -> None:
    line.says(parse("s", READ), SYNC)
    prove(line, bind("", "s") + execute("") + SYNC)
    line.says(query("begin"))
    line.says(bind("p", "s"), execute("p", 1), SYNC)
    line.heard()
    page = bind("", "s") + execute("p", 1) + SYNC
    line.says(page)
    line.hears("2 D(two) s Z(T)")
    line.says(page)
    line.hears("2 C(SELECT_0) Z(T)")


ROWS = ANSWER.removesuffix(" Z(I)")
HERE = whole_run(READ)
THERE = whole_run("select v from u")
NAMED = bind("", "s") + execute("") + SYNC


def joined(*turns: bytes) -> bytes:
    """A pipeline with one Sync."""
    return b"".join(turn.removesuffix(SYNC) for turn in turns) + SYNC


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        (joined(HERE, THERE), f"1 2 {ROWS} 1 2 T(v) D(u) C(SELECT_1) Z(I)"),
        (joined(THERE, NAMED), "1 2 T(v) D(u) C(SELECT_1) 2 D(one) D(two) C(SELECT_2) Z(I)"),
        (
            HERE + joined(NAMED, NAMED),
            f"1 2 {ANSWER}" + " 2 D(one) D(two) C(SELECT_2)" * 2 + " Z(I)",
        ),
        (query(READ) + HERE + query(READ), f"{ANSWER} 1 2 {ANSWER} {ANSWER}"),
    ],
)
async def test_a_pipeline_is_answered_at_once(
    rig: Rig, line: Line, chunk: bytes, expected: str
) -> None:
    line.says(parse("s", READ), SYNC)
    for _ in range(3):
        line.says(chunk)
    line.heard()
    line.asked()
    hits = rig.counters.hits
    answer = line.session._fast.answer(chunk)
    assert answer is not None
    assert words(answer) == expected.split()
    assert rig.counters.hits - hits == answer.count(b"SELECT ")
    line.says(chunk)
    assert line.heard() == answer
    line.session._fast.is_enabled = False
    line.session._fast.close()
    line.says(chunk)
    assert line.heard() == answer
    assert line.asked() == ""


async def test_W60_all_of_a_pipeline_is_answered_here_or_none(rig: Rig, line: Line) -> None:
    chunk = joined(HERE, THERE)
    for _ in range(3):
        line.says(chunk)
    line.heard()
    line.asked()
    assert line.session._fast.is_pipelined
    rig.line().says(query("insert into u values ('x')"))
    hits = rig.counters.hits
    assert line.session._fast.answer(chunk) is None
    assert rig.counters.hits == hits
    line.says(chunk)
    assert line.asked() == "PBDEPBDES"
    line.hears("1 2 T(v) D(one) D(two) C(SELECT_2) 1 2 T(v) D(u) D(x) C(SELECT_2) Z(I)")


async def test_W57_a_pipeline_leaves_what_its_last_question_leaves(line: Line) -> None:
    chunk = joined(THERE, HERE)
    line.says(query("begin"))
    for _ in range(3):
        line.says(chunk)
    line.heard()
    line.asked()
    line.says(chunk)
    assert line.session._fast._played is not None
    line.heard()
    line.says(execute(""), SYNC)
    line.says(bind("", ""), execute(""), SYNC)
    line.hears("C(SELECT_0) Z(T) 2 D(one) D(two) C(SELECT_2) Z(T)")


async def test_W43_a_pipeline_with_too_long_answers_is_not_answered_at_once(
    rig: Rig, line: Line
) -> None:
    rig.world.tables["public.t"] = [b"x" * 1_000] * (MAX_ANSWER // 1_000 - 2)
    prove(line, HERE)
    line.session._fast.is_pipelined = True
    assert line.session._fast.answer(HERE * 2) is not None
    assert line.session._fast.answer(HERE * 8) is None


def chopped(*turns: bytes) -> list[bytes]:
    """The same as libpq may send it: each question when it is asked, the Sync and a Flush later."""
    return [*(turn.removesuffix(SYNC) for turn in turns), SYNC, FLUSH]


async def test_a_pipeline_may_come_in_pieces(rig: Rig, line: Line) -> None:
    line.says(parse("s", READ), SYNC)
    for _ in range(3):
        for piece in chopped(HERE, NAMED, THERE):
            line.says(piece)
    line.heard()
    line.asked()
    for piece in chopped(HERE, NAMED, THERE)[:-2]:
        line.says(piece)
        assert line.heard() == b""
    assert line.session.gatherer.kept
    line.says(SYNC)
    line.hears(f"1 2 {ROWS} 2 D(one) D(two) C(SELECT_2) 1 2 T(v) D(u) C(SELECT_1) Z(I)")
    line.says(FLUSH)
    line.says(HERE)
    assert is_open(line)
    line.hears(f"1 2 {ANSWER}")
    assert line.asked() == ""


@pytest.mark.parametrize("last", [FLUSH, query("insert into t values ('x')"), SYNC[:3]])
async def test_W40_what_was_kept_goes_before_whatever_comes_then(line: Line, last: bytes) -> None:
    for _ in range(3):
        line.says(joined(HERE, THERE))
    line.heard()
    line.asked()
    line.says(HERE.removesuffix(SYNC))
    line.says(last)
    if last == FLUSH:
        line.hears(f"1 2 {ROWS}")
        last = b""
    line.says(SYNC[len(last) :] if last in SYNC else b"", THERE)
    found = words(line.heard())
    assert found[-6:] == ["1", "2", "T(v)", "D(u)", "C(SELECT_1)", "Z(I)"]
    assert line.session.gatherer.is_empty


async def test_W44_a_client_that_leaves_has_said_what_was_kept(line: Line) -> None:
    for _ in range(3):
        line.says(joined(HERE, THERE))
    line.asked()
    line.says(HERE.removesuffix(SYNC))
    assert line.session.gatherer.kept
    line.session.client_gone()
    assert line.session.gatherer.is_empty
    assert line.asked() == "PBDE"


async def test_W58_others_between_the_pieces_close_it(rig: Rig, line: Line) -> None:
    for _ in range(3):
        line.says(joined(HERE, THERE))
    line.heard()
    line.asked()
    line.says(HERE.removesuffix(SYNC))
    rig.line().says(query("insert into t values ('x')"))
    line.origin.say(message("S", b"TimeZone\0Asia/Tokyo\0"))
    line.heard()
    line.says(SYNC)
    line.hears("1 2 T(v) D(one) D(two) D(x) C(SELECT_3) Z(I)")


async def test_a_pipelining_session_still_sends_on_at_once(line: Line) -> None:
    for _ in range(3):
        line.says(joined(HERE, THERE))
    for turn in (query("begin"), query("commit"), query("begin"), query("commit")):
        line.heard()
        line.says(turn)
    line.origin.is_held = True
    line.says(query("begin"))
    assert line.session._fast.express.underway is not None


async def test_W43_a_flush_behind_a_long_answer_does_not_repeat_it(rig: Rig, line: Line) -> None:
    for _ in range(2):
        line.says(joined(THERE, THERE))
    rig.world.tables["public.t"] = [b"x" * 1_000] * (MAX_ANSWER // 1_000 + 1)
    prove(line)
    line.says(query(READ))
    line.heard()
    assert is_open(line)
    assert line.session._fast.is_pipelined
    line.says(FLUSH)
    assert line.heard() == b""
    line.says(FLUSH)
    line.says(THERE)
    line.hears("1 2 T(v) D(u) C(SELECT_1) Z(I)")
    line.says(query(READ))
    assert len(line.heard()) > MAX_ANSWER
    assert line.asked() == ""

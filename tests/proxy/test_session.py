"""Conversations: what a client says and hears, and what the origin gets to hear of it."""

from __future__ import annotations

import pytest

from pgcache.catalog.standing import Phase
from pgcache.errors import ProtocolViolation
from pgcache.proxy.flow import Hold
from pgcache.wire.messages import build_error
from tests.proxy.rig import DATABASE, Line, Rig, whole_run, words
from tests.support import frames
from tests.support.frames import FLUSH, SYNC, bind, close_request, execute, parse, query

READ = "select v from t"
ROWS = "D(one) D(two)"
ANSWER = f"T(v) {ROWS} C(SELECT_2) Z(I)"


async def test_the_second_time_the_origin_hears_nothing(line: Line) -> None:
    line.says(query(READ))
    line.hears(ANSWER)
    assert line.asked() == "Q"
    line.says(query("SELECT v  FROM t -- said another way"))
    line.hears(ANSWER)
    assert line.asked() == ""


async def test_both_protocols_and_all_sessions_share(rig: Rig) -> None:
    first, second = rig.line(), rig.line()
    first.says(query(READ))
    first.hears(ANSWER)
    second.says(whole_run(READ))
    second.hears(f"1 2 {ANSWER}")
    assert second.asked() == ""


async def test_P3_a_write_is_seen_by_everybody_at_once(rig: Rig) -> None:
    first, second = rig.line(), rig.line()
    first.says(query(READ))
    first.hears(ANSWER)
    second.says(query("insert into t values ('three')"))
    second.hears("C(INSERT_0_1) Z(I)")
    first.says(query(READ))
    first.hears(f"T(v) {ROWS} D(three) C(SELECT_3) Z(I)")


async def test_T01_hits_inside_a_transaction_until_it_writes(line: Line) -> None:
    line.says(query(READ))
    line.hears(ANSWER)
    line.says(query("begin"), query(READ))
    line.hears(f"C(BEGIN) Z(T) T(v) {ROWS} C(SELECT_2) Z(T)")
    assert line.asked() == "QQ"  # the second is the first read
    line.says(query("insert into u values ('x')"), query(READ))
    line.hears(f"C(INSERT_0_1) Z(T) T(v) {ROWS} C(SELECT_2) Z(T)")
    assert line.asked() == "QQ"
    line.says(query("rollback"), query(READ))
    line.hears(f"C(ROLLBACK) Z(I) {ANSWER}")
    assert line.asked() == "Q"


async def test_T05_what_a_transaction_has_written_is_never_stored(rig: Rig) -> None:
    writer, reader = rig.line(), rig.line()
    writer.says(query("begin"), query("insert into t values ('x')"), query(READ))
    writer.hears(f"C(BEGIN) Z(T) C(INSERT_0_1) Z(T) T(v) {ROWS} D(x) C(SELECT_3) Z(T)")
    reader.says(query(READ))
    reader.hears(ANSWER)
    writer.says(query("rollback"))
    writer.hears("C(ROLLBACK) Z(I)")
    reader.says(query(READ))
    reader.hears(ANSWER)


async def test_T10_nobody_is_served_while_a_commit_is_underway(rig: Rig) -> None:
    writer, reader = rig.line(), rig.line()
    reader.says(query(READ))
    reader.hears(ANSWER)
    writer.says(query("begin"), query("insert into t values ('x')"))
    writer.hears("C(BEGIN) Z(T) C(INSERT_0_1) Z(T)")
    reader.asked()
    reader.says(query(READ))
    assert reader.asked() == ""
    writer.origin.is_held = True
    writer.says(query("commit"))
    reader.says(query(READ))
    assert reader.asked() == "Q"
    writer.origin.release()
    writer.hears("C(COMMIT) Z(I)")
    reader.heard()
    reader.says(query(READ))
    reader.hears(f"T(v) {ROWS} D(x) C(SELECT_3) Z(I)")
    assert reader.asked() == "Q"


async def test_T10_a_write_behind_a_rollback_is_locked(rig: Rig) -> None:
    writer, reader = rig.line(), rig.line()
    reader.says(query(READ))
    writer.says(query("begin"))
    writer.origin.is_held = True
    writer.says(query("rollback; insert into t values ('x')"))
    assert rig.database.generations.is_locked([20000])
    writer.origin.release()
    reader.heard()
    reader.says(query(READ))
    reader.hears(f"T(v) {ROWS} D(x) C(SELECT_3) Z(I)")


async def test_W62_a_pipelined_question_waits_for_what_may_change_it(line: Line) -> None:
    line.says(query(READ))
    line.hears(ANSWER)
    line.asked()
    line.origin.is_held = True
    line.says(query("begin"), query(READ))
    assert line.asked() == "Q"
    line.origin.release()
    line.hears(f"C(BEGIN) Z(T) T(v) {ROWS} C(SELECT_2) Z(T)")
    assert line.asked() == ""


async def test_T18_settings_count_in_the_order_of_execution(line: Line) -> None:
    line.says(query("select tz from t"))
    line.hears("T(tz) D(one@UTC) D(two@UTC) C(SELECT_2) Z(I)")
    line.says(query("set timezone to 'Asia/Tokyo'"), query("select tz from t"))
    line.hears(
        "C(SET) S(TimeZone=Asia/Tokyo) Z(I)"
        " T(tz) D(one@Asia/Tokyo) D(two@Asia/Tokyo) C(SELECT_2) Z(I)"
    )


async def test_W41_settings_of_the_same_group_are_not_those_of_its_end(line: Line) -> None:
    line.says(query("set timezone to 'UTC'; select tz from t; set timezone to 'Asia/Tokyo'"))
    line.hears("C(SET) T(tz) D(one@UTC) D(two@UTC) C(SELECT_2) C(SET) S(TimeZone=Asia/Tokyo) Z(I)")
    line.says(query("select tz from t"))
    line.hears("T(tz) D(one@Asia/Tokyo) D(two@Asia/Tokyo) C(SELECT_2) Z(I)")


@pytest.mark.parametrize("limit", [0, 1])
async def test_S07_a_function_that_may_set_makes_the_session_be_asked_again(
    rig: Rig, limit: int
) -> None:
    # Drivers that want one value ask for one row: the portal is suspended, not complete (W-51).
    line, other = rig.line(), rig.line()
    other.says(query("select tenant from t"))
    line.says(whole_run("select set_config('app.tenant', 'mine', false)", limit=limit))
    line.heard()
    line.says(query("select tenant from t"))
    line.hears("T(tenant) D(one/mine) D(two/mine) C(SELECT_2) Z(I)")
    other.heard()
    other.says(query("select tenant from t"))
    other.hears("T(tenant) D(one/) D(two/) C(SELECT_2) Z(I)")


async def test_W69_a_failed_transaction_is_the_origins(line: Line) -> None:
    line.says(query(READ), query("begin"), whole_run(READ, portal="p1"))
    line.heard()
    line.says(query("select 1/0"))
    line.hears("E(22012) Z(E)")
    line.says(query(READ))
    line.hears("E(25P02) Z(E)")
    line.says(execute("p1"), SYNC)  # of the portal that the hit has left
    line.hears("E(25P02) Z(E)")
    line.says(query("rollback"), query(READ))
    line.hears(f"C(ROLLBACK) Z(I) {ANSWER}")


async def test_W66_several_statements_are_one_unit(line: Line) -> None:
    for _ in range(2):
        line.says(query(f"{READ}; {READ}"))
        line.hears(f"T(v) {ROWS} C(SELECT_2) T(v) {ROWS} C(SELECT_2) Z(I)")
        assert line.asked() == "Q"


@pytest.mark.parametrize("probe", ["", ";", "-- ", "select 1"])
async def test_W70_health_probes_reach_the_origin(line: Line, probe: str) -> None:
    for _ in range(2):
        line.says(query(probe))
        assert line.asked() == "Q"


async def test_W61_flush_is_answered_without_sync(line: Line) -> None:
    line.says(query(READ))
    line.hears(ANSWER)
    line.asked()
    line.says(parse("", READ), bind("", ""), execute(""), FLUSH)
    line.hears(f"1 2 {ROWS} C(SELECT_2)")
    line.says(SYNC)
    line.hears("Z(I)")
    assert line.asked() == ""


async def test_a_query_ends_what_was_answered_here_without_sync(line: Line) -> None:
    line.says(query(READ))
    line.hears(ANSWER)
    line.says(parse("", READ), bind("p1", ""), execute("p1", 1), FLUSH)
    line.hears("1 2 D(one) s")
    line.says(query(READ))
    line.hears(ANSWER)
    line.says(execute("p1"), SYNC)
    line.hears("E(34000) Z(I)")


async def test_W58_a_statement_that_a_hit_answered_is_made_late(line: Line) -> None:
    line.says(query(READ))
    line.hears(ANSWER)
    line.says(whole_run(READ))
    line.hears(f"1 2 {ANSWER}")
    line.asked()
    line.says(bind("", "", results=(1,)), execute(""), SYNC)
    line.hears(f"2 {ROWS} C(SELECT_2) Z(I)")
    assert line.asked() == "PBES"
    line.says(close_request("S", ""), bind("", ""), SYNC)
    line.hears("3 E(26000) Z(I)")


async def test_W58_a_probe_does_not_cost_the_client_its_statement(line: Line) -> None:
    line.says(parse("", READ), SYNC)
    line.hears("1 Z(I)")
    assert line.state.settings is not None
    line.state.settings.taint("some reason")
    line.says(bind("", ""), execute(""), SYNC)
    line.hears(f"2 {ROWS} C(SELECT_2) Z(I)")


async def test_W57_a_run_may_close_what_it_binds(line: Line) -> None:
    run = [parse("s", READ), bind("", "s"), execute(""), close_request("S", "s"), SYNC]
    for _ in range(2):
        line.says(*run)
        line.hears(f"1 2 {ROWS} C(SELECT_2) 3 Z(I)")


async def test_W71_copy_ignores_sync(line: Line) -> None:
    line.says(query(READ))
    line.hears(ANSWER)
    line.says(parse("", "copy t from stdin"), bind("", ""), execute(""), SYNC)
    line.hears("1 2 G")
    line.says(frames.message("d", b"x\n"), frames.COPY_DONE, SYNC)
    line.hears("C(COPY_1) Z(I)")
    assert not line.state.groups
    line.says(query(READ))
    line.hears(f"T(v) {ROWS} D(copied) C(SELECT_3) Z(I)")


async def test_W71_a_copy_that_fails_at_once_leaves_nothing_behind(line: Line) -> None:
    line.says(query("copy missing from stdin"), frames.message("d", b"x"), frames.COPY_DONE)
    line.hears("E(42P01) Z(I)")
    line.says(query(READ))
    line.hears(ANSWER)
    line.says(query(READ))
    line.hears(ANSWER)


async def test_W60_a_query_ignored_after_an_error_leaves_no_lock(rig: Rig, line: Line) -> None:
    line.origin.is_held = True
    line.says(execute("nothing"), FLUSH, query("insert into t values ('x')"))
    line.origin.release()
    line.hears("E(34000)")
    line.says(SYNC)
    line.hears("Z(I)")
    assert rig.database.generations.locked_tags() == frozenset()
    assert not line.state.groups


@pytest.mark.parametrize("question", [query("select v from t"), whole_run("select v from t")])
async def test_W42_nothing_is_answered_behind_the_origins_last_words(
    line: Line, question: bytes
) -> None:
    """They have reached the client, and the end of the connection has not."""
    for _ in range(3):
        line.says(question)
    line.heard()
    line.origin.heard.clear()
    line.says(question)
    assert line.heard() and not line.origin.heard  # from memory
    line.origin.say(build_error("57P05", "idle-session timeout", severity="FATAL"))
    line.hears("E(57P05)")
    line.origin.is_held = True
    line.says(question)
    line.hears("")
    assert line.origin.heard == question


async def test_W72_a_function_call_may_write_anything(rig: Rig, line: Line) -> None:
    line.says(query(READ))
    line.hears(ANSWER)
    line.says(frames.function_call(1, []))
    line.hears("V Z(I)")
    line.says(query(READ))
    line.hears(f"T(v) {ROWS} D(called) C(SELECT_3) Z(I)")


async def test_W74_an_unknown_message_ends_caching(line: Line) -> None:
    line.says(query(READ))
    line.heard()
    line.asked()
    line.origin.is_held = True
    line.says(frames.message("z"))
    assert line.asked() == "z"
    line.origin.take()
    line.origin.release()
    for _ in range(2):
        line.says(query(READ))
        assert line.asked() == "Q"


async def test_W74_bytes_that_are_no_message_are_a_violation(line: Line) -> None:
    with pytest.raises(ProtocolViolation):
        line.session.from_client(b"Q\0\0\0\1")
    with pytest.raises(ProtocolViolation):
        line.session.from_origin(frames.message("Z", b"I"))


async def test_W43_a_client_far_ahead_is_held_back(line: Line) -> None:
    line.says(query(READ))
    line.origin.is_held = True
    line.says(query("begin"))
    line.says(*[query(READ)] * 100)
    assert line.client.held == {Hold.WAITING}
    line.origin.release()
    assert line.client.held == set()


async def test_W40_notifications_wait_for_no_question(line: Line) -> None:
    line.says(query(READ))
    line.heard()
    line.says(query(READ))
    line.origin.say(frames.message("A", b"\0\0\0\7channel\0\0"))
    line.hears(f"{ANSWER} A")
    line.origin.say(frames.message("A", b"\0\0\0\7")[:3])  # not whole: nothing may come between
    line.says(query(READ))
    line.hears("")
    line.origin.say(frames.message("A", b"\0\0\0\7")[3:])
    line.hears(f"A {ANSWER}")


async def test_a_session_without_a_database_is_passed_through(rig: Rig) -> None:
    line = rig.line(cached=False)
    for _ in range(2):
        line.says(query(READ))
        line.hears(ANSWER)
        line.says(whole_run("insert into u values ('x')"))
        line.hears("1 2 n C(INSERT_0_1) Z(I)")
        assert line.asked() == "QPBDES"
    assert line.session.is_idle


async def test_the_client_sees_nothing_of_what_is_asked_at_login(rig: Rig) -> None:
    line = rig.line(knows=False)
    assert words(line.heard())[-1] == "Z(I)"
    assert not is_known(line)
    line.says(query(READ))
    assert line.asked() == "Q"  # the probe, whose answer the question waits for
    line.origin.release()
    line.hears(ANSWER)
    assert is_known(line)


def is_known(line: Line) -> bool:
    assert line.state.settings is not None
    return line.state.settings.known


async def test_S07_a_session_that_cannot_be_asked_is_passed_through(rig: Rig) -> None:
    line = rig.line(knows=False)
    line.heard()
    line.origin.take()
    line.origin.say(frames.message("E", b"SERROR\0VERROR\0C42501\0Mno\0\0"))
    line.origin.say(frames.message("Z", b"I"))
    line.origin.release()
    line.hears("")
    for _ in range(2):
        line.says(query(READ))
        line.hears(ANSWER)
    line.asked()
    line.says(query(READ))
    assert line.asked() == "Q"


async def test_C40_after_a_definition_the_catalogs_are_read_first(rig: Rig) -> None:
    first, second = rig.line(), rig.line()
    first.says(query(READ))
    first.hears(ANSWER)
    rig.catalog.is_slow = True
    second.says(query("create table other.u (v text)"))
    second.hears("C(CREATE_TABLE) Z(I)")
    assert rig.catalog.refreshed == 1
    first.asked()
    first.says(query(READ))
    await rig.rest()
    assert first.asked() == ""
    rig.catalog.reload()
    await rig.rest()
    first.hears(ANSWER)
    assert first.asked() == "Q"


@pytest.mark.parametrize("ask", [query(READ), whole_run(READ)], ids=["simple", "extended"])
async def test_T03_what_a_transaction_that_writes_asks_does_not_wait_for_the_catalogs(
    rig: Rig, ask: bytes
) -> None:
    """It would be forwarded all the same, whatever they say."""
    rig.catalog.is_slow = True
    line = rig.line()
    line.says(query("begin"))
    line.says(query("insert into t values ('x')"))
    rig.line().says(query("create table other.u (v text)"))
    line.asked()
    line.says(ask)
    assert line.asked() in ("Q", "PBDES")
    rig.catalog.reload()


async def test_S15_while_the_origin_may_have_another_history_nothing_is_served(rig: Rig) -> None:
    """The catalog connection is lost: the fast lane, too, has to ask again."""
    line = rig.line()
    for _ in range(3):
        line.says(query(READ))
        line.hears(ANSWER)
    assert line.asked() == "Q"
    rig.catalog.current, rig.catalog.phase = None, Phase.FAILING
    rig.engine.catalog_doubted(DATABASE)
    line.says(query(READ))
    line.hears(ANSWER)
    assert line.asked() == "Q"
    rig.catalog.reload()
    line.says(query(READ))
    line.hears(ANSWER)
    assert line.asked() == ""


async def test_W44_a_client_that_leaves_is_outlived_by_its_write(rig: Rig, line: Line) -> None:
    line.says(query(READ))
    line.origin.is_held = True
    line.says(query("insert into t values ('x')"))
    assert line.session.client_gone()
    line.origin.release()
    assert not line.session.is_needed
    other = rig.line()
    other.says(query(READ))
    other.hears(f"T(v) {ROWS} D(x) C(SELECT_3) Z(I)")


async def test_W44_what_was_sent_before_leaving_is_still_done(rig: Rig, line: Line) -> None:
    line.says(query(READ))
    line.origin.is_held = True
    line.says(query("begin"), query(READ))
    line.says(query("insert into t values ('x')"), query("commit"))
    line.session.client_gone()
    line.origin.release()
    assert not line.session.is_needed
    assert rig.world.tables["public.t"] == [b"one", b"two", b"x"]


async def test_W44_a_group_that_will_never_end_is_not_waited_for(line: Line) -> None:
    line.says(parse("", "insert into t values ('x')"), bind("", ""), execute(""), FLUSH)
    line.hears("1 2 C(INSERT_0_1)")
    assert not line.session.client_gone()


async def test_W44_nobody_waits_for_a_reader_or_a_copy(line: Line) -> None:
    line.origin.is_held = True
    line.says(query(READ))
    assert not line.session.client_gone()
    line.origin.release()
    line.says(query("copy t from stdin"))
    assert not line.session.client_gone()


async def test_W32_only_what_the_origin_does_can_be_cancelled(line: Line) -> None:
    assert not line.session.wants_cancel()
    line.says(query(READ))
    line.says(query(READ))
    assert not line.session.wants_cancel()
    line.origin.is_held = True
    line.says(query("insert into t values ('x')"))
    assert line.session.wants_cancel()


async def test_a_session_is_idle_between_transactions(line: Line) -> None:
    is_idle = [line.session.is_idle]
    line.origin.is_held = True
    line.says(query("begin"))
    is_idle.append(line.session.is_idle)
    line.origin.release()
    is_idle.append(line.session.is_idle)
    line.says(query("commit"))
    is_idle.append(line.session.is_idle)
    assert is_idle == [True, False, False, True]


async def test_W42_the_loss_of_the_origin_ends_what_was_recorded(rig: Rig, line: Line) -> None:
    line.origin.is_held = True
    line.says(query(READ))
    line.session.lost(lambda: None)
    assert len(rig.database.flights) == 0
    other = rig.line()
    other.says(query(READ))
    other.hears(ANSWER)

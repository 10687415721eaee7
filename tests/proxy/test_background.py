"""Stale results served at once and refreshed in the background, in conversations (P3, P4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pgcache.errors import ProtocolViolation
from pgcache.proxy import background, checking
from pgcache.proxy.flow import Hold
from tests.proxy.rig import DATABASE, TABLES, Line, Rig, whole_run, words
from tests.support.frames import FLUSH, SYNC, bind, execute, message, parse, query

READ = "select v from t"
ANSWER = "T(v) D(one) D(two) C(SELECT_2) Z(I)"
NEW = "T(v) D(one) D(two) D(new) C(SELECT_3) Z(I)"
RERUN = "PBDESCS"
TERMINATE = b"X\0\0\0\x04"


@pytest.fixture
async def rig() -> Rig:
    return Rig(cache={"ttl": 100, "grace": 50})


@pytest.fixture
async def line(rig: Rig) -> Line:
    return rig.line()


def aged(rig: Rig, line: Line, question: bytes = query(READ), *, cost: float = 0.0) -> None:
    """An entry that took ``cost`` seconds is past its lifetime; the table changed unseen."""
    line.origin.is_held = True
    line.says(question)
    rig.now += cost
    line.origin.release()
    line.heard()
    line.asked()
    rig.world.tables["public.t"].append(b"new")
    rig.now += 101 - cost


def begin(line: Line) -> None:
    """The connection has been at rest for a moment."""
    line.session.background.begin()
    line.settle()


async def test_a_stale_result_is_served_and_refreshed_once(rig: Rig, line: Line) -> None:
    other = rig.line()
    aged(rig, line)
    for who in (line, other):
        who.says(query(READ))
        who.hears(ANSWER)
        assert who.asked() == ""
    begin(line)
    begin(other)
    assert (line.asked(), other.asked()) == (RERUN, "")
    line.hears("")
    for who in (line, other):
        who.says(query(READ))
        who.hears(NEW)
        assert who.asked() == ""
    counters = rig.counters
    assert (counters.stale, counters.refreshes, counters.misses) == (2, 1, 1)
    assert rig.engine.reruns == 0


async def test_it_says_that_it_is_stale(rig: Rig, line: Line) -> None:
    line.says(query("set pgcache.notices = 'on'"))
    aged(rig, line)
    line.says(query(READ))
    assert "N(pgcache;_hit;_ttl=-1;_detail=stale;" in " ".join(words(line.heard()))


async def test_P4_there_is_a_hard_end(rig: Rig, line: Line) -> None:
    aged(rig, line)
    rig.now += 48.9
    line.says(query(READ))
    line.hears(ANSWER)
    rig.now += 0.1
    line.says(query(READ))
    line.hears(NEW)
    assert line.asked() == "Q"


@pytest.mark.parametrize("where", ["before", "after"])
async def test_P3_what_was_invalidated_is_never_served_as_stale(where: str) -> None:
    rig = Rig(cache={"ttl": 100, "grace": 50})
    line, writer = rig.line(), rig.line()
    line.says(query(READ))
    if where == "before":
        writer.says(query("insert into t values ('new')"))
    rig.now += 101
    if where == "after":
        writer.says(query("insert into t values ('new')"))
    line.heard()
    line.asked()
    line.says(query(READ))
    line.hears(NEW)
    assert line.asked() == "Q"


async def test_P3_a_write_while_a_refresh_is_underway_wins(rig: Rig, line: Line) -> None:
    writer = rig.line()
    aged(rig, line)
    line.says(query(READ))
    line.heard()
    line.origin.is_held = True
    begin(line)
    assert line.asked() == RERUN
    answer = line.origin.backend.feed(line.origin.take())
    writer.says(query("insert into t values ('more')"))
    line.origin.say(answer)
    line.origin.release()
    writer.says(query(READ))
    assert "D(more)" in words(writer.heard())
    assert rig.counters.refreshes == 0


@pytest.mark.parametrize(
    "sections",
    [
        {"tables": {"public.t": {"ttl": 100}}},
        {"tables": {"public.t": {"grace": 0}}},
        {"cache": {"ttl": 100, "grace": 0}},
        {"rules": [{"grace": 0}]},
    ],
)
async def test_where_there_is_no_grace(sections: dict[str, Any]) -> None:
    rig = Rig(**{"cache": {"ttl": 100, "grace": 50}, **sections})
    line = rig.line()
    aged(rig, line)
    line.says(query(READ))
    line.hears(NEW)


@pytest.mark.parametrize(
    ("before", "text"),
    [("set pgcache.ttl = '100s'", READ), ("", f"/* pgcache: ttl=100 */ {READ}")],
)
async def test_a_clients_own_bound_is_kept(rig: Rig, before: str, text: str) -> None:
    line, other = rig.line(), rig.line()
    if before:
        line.says(query(before))
    aged(rig, other)
    line.heard()
    line.says(query(text))
    line.hears(NEW)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (whole_run(READ), whole_run(READ)),
        (whole_run(READ, formats=(1,)), whole_run(READ, formats=(1,))),
        (whole_run(READ, limit=1), whole_run(READ, limit=1)),
        (whole_run(READ), whole_run(READ, limit=1)),
        (
            whole_run("select v from t where v = $1", [b"one"]),
            whole_run("select v from t where v = $1", [b"one"]),
        ),
    ],
)
async def test_the_extended_protocol(rig: Rig, line: Line, first: bytes, again: bytes) -> None:
    aged(rig, line, first)
    line.says(again)
    stale = line.heard()
    assert line.asked() == ""
    begin(line)
    assert line.asked() == RERUN
    assert rig.counters.refreshes == 1
    line.says(again)
    fresh = line.heard()
    assert line.asked() == ""
    assert stale and fresh
    other = rig.line()
    rig.database.generations.move(None)
    other.says(again)
    assert other.heard() == fresh
    assert other.asked() != ""


async def test_named_statements(rig: Rig, line: Line) -> None:
    line.says(parse("s", READ), SYNC)
    run = bind("", "s") + execute("") + SYNC
    aged(rig, line, run)
    line.heard()
    line.says(run)
    line.hears("2 D(one) D(two) C(SELECT_2) Z(I)")
    begin(line)
    assert line.asked() == RERUN
    line.says(run)
    line.hears("2 D(one) D(two) D(new) C(SELECT_3) Z(I)")
    assert set(line.origin.backend.statements) == {"s"}


async def test_W57_the_unnamed_statement_is_left_alone(rig: Rig, line: Line) -> None:
    aged(rig, line)
    line.says(parse("", "select v from u"), SYNC)
    line.heard()
    other = rig.line()
    other.says(query(READ))
    line.session.background.add(other.session.background._chores.popitem()[1])
    begin(line)
    assert line.asked().endswith(RERUN)
    line.says(bind("", ""), execute(""), SYNC)
    line.hears("2 D(u) C(SELECT_1) Z(I)")


async def test_not_in_a_transaction(rig: Rig, line: Line) -> None:
    """Drivers that put BEGIN and ROLLBACK around everything are refreshed for after that."""
    aged(rig, line)
    line.says(query("begin"), query(READ))
    line.hears("C(BEGIN) Z(T) T(v) D(one) D(two) C(SELECT_2) Z(T)")
    begin(line)
    assert line.asked() == "Q"
    line.says(query("rollback"))
    begin(line)
    assert line.asked() == "Q" + RERUN


async def test_not_while_an_answer_waits_for_its_sync(rig: Rig, line: Line) -> None:
    aged(rig, line)
    line.says(parse("", READ), bind("", ""), execute(""), FLUSH)
    line.hears("1 2 D(one) D(two) C(SELECT_2)")
    begin(line)
    assert line.asked() == ""
    line.says(SYNC)
    begin(line)
    assert line.asked() == RERUN


async def test_not_where_the_question_would_be_another(rig: Rig, line: Line) -> None:
    aged(rig, line)
    line.says(query(READ), query("set timezone to 'Asia/Tokyo'"))
    begin(line)
    assert line.asked() == "Q"
    assert not line.session.background.has_work


async def test_hits_go_on_while_a_refresh_is_underway(rig: Rig, line: Line) -> None:
    line.says(query("select v from u"))
    aged(rig, line)
    line.says(query("select v from u"))
    begin(line)
    line.says(query(READ))
    line.heard()
    line.origin.is_held = True
    begin(line)
    line.asked()
    for _ in range(3):
        line.says(query("select v from u"))
        line.hears("T(v) D(u) C(SELECT_1) Z(I)")
        line.says(query(READ))
        line.hears(ANSWER)
    assert line.asked() == ""
    line.origin.release()
    line.says(query(READ))
    line.hears(NEW)


# Refreshing ahead


def hot(**cache: float) -> tuple[Rig, Line]:
    """A result that took 2 s of the origin's time, and lives for 100 s."""
    rig = Rig(cache={"ttl": 100, "refresh_ahead": 1, **cache})
    line = rig.line()
    line.origin.is_held = True
    line.says(query(READ))
    rig.now += 2
    line.origin.release()
    line.heard()
    line.asked()
    return rig, line


async def test_a_hot_result_is_renewed_before_its_end() -> None:
    rig, line = hot()
    rig.engine.random = lambda: 0.5
    rig.now += 94  # 4 s are left; one hit renews with exp(-gap / 2), here once that is a half
    hits = 0
    while not line.asked():
        hits += 1
        rig.world.tables["public.t"] = [b"one", b"two", b"new"]
        line.says(query(READ))
        line.hears(ANSWER)
        rig.now += 0.3
        begin(line)
    assert hits == 10  # when 1.3 s are left
    line.says(query(READ))
    line.hears(NEW)
    assert (rig.counters.refreshes, rig.counters.refreshes_ahead) == (1, 1)
    assert rig.counters.stale == 0
    rig.now += 99
    line.says(query(READ))
    line.hears(NEW)
    assert line.asked() == ""


async def test_the_fast_lane_sends_few_hits_to_be_looked_at() -> None:
    rig, line = hot()
    rig.engine.random = lambda: 1.0
    looks: list[int] = []
    rig.now += 70
    for _ in range(2):
        line.says(query(READ))
    for step in range(200):
        rig.now += 0.1
        before = line.session._fast._lane.get(query(READ))
        line.says(query(READ))
        if line.session._fast._lane.get(query(READ)) is not before:
            looks.append(step)
    assert rig.counters.misses == 1
    assert 30 < len(looks) < 80  # one every quarter of a second, once the window has begun


async def test_what_costs_nothing_or_nobody_wants_is_not_renewed() -> None:
    rig, line = hot()
    rig.engine.random = lambda: 0.999
    rig.now += 97.9
    line.says(query(READ))
    begin(line)
    assert line.asked() == ""
    cheap = Rig(cache={"ttl": 100, "refresh_ahead": 1})
    line = cheap.line()
    line.says(query(READ))
    cheap.engine.random = lambda: 0.0
    cheap.now += 99.9
    line.asked()
    line.says(query(READ))
    begin(line)
    assert line.asked() == ""


# Checking


@pytest.fixture
async def checked(monkeypatch: pytest.MonkeyPatch) -> tuple[Rig, Line]:
    """Every hit is asked again (T-23)."""
    monkeypatch.setattr(checking, "SUSPENSE", 0.0)
    rig = Rig(cache={"verify_ratio": 1.0})
    line = rig.line()
    for text in (READ, "select v from u"):
        line.says(query(text))
    line.heard()
    line.asked()
    rig.now += 2
    return rig, line


async def test_a_hit_that_is_right_is_counted(checked: tuple[Rig, Line]) -> None:
    rig, line = checked
    rig.world.tables["public.t"].reverse()  # nobody asked for an order
    for _ in range(3):
        line.says(query(READ))
        line.hears(ANSWER)
        begin(line)
    assert line.asked() == RERUN  # once a second at most
    assert (rig.counters.verified, rig.counters.verified_differing) == (1, 0)
    rig.now += 1
    line.says(query(READ))
    begin(line)
    assert line.asked() == RERUN


async def test_a_query_that_differs_without_a_reason_is_forwarded(
    checked: tuple[Rig, Line], capsys: pytest.CaptureFixture[str]
) -> None:
    rig, line = checked
    other = rig.line()
    for _ in range(2):
        other.says(query(READ))
    other.asked()
    rig.now += 1
    rig.world.tables["public.t"].append(b"new")
    line.says(query(READ))
    line.hears(ANSWER)
    begin(line)
    assert line.asked() == RERUN
    assert rig.counters.verified_differing == 0, "its reason may still be told"
    await rig.rest()
    assert rig.counters.verified_differing == 1
    told = capsys.readouterr().out
    assert "cached result differs" in told
    for who in (line, other, line):
        who.heard()
        who.says(query(READ))
        who.hears(NEW)
        assert who.asked() == "Q"
    line.says(query("show pgcache.last"))
    assert b"detail=quarantine" in line.heard()
    line.says(query("select v from u"))
    assert line.asked() == ""
    rig.now += 3601
    line.says(query(READ), query(READ))
    assert line.asked() == "Q"


async def test_a_reason_that_is_told_a_moment_later_counts(checked: tuple[Rig, Line]) -> None:
    """A load past pgcache commits, a hit is checked, and only then the event comes."""
    rig, line = checked
    rig.world.tables["public.t"].append(b"new")
    line.says(query(READ))
    line.hears(ANSWER)
    begin(line)
    line.asked()
    line.says(query(READ))
    line.hears(NEW)
    assert line.asked() == "Q", "whatever it was, what differs is not served again"
    rig.engine.database(DATABASE).generations.move([TABLES["public.t"]])
    await rig.rest()
    assert (rig.counters.verified_void, rig.counters.verified_differing) == (1, 0)
    line.says(query(READ), query(READ))
    line.hears(f"{NEW} {NEW}")
    assert line.asked() == "Q", "and it is not confined"


async def test_ties_of_an_order_are_no_difference(checked: tuple[Rig, Line]) -> None:
    rig, line = checked
    ordered = "select v from t order by 1"
    line.says(query(ordered))
    rig.now += 2
    rig.world.tables["public.t"].reverse()
    line.says(query(ordered))
    line.heard()
    begin(line)
    await rig.rest()
    counters = rig.counters
    assert (counters.verified, counters.verified_reordered) == (1, 1)
    assert counters.verified_differing == 0


async def test_it_may_only_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "SUSPENSE", 0.0)
    rig = Rig(cache={"verify_ratio": 1.0, "verify_quarantine": 0})
    line = rig.line()
    line.says(query(READ))
    rig.world.tables["public.t"].append(b"new")
    rig.now += 2
    line.says(query(READ))
    begin(line)
    line.heard()
    line.says(query(READ), query(READ))
    line.hears(f"{NEW} {NEW}")
    assert line.asked() == "Q" + RERUN + "Q"
    await rig.rest()
    assert rig.counters.verified_differing == 1


async def test_what_moved_meanwhile_is_a_reason(checked: tuple[Rig, Line]) -> None:
    rig, line = checked
    writer = rig.line()
    line.says(query(READ))
    line.heard()
    line.origin.is_held = True
    begin(line)
    writer.says(query("insert into t values ('new')"))
    line.origin.release()
    assert (rig.counters.verified_void, rig.counters.verified_differing) == (1, 0)
    line.says(query(READ), query(READ))
    line.hears(f"{NEW} {NEW}")


async def test_a_check_that_fails_says_nothing(checked: tuple[Rig, Line]) -> None:
    rig, line = checked
    line.says(query(READ))
    table = rig.world.tables.pop("public.t")
    begin(line)
    rig.world.tables["public.t"] = table
    assert (rig.counters.verified_void, rig.counters.verified_differing) == (1, 0)
    line.heard()
    line.says(query(READ))
    line.hears(ANSWER)


async def test_a_part_of_the_hits_is_checked() -> None:
    rig = Rig(cache={"verify_ratio": 0.1})
    line = rig.line()
    line.says(query(READ))
    rig.engine.random = lambda: 0.5  # of which the first six hits do not reach
    checks = 0
    for _ in range(20):
        rig.now += 1
        line.says(query(READ))
        line.asked()
        begin(line)
        checks += line.asked() == RERUN
    assert checks == 0
    rig.now += 1
    for _ in range(10):
        line.says(query(READ))
    rig.now += 1
    line.says(query(READ))
    line.asked()
    begin(line)
    assert line.asked() == RERUN


@pytest.fixture
async def underway(rig: Rig, line: Line) -> list[Callable[[], None]]:
    """A costly refresh is underway; cancels land here, to be called when they were noticed."""
    aged(rig, line, cost=60.0)
    cancels: list[Callable[[], None]] = []
    line.session.background.cancel = cancels.append
    line.says(query(READ))
    line.hears(ANSWER)
    line.origin.is_held = True
    begin(line)
    assert line.asked() == RERUN
    return cancels


CANCELLED = b"SERROR\0VERROR\0C57014\0Mcanceling statement due to user request\0\0"


def cancelled(line: Line) -> None:
    """The origin has cancelled what it was doing."""
    line.origin.take()
    line.origin.say(b"1\0\0\0\x042\0\0\0\x04" + message("E", CANCELLED))
    line.origin.say(message("Z", b"I") + b"3\0\0\0\x04" + message("Z", b"I"))


async def test_W32_the_client_comes_first(
    rig: Rig, line: Line, underway: list[Callable[[], None]]
) -> None:
    line.says(query("insert into u values ('x')"))
    assert line.asked() == ""
    assert Hold.BACKGROUND in line.client.held
    assert len(underway) == 1
    cancelled(line)
    assert line.asked() == ""  # the cancel could still hit it
    underway[0]()
    assert line.asked() == "Q"
    assert Hold.BACKGROUND not in line.client.held
    line.origin.release()
    line.hears("C(INSERT_0_1) Z(I)")
    counters = rig.counters
    assert (counters.refreshes_interrupted, counters.refreshes_failed) == (1, 0)
    # The next who asks waits for it; the others have the stale result meanwhile.
    other = rig.line()
    line.origin.is_held = True
    line.says(query(READ))
    assert line.asked() == "Q"
    other.says(query(READ))
    other.hears(ANSWER)
    line.origin.release()
    line.hears(NEW)


async def test_W31_the_cancel_may_be_noticed_first(
    line: Line, underway: list[Callable[[], None]]
) -> None:
    line.says(query("select 1"))
    underway[0]()
    assert line.asked() == ""
    line.origin.release()  # it was too late: the whole result comes
    line.hears("T() D(1) C(SELECT_1) Z(I)")
    assert line.asked() == "Q"


async def test_what_is_about_to_end_is_waited_for(
    rig: Rig, line: Line, underway: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.0)
    rig.now += 61
    line.says(query("select 1"))
    assert underway == []
    await rig.rest()
    assert len(underway) == 1


async def test_W32_a_cancel_waits_until_its_query_is_there(
    line: Line, underway: list[Callable[[], None]]
) -> None:
    assert not line.session.wants_cancel()
    line.says(query("select 1"))
    assert line.session.wants_cancel()
    sent = asyncio.create_task(line.session.background.sent())
    await asyncio.sleep(0)
    cancelled(line)
    await asyncio.sleep(0)
    assert not sent.done()
    underway[0]()
    await sent
    assert line.asked() == "Q"
    await line.session.background.sent()


async def test_a_failing_refresh_leaves_the_session_as_it_was(rig: Rig, line: Line) -> None:
    aged(rig, line)
    line.says(query(READ))
    del rig.world.tables["public.t"]
    line.heard()
    begin(line)
    line.hears("")
    assert (rig.counters.refreshes_failed, rig.engine.reruns) == (1, 0)
    assert line.origin.backend.statements == {}
    line.says(query("select v from u"))
    line.hears("T(v) D(u) C(SELECT_1) Z(I)")
    line.says(query(READ))  # in the foreground: the error is the client's
    assert words(line.heard())[0].startswith("E(")


async def test_what_the_origin_says_aside_reaches_the_client(
    line: Line, underway: list[Callable[[], None]]
) -> None:
    assert not underway
    line.origin.say(message("A", b"\0\0\0\x01channel\0payload\0"))
    line.origin.say(message("S", b"TimeZone\0Asia/Tokyo\0"))
    line.origin.say(message("N", b"SNOTICE\0C00000\0Mof the refresh\0\0"))
    line.hears("A S(TimeZone=Asia/Tokyo)")
    assert line.state.parameters["TimeZone"] == "Asia/Tokyo"
    fatal = message("E", b"SFATAL\0VFATAL\0C57P01\0Mgoing down\0\0")
    line.origin.say(fatal)
    assert line.heard() == fatal


async def test_W74_a_transaction_that_nobody_began_is_the_end(
    line: Line, underway: list[Callable[[], None]]
) -> None:
    assert not underway
    line.origin.say(b"1\0\0\0\x042\0\0\0\x04" + message("E", CANCELLED))
    with pytest.raises(ProtocolViolation, match="transaction that nobody has begun"):
        line.origin.say(message("Z", b"T"))


async def test_the_origin_is_lost_underway(
    rig: Rig, line: Line, underway: list[Callable[[], None]]
) -> None:
    assert not underway
    line.session.lost(lambda: None)
    assert rig.engine.reruns == 0
    assert not line.session.is_needed
    assert len(rig.database.flights) == 0


async def test_a_client_that_leaves_leaves_its_connection_to_the_refresh(
    rig: Rig, line: Line
) -> None:
    """Tools that open a connection for each chart would otherwise never have one refreshed."""
    aged(rig, line)
    line.says(query(READ), TERMINATE)
    line.hears(ANSWER)
    assert line.asked() == ""
    assert line.client.is_closed
    line.origin.is_held = True
    assert line.session.client_gone()
    assert line.asked() == RERUN
    line.origin.release()
    assert not line.session.is_needed
    assert rig.counters.refreshes == 1


async def test_a_client_that_leaves_with_nothing_to_do_is_let_go(line: Line) -> None:
    line.says(query(READ), TERMINATE)
    assert line.asked() == "QX"
    assert not line.session.client_gone()


async def test_nothing_is_begun_once_the_origin_or_the_proxy_is_on_its_way_out(
    rig: Rig, line: Line
) -> None:
    aged(rig, line)
    line.session.background.drop()
    line.says(query(READ))
    line.hears(ANSWER)
    begin(line)
    assert line.asked() == ""
    assert not line.session.background.is_active


async def test_what_is_not_kept_any_more_is_not_stale_for_nothing() -> None:
    rig = Rig(cache={"ttl": 100, "grace": 50, "min_query_ms": 1000})
    line = rig.line()
    aged(rig, line, cost=2.0)
    line.says(query(READ))
    line.hears(ANSWER)
    begin(line)  # and now it costs nothing
    assert line.asked() == RERUN
    assert rig.counters.refreshes == 0
    line.says(query(READ))
    line.hears(NEW)
    assert line.asked() == "Q"


async def test_not_too_many_at_the_same_time() -> None:
    rig = Rig(cache={"ttl": 100, "grace": 50, "refresh_limit": 1})
    first, second = rig.line(), rig.line()
    texts = (READ, "select v from u")
    for line, text in zip((first, second), texts, strict=True):
        line.says(query(text))
    rig.now += 101
    for line, text in zip((first, second), texts, strict=True):
        line.asked()
        line.says(query(text))
        line.origin.is_held = True
        begin(line)
    assert (first.asked(), second.asked()) == (RERUN, "")
    first.origin.release()
    begin(second)
    assert second.asked() == RERUN


async def test_it_begins_by_itself_when_the_connection_is_at_rest(
    rig: Rig, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "IDLE", 0.0)
    aged(rig, line)
    line.says(query("begin"), query(READ))
    await rig.rest()
    assert line.asked() == "Q"
    line.says(query("rollback"))
    await rig.rest()
    assert line.asked() == "Q" + RERUN


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_the_answer_may_come_in_pieces(rig: Rig, line: Line, size: int) -> None:
    aged(rig, line)
    line.says(query(READ))
    line.heard()
    line.origin.cut = lambda data: [data[i : i + size] for i in range(0, len(data), size)]
    begin(line)
    line.hears("")
    line.says(query(READ))
    line.hears(NEW)

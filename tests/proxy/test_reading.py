"""Long texts: whoever sent one waits for its analysis, everyone else goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pgcache.proxy.reading import LONG_TEXT
from pgcache.sql.analyses import Analyses, Found, Text
from tests.proxy.rig import Line, Rig, whole_run
from tests.support.frames import query

READ = "select v from t"
ANSWER = "T(v) D(one) D(two) C(SELECT_2) Z(I)"
LONG_READ = f"{READ} /* {'x' * LONG_TEXT} */"
LONG_WRITE = f"insert into t values ('{'x' * LONG_TEXT}')"


class Gate:
    """Analyses in the thread wait until they are let through."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.read: list[Text] = []

    def find(self, real: Callable[[Analyses, Text], Found], known: Analyses, text: Text) -> Found:
        if threading.current_thread() is not threading.main_thread():
            self.read.append(text)
            assert self.opened.wait(60)
        return real(known, text)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate, real = Gate(), Analyses.find
    monkeypatch.setattr(Analyses, "find", lambda known, text: gate.find(real, known, text))
    yield gate
    gate.opened.set()


async def until(rig: Rig, what: Callable[[], bool]) -> None:
    """Wait for a thread."""
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.001)
        await rig.rest()


async def test_who_sent_it_waits_and_nobody_else(rig: Rig, gate: Gate) -> None:
    slow, other = rig.line(), rig.line()
    slow.says(query(LONG_READ), query(READ))
    assert (slow.asked(), slow.heard()) == ("", b"")
    other.says(query("select v from u"))
    other.hears("T(v) D(u) C(SELECT_1) Z(I)")
    gate.opened.set()
    await until(rig, lambda: len(slow.client.data) > 0)
    slow.hears(f"{ANSWER} {ANSWER}")
    assert slow.asked() == "Q"


async def test_the_second_time_nothing_is_waited_for(rig: Rig, gate: Gate) -> None:
    gate.opened.set()
    line = rig.line()
    line.says(query(LONG_READ))
    await until(rig, lambda: len(line.client.data) > 0)
    line.hears(ANSWER)
    assert line.asked() == "Q"
    line.says(query(LONG_READ))
    line.hears(ANSWER)
    assert line.asked() == ""
    assert len(gate.read) == 1


async def test_the_same_text_is_analysed_once_for_all(rig: Rig, gate: Gate) -> None:
    lines = [rig.line() for _ in range(3)]
    for line in lines:
        line.says(whole_run(LONG_READ))
    await until(rig, lambda: bool(gate.read))
    gate.opened.set()
    await until(rig, lambda: all(line.client.data for line in lines))
    for line in lines:
        line.hears(f"1 2 {ANSWER}")
    assert len(gate.read) == 1
    assert "".join(line.asked() for line in lines) == "PBDES"


async def test_P3_a_long_write_is_accounted_for_before_it_is_sent(rig: Rig, gate: Gate) -> None:
    writer, reader = rig.line(), rig.line()
    reader.says(query(READ))
    reader.hears(ANSWER)
    writer.origin.is_held = True
    writer.says(query(LONG_WRITE))
    gate.opened.set()
    await until(rig, lambda: len(writer.origin.data) > 0)
    reader.says(query(READ))
    assert reader.asked() == "QQ"  # the write is underway: nothing is served
    writer.origin.release()
    writer.hears("C(INSERT_0_1) Z(I)")


async def test_W44_the_write_of_a_client_that_left_still_counts(rig: Rig, gate: Gate) -> None:
    writer, reader = rig.line(), rig.line()
    reader.says(query(READ))
    reader.hears(ANSWER)
    reader.asked()
    writer.says(query(LONG_WRITE))
    assert writer.session.client_gone(), "the origin has yet to hear of it"
    gate.opened.set()
    await until(rig, lambda: writer.asked() == "Q")
    reader.says(query(READ))
    assert reader.asked() == "Q"


async def test_W32_a_cancel_request_ends_the_wait(line: Line, gate: Gate) -> None:
    line.origin.is_held = True
    line.says(query(LONG_READ))
    assert line.asked() == ""
    assert line.session.wants_cancel()
    assert line.asked() == "Q"


async def test_short_texts_need_no_thread(line: Line, gate: Gate) -> None:
    line.says(query(READ), whole_run("select v from u"))
    assert not gate.read

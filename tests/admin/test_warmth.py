"""When warming up happens, and what: schedules, with a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pgcache.admin.warmer import Fate, Task, _judge
from pgcache.admin.warmth import Warmth
from pgcache.config import Address
from pgcache.policy.key import digest
from pgcache.proxy.recorder import Asked, Question
from tests.proxy.rig import Rig
from tests.support.frames import query
from tests.support.process import free_port

WARM = {"query": "select v from t", "user": "alice", "database": "shop", "password": "x"}


class Clock:
    """Local time that passes only when somebody sleeps, at most ``naps`` times."""

    def __init__(self, naps: int) -> None:
        self.now = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
        self.naps = naps
        self.done = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        if self.naps == 0:
            self.done.set()
            await asyncio.Event().wait()
        self.naps -= 1
        self.now += timedelta(seconds=seconds)


@asynccontextmanager
async def _warmth(clock: Clock, **options: Any) -> AsyncIterator[Warmth]:
    port = free_port()  # nobody answers there: what counts is what is asked, and when
    rig = Rig(**options)
    warmth = Warmth(
        rig.engine, lambda: Address("127.0.0.1", port), now=lambda: clock.now, pause=clock.pause
    )
    warmth.start()
    try:
        yield warmth
    finally:
        await warmth.stop()


def _asked(warmth: Warmth) -> list[list[str]]:
    return [[task.question.text for task in job.tasks] for job in warmth.warmer.jobs]


async def test_at_start() -> None:
    clock = Clock(0)
    other = {**WARM, "query": "select 2", "schedule": "1h"}
    async with _warmth(clock, warm=[WARM, other]) as warmth:
        assert _asked(warmth) == [["select v from t"]]


async def test_by_interval_and_by_cron() -> None:
    clock = Clock(3)
    warm = [{**WARM, "schedule": ["0 6 * * *"]}]
    async with _warmth(clock, warm=warm) as warmth:
        assert _asked(warmth) == []
        await clock.done.wait()
        assert _asked(warmth) == [["select v from t"]]
        assert clock.now > datetime(2026, 11, 23, 6, tzinfo=UTC)
    clock = Clock(3)
    async with _warmth(clock, warm=[{**WARM, "schedule": "15min"}]) as warmth:
        await clock.done.wait()
        assert len(_asked(warmth)) == 3


async def test_recorded_ones_by_schedule(tmp_path: Path) -> None:
    file = tmp_path / "questions.json"
    clock = Clock(0)
    options = {"warm_up": {"record": str(file), "top": 1, "schedule": "start"}}
    async with _warmth(clock, **options) as warmth:
        assert _asked(warmth) == []
        recorder = warmth._engine.recorder
        for cost in (1.0, 2.0):
            key = str(cost).encode()
            question = Question("shop", "alice", Asked(b"Q"), key=key, text=f"select {cost}")
            recorder.note(question, cost, None)
    assert file.stat().st_mode & 0o777 == 0o600
    async with _warmth(clock, **options) as warmth:
        assert _asked(warmth) == [["select 2.0"]]


async def test_a_file_that_is_none_is_said_and_left(tmp_path: Path) -> None:
    file = tmp_path / "questions.json"
    file.write_text("nonsense")
    file.chmod(0o600)
    async with _warmth(Clock(0), warm_up={"record": str(file), "top": 1}) as warmth:
        assert _asked(warmth) == []
    assert file.read_text() == "nonsense"


async def test_a_failure_is_told() -> None:
    async with _warmth(Clock(0), warm=[WARM]) as warmth:
        (job,) = warmth.warmer.jobs
        await job.finished.wait()
        (task,) = job.tasks
        assert task.fate is Fate.FAILED
        assert "connection lost" in task.detail


async def test_what_is_warm_is_not_asked_again() -> None:
    rig = Rig()
    line = rig.line()
    line.says(query("select v from t"))
    (recorded,) = rig.engine.recorder.top(1)
    warmth = Warmth(rig.engine, lambda: Address("127.0.0.1", 1))
    assert warmth.is_warm(recorded.question)
    rig.now += 151
    assert not warmth.is_warm(recorded.question), "half its lifetime is over"
    assert not warmth.is_warm(Question("elsewhere", "a", Asked(b"Q"), key=recorded.question.key))
    job = warmth.warmer.start([Task(recorded.question)])
    await job.finished.wait()
    assert job.tasks[0].fate is Fate.FAILED, "it was asked, of nobody"


@pytest.mark.parametrize(
    ("said", "fate", "detail"),
    [
        (f"pgcache; fwd=miss; stored; ttl=300; key={digest(b'k')[:8].hex()}", Fate.WARMED, ""),
        (f"pgcache; hit; ttl=9; key={digest(b'k')[:8].hex()}", Fate.WARMED, ""),
        ("pgcache; fwd=miss; stored; ttl=300; key=0123456789abcdef", Fate.OTHER_KEY, "role"),
        ("pgcache; fwd=miss; detail=too-large; key=01", Fate.NOT_STORED, "too-large"),
        ('pgcache; fwd=bypass; detail=volatile-function; about="x"', Fate.NOT_STORED, "volatile"),
    ],
)
def test_the_proxys_word_decides(said: str, fate: Fate, detail: str) -> None:
    found, why = _judge(said, b"k")
    assert found is fate
    assert detail in why


async def test_other_schedules_and_queries_by_reload() -> None:
    clock = Clock(0)
    old = {**WARM, "schedule": ["start", "15min"]}
    async with _warmth(clock, warm=[old]) as warmth:
        await clock.done.wait()
        clock.done.clear()
        new = {**WARM, "query": "select 2", "schedule": ["start", "1h", "0 6 * * *"]}
        config = Rig(warm=[old, new], warm_up={"concurrency": 1}).engine.config
        warmth.reconfigure(config)
        assert set(warmth._keeping) == {"15min", "1h", "0 6 * * *"}
        kept = warmth._keeping["15min"]
        await clock.done.wait()
        warmth.reconfigure(Rig(warm=[{**old, "query": "select 3"}]).engine.config)
        assert warmth._keeping == {"15min": kept}, "what stays is not begun anew"
        assert len(_asked(warmth)) == 1, "only a start is a start"
        clock.done.clear()
        clock.naps = 1
        warmth.reconfigure(Rig(warm=[{**new, "schedule": "10min"}]).engine.config)
        await clock.done.wait()
        assert _asked(warmth)[-1] == ["select 2"]
    assert warmth._keeping == {}


async def test_a_worker_that_goes_by_no_schedule_begins_none_by_reload() -> None:
    rig = Rig()
    warmth = Warmth(rig.engine, lambda: Address("127.0.0.1", 1))
    warmth.reconfigure(Rig(warm=[{**WARM, "schedule": "1h"}]).engine.config)
    assert warmth._keeping == {}
    await warmth.stop()

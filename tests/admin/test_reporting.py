"""Shadow mode's lines in the log: by the schedule, at the end, and only with news."""

from __future__ import annotations

from structlog.testing import capture_logs

from pgcache.admin.reporting import EVENT, Report
from tests.proxy.rig import Rig
from tests.support.frames import query


async def test_a_line_comes_by_the_schedule_and_only_with_news() -> None:
    rig = Rig(cache={"mode": "shadow"}, log={"shadow_report": "10s"})
    line = rig.line()
    report = Report(rig.engine)
    for _ in range(4):
        line.says(query("select v from t"))
    with capture_logs() as logs:
        report.tell_if_due()
        assert logs == [], "it is not time yet"
        rig.now += 10.0
        report.tell_if_due()
        report.tell_if_due()
        rig.now += 10.0
        report.tell_if_due()
        report.tell()
    (said,) = logs
    assert said["event"] == EVENT
    assert (said["hits"], said["misses"], said["hit_ratio"]) == (3, 1, 0.75)
    line.says(query("select v from t"))
    with capture_logs() as logs:
        report.tell()
    assert logs[0]["hits"] == 4


async def test_without_a_schedule_only_the_end_tells() -> None:
    rig = Rig(cache={"mode": "shadow"}, log={"shadow_report": 0})
    line = rig.line()
    report = Report(rig.engine)
    line.says(query("select v from t"))
    with capture_logs() as logs:
        rig.now += 1_000_000.0
        report.tell_if_due()
        assert logs == []
        report.tell()
        assert len(logs) == 1

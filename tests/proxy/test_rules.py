"""The operator's rules and lifetimes by cost, in conversations."""

from __future__ import annotations

import pytest

from tests.proxy.rig import Line, Rig, whole_run
from tests.support.frames import SYNC, bind, execute, message, parse, query

READ = "select v from t"
ANSWER = "T(v) D(one) D(two) C(SELECT_2) Z(I)"


def is_hit(line: Line, question: bytes = query(READ)) -> bool:
    """Whether the origin heard nothing of ``question``."""
    line.asked()
    line.says(question)
    return line.asked() == ""


def call(line: Line, name: str) -> None:
    """The session calls itself ``name``, and the origin reports it."""
    line.says(query(f"set application_name = '{name}'"))
    line.origin.say(message("S", b"application_name\0" + name.encode() + b"\0"))
    line.heard()


async def test_a_rule_switches_off_what_reads_a_table() -> None:
    rig = Rig(rules=[{"relation": "public.t", "off": True}])
    line = rig.line()
    for text in (READ, READ, "/* again */ select v from t"):
        assert not is_hit(line, query(text))
    assert not is_hit(line, query("select v from u"))
    assert is_hit(line, query("select v from u"))
    line.heard()
    line.says(query("show pgcache.last"))
    line.says(query(READ), query("show pgcache.last"))
    assert b'detail=rule; about="rule 1"' in line.heard()


async def test_a_rule_for_an_application_does_not_touch_others() -> None:
    rig = Rig(rules=[{"application_name": "etl*", "off": True}])
    report, etl = rig.line(), rig.line()
    call(etl, "etl-7")
    assert not is_hit(report)
    assert is_hit(report)
    assert not is_hit(etl)
    assert not is_hit(etl, whole_run(READ))


async def test_the_fast_lane_keeps_applications_apart() -> None:
    """Both have one context, and differ only in the rules that fit them."""
    rig = Rig(rules=[{"application_name": "etl", "relation": "public.t", "off": True}])
    report, etl = rig.line(), rig.line()
    call(etl, "etl")
    for line in (report, etl):
        for _ in range(2):
            line.says(query("select v from u"))
    assert etl.session._fast.is_open
    assert not is_hit(report)
    for _ in range(3):
        assert is_hit(report)
    etl.says(query("select v from u"))
    assert etl.session._fast.is_open
    assert not is_hit(etl)
    call(etl, "report")
    assert is_hit(etl)
    call(etl, "etl")
    assert not is_hit(etl)


async def test_named_statements_keep_applications_apart_as_well() -> None:
    rig = Rig(rules=[{"application_name": "etl", "ttl": 10}])
    report, etl = rig.line(), rig.line()
    call(etl, "etl")
    run = bind("", "s") + execute("") + SYNC
    for line in (report, etl):
        line.says(parse("s", READ), SYNC)
        line.says(run)
    for line in (report, etl):
        for _ in range(3):
            assert is_hit(line, run)
    rig.now += 11
    assert not is_hit(etl, run)


async def test_the_first_rule_that_fits_counts_and_no_table_lives_longer() -> None:
    rig = Rig(
        rules=[{"query": "from u", "ttl": 900}, {"user": "alice", "ttl": 1000}],
        tables={"public.t": {"ttl": 50}},
    )
    line = rig.line()
    for text, seconds in (("select v from u", 900), (READ, 50), ("select v from other.t", 1000)):
        assert not is_hit(line, query(text))
        rig.now += seconds - 1
        assert is_hit(line, query(text)), text
        rig.now += 1
        assert not is_hit(line, query(text)), text


async def test_a_rules_tags_are_its_entries() -> None:
    """An entry that was stored without the tag does not answer where the tag belongs."""
    rig = Rig(rules=[{"application_name": "report", "tags": ["revenue"]}])
    report, other = rig.line(), rig.line()
    call(report, "report")
    assert not is_hit(other)
    assert not is_hit(report)
    assert is_hit(other)
    assert is_hit(report)
    rig.database.generations.move(["revenue"])
    assert is_hit(other)
    assert not is_hit(report)


@pytest.mark.parametrize(
    ("cost", "seconds"), [(0.5, 60), (1.0, 300), (5.0, 600), (10.0, 1800), (60.0, 1800)]
)
async def test_what_cost_more_lives_longer(cost: float, seconds: float) -> None:
    rig = Rig(cache={"ttl_by_cost": ["10s: 30min", "5s: 10min", "1s: 5min", "0s: 1min"]})
    line = rig.line()
    line.origin.is_held = True
    line.says(query(READ))
    rig.now += cost
    line.origin.release()
    line.hears(ANSWER)
    rig.now += seconds - cost - 0.1  # the age counts from when the query was sent
    assert is_hit(line)
    rig.now += 0.1
    assert not is_hit(line)


async def test_a_step_of_no_time_keeps_nothing() -> None:
    rig = Rig(cache={"ttl_by_cost": ["1s: 5min", "0s: 0"]})
    line = rig.line()
    for _ in range(2):
        assert not is_hit(line)
    assert rig.counters.stores == rig.counters.overtaken == 0


async def test_a_rule_says_what_is_too_cheap_to_keep() -> None:
    rig = Rig(cache={"min_query_ms": 1000}, rules=[{"relation": "public.t", "min_query_ms": 0}])
    line = rig.line()
    assert not is_hit(line)
    assert is_hit(line)
    assert not is_hit(line, query("select v from u"))
    assert not is_hit(line, query("select v from u"))


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 300), (0.5, 270), (1.0, 240)])
async def test_chance_takes_its_part_off_a_lifetime(chance: float, seconds: float) -> None:
    rig = Rig(cache={"ttl_jitter": 0.2})
    rig.engine.random = lambda: chance
    line = rig.line()
    assert not is_hit(line)
    rig.now += seconds - 0.1
    assert is_hit(line)
    rig.now += 0.2
    assert not is_hit(line)

"""Parameters that were not asked for before, answered without the slow lane."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.cache.entry import Entry
from pgcache.policy.key import build_key, build_key_head
from pgcache.proxy.recipe import Basis, Proof, Recipe
from pgcache.wire.messages import EXECUTIONS, parse_bind
from tests.proxy.rig import Line, Rig, whole_run
from tests.support.frames import SYNC, bind, describe_request, execute, parse

SQL = "select v from t where v = $1"
VALUES = [b"one", b"two", b"nothing"]


def executed(value: bytes | None, *, described: bool = True, limit: int = 0) -> bytes:
    portal = describe_request("P", "") if described else b""
    return bind("", "s", [value]) + portal + execute("", limit) + SYNC


def filled(rig: Rig) -> Line:
    """A session that has the entries of all values stored, and has asked for one of them twice."""
    line = rig.line()
    line.says(parse("s", SQL), SYNC)
    for value in [*VALUES, VALUES[0]]:
        line.says(executed(value))
        line.says(whole_run(SQL, [value]))
    line.heard()
    line.asked()
    return line


@pytest.mark.parametrize("value", VALUES)
async def test_other_values_are_found_at_once(rig: Rig, value: bytes) -> None:
    line = filled(rig)
    fast, hits = line.session._fast, rig.counters.hits
    rows = "" if value == b"nothing" else f"D({value.decode()}) "
    count = 0 if value == b"nothing" else 1
    assert fast.is_open
    assert fast.answer(executed(value)) is not None
    assert fast.answer(whole_run(SQL, [value])) is not None
    line.says(executed(value))
    line.says(whole_run(SQL, [value]))
    reply = f"T(v) {rows}C(SELECT_{count}) Z(I)"
    line.hears(f"2 {reply} 1 2 {reply}")
    assert line.asked() == ""
    assert rig.counters.hits == hits + 4


async def test_C13_a_value_that_may_mean_another_day_takes_the_slow_lane(rig: Rig) -> None:
    line = filled(rig)
    assert line.session._fast.answer(executed(b" ToDay ")) is None


@pytest.mark.parametrize(
    "turn",
    [
        executed(b"two", limit=1),
        executed(b"two", described=False),
        executed(None),
        bind("", "s", [b"two"], results=(1,)) + describe_request("P", "") + execute("") + SYNC,
        bind("", "s", [b"two", b"two"]) + describe_request("P", "") + execute("") + SYNC,
        bind("", "s", [b"two"]) + execute("") + SYNC,
        whole_run(SQL, [b"two"], portal="p"),
    ],
)
async def test_another_shape_takes_the_slow_lane(rig: Rig, turn: bytes) -> None:
    line = filled(rig)
    assert line.session._fast.answer(turn) is None


async def test_P4_what_has_expired_is_not_played(rig: Rig) -> None:
    line = filled(rig)
    rig.now += 301
    assert line.session._fast.answer(executed(b"two")) is None


async def test_P3_nor_what_has_moved(rig: Rig) -> None:
    line, writer = filled(rig), rig.line()
    writer.says(
        b"".join([parse("", "insert into t values ('x')"), bind("", ""), execute(""), SYNC])
    )
    assert line.session._fast.answer(executed(b"two")) is None


PARAMETERS = st.lists(st.none() | st.binary(max_size=5), min_size=1, max_size=3)


@given(PARAMETERS, st.sampled_from([(), (0,), (1,)]), st.booleans(), st.binary(max_size=3))
def test_W54_its_keys_are_those_of_the_slow_lane(
    parameters: list[bytes | None], formats: tuple[int, ...], described: bool, noise: bytes
) -> None:
    head = build_key_head(b"d", b"f", b"t", parameter_formats=formats, count=len(parameters))
    message = bind("", "s", parameters, formats)
    data = message + EXECUTIONS[described]
    entry = Entry(
        b"key",
        row_description=None,
        rows=b"",
        row_count=0,
        tags=(),
        vector=(0,),
        stored_at=0.0,
        expires_at=1.0,
    )
    recipe = Recipe(
        Basis(Proof(entry, None), described, 0, 0, 0, ord("I")),
        head=message[8 - 1 : 8 + 4 + 2 * len(formats)],
        foot=b"\0\0" + EXECUTIONS[described],
        count=len(parameters),
        key_head=head,
        parse=b"",
    )
    parsed = parse_bind(message)
    expected = build_key(
        b"d",
        b"f",
        b"t",
        parameter_formats=parsed.parameter_formats,
        parameters=parsed.parameters,
    )
    assert recipe.follow(data, 7) == expected
    # A length that does not fit, or anything before the end, is another shape.
    assert recipe.follow(data[:-1], 7) is None
    if noise:
        assert recipe.follow(message + noise + EXECUTIONS[described], 7) is None

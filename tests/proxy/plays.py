"""Random conversations, and playing them: to the backend alone, and through sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.proxy.backend import Backend, World
from tests.proxy.rig import Rig, whole_run
from tests.support import frames
from tests.support.frames import bind, close_request, describe_request, execute, parse, query

READS = [
    "select v from t",
    "SELECT v  FROM t",
    "select tz from t",
    "select tenant from t",
    "select v from u",
    "select v from t where v = 'one'",
]
ODD_READS = ["select 1", "select v from missing", "select 1/0", "nonsense", "", "show timezone"]
WRITES = [
    *("insert into t values ('x')", "insert into u values ('y')", "delete from t"),
    *("truncate u", "select write_something()", "insert into other.t values ('z')"),
]
TRANSACTIONS = [
    *("begin", "begin", "commit", "rollback", "commit and chain", "rollback and chain"),
    *("savepoint a", "rollback to a", "release a", "begin isolation level repeatable read"),
]
SETTINGS = [
    *("set timezone to 'Asia/Tokyo'", "set timezone to 'UTC'", "set local timezone = 'Asia/Tokyo'"),
    *("set search_path = other, public", "set local search_path = other", "reset all"),
    *("set app.tenant = 'a'", "set local app.tenant = 'b'", "set search_path = public"),
    *("select set_config('app.tenant', 'c', false)", "discard all"),
    "select set_config('search_path', 'other', true)",
    *("set pgcache.mode = 'off'", "set pgcache.mode = 'on'"),
]
DEFINITIONS = ["create table other.u (v text)", "drop table other.u", "drop table public.u"]
LATER = ["select pg_advisory_lock(1)", "select now()", "deallocate s1", "fetch 1 from p1"]
STATEMENTS = (
    st.sampled_from(READS)
    | st.sampled_from(READS)
    | st.sampled_from(WRITES)
    | st.sampled_from(TRANSACTIONS)
    | st.sampled_from(SETTINGS)
    | st.sampled_from([*ODD_READS, *DEFINITIONS, *LATER])
)
NAMES = st.sampled_from(["", "", "s1", "s2"])
PORTALS = st.sampled_from(["", "", "p1"])
LIMITS = st.sampled_from([0, 0, 1, 2, 5])
FORMATS: st.SearchStrategy[Sequence[int]] = st.sampled_from([(), (0,), (1,), (1, 1)])
FITTING: st.SearchStrategy[Sequence[int]] = st.sampled_from([(), (1,)])
VALUES = st.sampled_from([b"one", b"two", b"nothing", None])


def _with_parameter(value: bytes | None, limit: int, formats: Sequence[int]) -> bytes:
    return whole_run("select v from t where v = $1", [value], limit=limit, formats=formats)


SIMPLE = st.lists(STATEMENTS, min_size=1, max_size=2).map("; ".join).map(query)
RUNS = st.builds(
    whole_run, STATEMENTS, name=st.just(""), portal=PORTALS, limit=LIMITS, formats=FORMATS
) | st.builds(_with_parameter, VALUES, LIMITS, FORMATS)
PIECES = (
    st.builds(parse, NAMES, STATEMENTS)
    | st.builds(parse, NAMES, st.sampled_from(READS))
    | st.builds(lambda p, s: bind(p, s), PORTALS, NAMES)
    | st.builds(describe_request, st.sampled_from("SP"), NAMES | PORTALS)
    | st.builds(execute, PORTALS, LIMITS)
    | st.builds(execute, PORTALS, LIMITS)
    | st.builds(close_request, st.sampled_from("SP"), NAMES | PORTALS)
    | st.sampled_from([frames.FLUSH, frames.SYNC])
)
PIPELINES = st.builds(
    lambda pieces, end: b"".join(pieces) + end,
    st.lists(PIECES, min_size=1, max_size=6),
    st.sampled_from([frames.SYNC, frames.SYNC, frames.FLUSH]),
)
ENDS = st.sampled_from([frames.SYNC, frames.FLUSH])
VALUED = "select v from t where v = $1"
EXECUTED = st.builds(
    lambda name, value, formats, limit, described: (
        bind("", name, [value], results=formats)
        + (describe_request("P", "") if described else b"")
        + execute("", limit)
        + frames.SYNC
    ),
    st.sampled_from(["s1", "s2"]),
    VALUES,
    FORMATS,
    LIMITS,
    st.booleans(),
)
NAMED = st.builds(
    lambda name, sql, end: parse(name, sql) + describe_request("S", name) + end,
    NAMES,
    st.sampled_from([*READS, VALUED, VALUED, VALUED]),
    ENDS,
)
CURSORS = st.builds(
    lambda name, portal, limit, end: bind(portal, name) + execute(portal, limit) + end,
    NAMES,
    PORTALS,
    LIMITS,
    ENDS,
) | st.builds(
    lambda sql, portal, limit, end: (
        parse("", sql) + bind(portal, "") + execute(portal, limit) + end
    ),
    st.sampled_from(READS),
    PORTALS,
    LIMITS,
    ENDS,
)
PAGES = st.builds(lambda portal, limit, end: execute(portal, limit) + end, PORTALS, LIMITS, ENDS)
QUESTIONS = (
    st.sampled_from(READS).map(query)
    | st.builds(whole_run, st.sampled_from(READS[:2]), limit=LIMITS, formats=FITTING)
    | st.builds(_with_parameter, VALUES, st.just(0), FITTING)
    | EXECUTED
)


def _in_one_chunk(questions: Sequence[tuple[bytes, bool]]) -> bytes:
    """A pipeline: questions with a Sync of their own, or (False) without it.

    What stands before a Query always has one: no driver does otherwise.
    """
    followers = [turn for turn, _ in questions[1:]] + [b"Q"]
    return b"".join(
        turn if is_synced or follower[:1] == b"Q" else turn.removesuffix(frames.SYNC)
        for (turn, is_synced), follower in zip(questions, followers, strict=True)
    )


BATCHES = st.builds(
    _in_one_chunk,
    st.lists(st.tuples(QUESTIONS, st.booleans()), min_size=2, max_size=5),
)
PIECES_OF_PIPELINES = st.builds(
    lambda questions, flush: [
        *(turn.removesuffix(frames.SYNC) for turn in questions),
        *((frames.SYNC, frames.FLUSH) if flush else (frames.SYNC,)),
    ],
    st.lists(QUESTIONS.filter(lambda turn: turn[:1] != b"Q"), min_size=1, max_size=4),
    st.booleans(),
)
TURNS = (
    SIMPLE
    | RUNS
    | PIPELINES
    | NAMED
    | EXECUTED
    | EXECUTED
    | CURSORS
    | CURSORS
    | PAGES
    | BATCHES
    | BATCHES
)


@dataclass(frozen=True, slots=True)
class Step:
    """One client sends this; ``repeat`` times, so that the fast lane has its part."""

    who: int
    data: bytes
    repeat: int = 1


STEPS = st.lists(
    st.builds(Step, st.integers(0, 1), TURNS, st.sampled_from([1, 1, 2, 3])),
    min_size=1,
    max_size=14,
)

SETUP = [
    Step(who, parse(name, sql) + frames.SYNC)
    for who in (0, 1)
    for name, sql in (("s1", READS[0]), ("s2", VALUED))
]
"""What makes the named statements above executable."""


def _in_pieces(who: int, chunks: list[bytes], times: int) -> list[Step]:
    return [Step(who, chunk) for chunk in chunks] * times


CHOPPED = st.lists(
    st.builds(_in_pieces, st.integers(0, 1), PIECES_OF_PIPELINES, st.sampled_from([1, 3, 4]))
    | st.builds(lambda step: [step], st.builds(Step, st.integers(0, 1), BATCHES | SIMPLE)),
    min_size=1,
    max_size=8,
).map(lambda parts: [*SETUP, *(step for part in parts for step in part)])
"""Steps of which some are a question of a pipeline, as libpq sends it when it is asked."""


def play_directly(steps: Sequence[Step]) -> list[bytes]:
    """What the backend itself answers, step by step."""
    world = World()
    backends = [Backend(world), Backend(world)]
    for backend in backends:
        backend.login()
    return [backends[step.who].feed(step.data * step.repeat) for step in steps]


def play(rig: Rig, steps: Sequence[Step], *, fast: bool = True) -> list[bytes]:
    """What clients of pgcache hear, step by step."""
    lines = [rig.line(), rig.line()]
    for line in lines:
        line.session._fast.is_enabled = fast
    heard: list[bytes] = []
    for step in steps:
        line = lines[step.who]
        before = len(heard)
        said = b""
        for _ in range(step.repeat):
            line.says(step.data)
            said += line.client.take()
        heard.append(said)
        assert len(heard) == before + 1
    return heard

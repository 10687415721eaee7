"""``make bench-micro``: what single steps cost, in microseconds, without sockets.

The least and the median of several repeats, on one thread. The least is what to compare between
versions: anything above it is somebody else's doing. Beside it stands what the step may cost by
``budget.toml``, which counts in turns of a plain loop that is timed on the same machine at the same
moment, so that it holds on a slow machine as on a fast one. Exits with 1 where one is overdrawn.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time
from timeit import Timer

from rich.console import Console
from rich.table import Table

from benchmarks import conversation, machine
from benchmarks.conversation import (
    BEGUN,
    COMMITTED,
    DATABASE,
    DONE,
    EXTENDED_REPLY,
    READY,
    ROW,
    SIMPLE_REPLY,
    bind_turn,
    forward,
    open_session,
    prepare,
    simple_turn,
)
from pgcache.demo.dashboard import TILES
from pgcache.policy.key import build_key
from pgcache.policy.plan import View, plan_read
from pgcache.proxy.decide import ask
from pgcache.proxy.session import Session
from pgcache.sql.analyses import Analyses, Text
from pgcache.sql.lexer import tokenize
from pgcache.sql.normal import normalise
from pgcache.sql.script import read_script
from pgcache.wire.frames import ClientFrames
from pgcache.wire.messages import build_query

_BUDGET = Path(__file__).with_name("budget.toml")
_RESULTS = Path(__file__).parent / "results" / "micro.json"
_REPEATS = 7
_SECONDS = 0.05  # of each repeat, about
_ROWS = 1000
_BATCH = 10
_DASHBOARD = TILES[0].sql


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to be timed; ``parts`` of it are done by one call."""

    group: str
    title: str
    call: Callable[[], object]
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step takes, in microseconds."""

    step: Step
    least: float
    median: float

    @property
    def name(self) -> str:
        """How the budget and the results call it."""
        return f"{self.step.group}: {self.step.title}"


def _loop() -> int:
    """What the budget counts in: a thousand turns of this."""
    counts = dict.fromkeys(range(64), 0)
    for number in range(1000):
        counts[number & 63] += number
    return counts[7]


async def run() -> int:
    """The command; sessions want to be in an event loop."""
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    moment = machine.look()
    console.print(f"{machine.describe()['processor']}, {moment}.")
    loop = _time(Step("", "", _loop)).least
    costs = [_time(step) for step in _steps()]
    allowed = {
        name: turns * loop / 1000 for name, turns in tomllib.loads(_BUDGET.read_text()).items()
    }
    console.print(_table(costs, allowed))
    _RESULTS.parent.mkdir(exist_ok=True)
    told = {cost.name: [cost.least, cost.median] for cost in costs}
    _RESULTS.write_text(
        json.dumps({**machine.describe(), "loop_us": loop, "us": told}, indent=1) + "\n"
    )
    console.print(f"A thousand turns of the loop that the budget counts in took {loop:.1f} us.")
    overdrawn = [c.name for c in costs if c.least > allowed.get(c.name, float("inf"))]
    for name in (*overdrawn, *(f"{name} (no such step)" for name in allowed.keys() - told.keys())):
        console.print(f"[red]over its budget:[/] {name}")
    return 1 if overdrawn or allowed.keys() - told.keys() else 0


def _time(step: Step) -> Cost:
    timer = Timer(step.call, timer=process_time)  # not what others take from it
    number, taken = 1, timer.timeit(1)
    while taken < _SECONDS / 5:
        number *= 4
        taken = timer.timeit(number)
    number = max(1, round(number * _SECONDS / taken))
    times = [1e6 * t / number / step.parts for t in timer.repeat(_REPEATS, number)]
    return Cost(step, min(times), median(times))


def _table(costs: list[Cost], allowed: dict[str, float]) -> Table:
    table = Table(title="Microseconds a step")
    for name in ("", "step", "least", "median", "budget"):
        table.add_column(name, justify="left" if name in ("", "step") else "right")
    group = ""
    for cost in costs:
        if cost.step.group != group:
            table.add_section()
        shown = "" if cost.step.group == group else cost.step.group
        group = cost.step.group
        budget = f"{allowed[cost.name]:.3f}" if cost.name in allowed else ""
        table.add_row(shown, cost.step.title, f"{cost.least:.3f}", f"{cost.median:.3f}", budget)
    return table


def _steps() -> list[Step]:
    return [*_framing(), *_texts(), *_decisions(), *_hits(), *_forwards(), *_rows()]


def _framing() -> list[Step]:
    frames = ClientFrames()
    simple, bind = simple_turn(), bind_turn()
    return [
        Step("framing", "a Query", lambda: list(frames.feed(simple))),
        Step("framing", "Bind Describe Execute Sync", lambda: list(frames.feed(bind))),
    ]


def _texts() -> list[Step]:
    tokens = tokenize(_DASHBOARD)
    raw, short = _DASHBOARD.encode(), f"{conversation.SQL}57".encode()
    analyses = Analyses(10)
    known = analyses.script(Text(raw, True, "utf-8"))
    another = Text(_DASHBOARD.replace("'30 days'", "'31 days'").encode(), True, "utf-8")
    found = analyses.find(another).finding.script
    assert found is not known and found.statements[0] is known.statements[0]
    return [
        Step("text", f"lex a dashboard query ({len(raw)} bytes)", lambda: tokenize(_DASHBOARD)),
        Step("text", "normalise it", lambda: normalise(_DASHBOARD, tokens)),
        Step("text", "all about it, with its lexing", lambda: read_script(raw)),
        Step("text", "the same with other constants", lambda: analyses.find(another)),
        Step("text", "all about a one-row SELECT", lambda: read_script(short)),
    ]


def _decisions() -> list[Step]:
    engine = conversation.build_engine()
    database = engine.database(DATABASE)
    state = open_session(engine).state
    script = engine.script(_DASHBOARD.encode(), True, "UTF8")
    snapshot, view, lifetimes = database.snapshot, View(("public",), "u"), engine.lifetimes
    assert snapshot is not None
    one = script.statements[0]
    key = (b"bench", b"f" * 16, script.key_text)
    return [
        Step(
            "decision",
            "plan the dashboard query (once a text)",
            lambda: plan_read(one, script.hints, view, snapshot, lifetimes),
        ),
        Step("decision", "decide it, planned before", lambda: ask(state, script)),
        Step("decision", "its key", lambda: build_key(*key)),
    ]


def _hits() -> list[Step]:
    engine = conversation.build_engine()
    simple, bind = simple_turn(), bind_turn()
    fast, fast_bind = open_session(engine), open_session(engine)
    slow, slow_bind = open_session(engine, ttl="1h"), open_session(engine, ttl="1h")
    for session in (fast_bind, slow_bind):
        prepare(session)
    for session in (fast, slow):
        _warm(session, simple, SIMPLE_REPLY)
    for session in (fast_bind, slow_bind):
        _warm(session, bind, EXTENDED_REPLY)
    batch = bind.removesuffix(conversation.SYNC) * _BATCH + conversation.SYNC
    for session in (fast_bind, slow_bind):
        session.from_client(batch)  # from here on it looks for others

    def another() -> None:
        """A value that was not asked for before: its entry is there, and was never hit."""
        state.engine.lanes.forget(lane, turn)
        entry.hits = entry.credited = 0
        fast_bind.from_client(bind)

    state, lane = fast_bind.state, fast_bind._fast._named[b"P0"]
    turn = bind[bind.index(0, 6) :]
    entry = lane[turn].entry
    return [
        Step("hit", "Query, fast lane", lambda: fast.from_client(simple)),
        Step("hit", "Bind …, other parameters", another),
        Step("hit", "Bind …, fast lane", lambda: fast_bind.from_client(bind)),
        Step("hit", "one of 10 in a pipeline", lambda: fast_bind.from_client(batch), _BATCH),
        Step("hit", "Query, slow lane", lambda: slow.from_client(simple)),
        Step("hit", "Bind …, slow lane", lambda: slow_bind.from_client(bind)),
        Step(
            "hit",
            "one of 10 in a pipeline, slow lane",
            lambda: slow_bind.from_client(batch),
            _BATCH,
        ),
    ]


def _warm(session: Session, turn: bytes, reply: bytes) -> None:
    """Ask until the answer is a hit at the first look."""
    for _ in range(2):
        session.from_client(turn)
        if session.state.groups:
            session.from_origin(reply)
    session.from_client(turn)
    if session.state.groups:
        raise RuntimeError("what was to be a hit was forwarded")


def _forwards() -> list[Step]:
    simple, bind = simple_turn(), bind_turn()
    engine = conversation.build_engine()
    off, off_bind = open_session(engine, mode="off"), open_session(engine, mode="off")
    plain, plain_bind = open_session(None), open_session(None)
    missing = open_session(engine, mode="refresh")
    for session in (off_bind, plain_bind):
        prepare(session)
    slow, reader = open_session(engine, mode="off"), open_session(engine)
    slow._fast.is_enabled = False
    begin, commit = build_query("BEGIN"), build_query("COMMIT")

    def transaction() -> None:
        forward(reader, begin, BEGUN)
        reader.from_client(simple)
        forward(reader, commit, COMMITTED)

    forward(reader, simple, SIMPLE_REPLY)

    def step(title: str, session: Session, turn: bytes, reply: bytes) -> Step:
        return Step("forward", title, lambda: forward(session, turn, reply))

    return [
        step("Query and reply, enabled=false", plain, simple, SIMPLE_REPLY),
        step("Bind … and reply, enabled=false", plain_bind, bind, EXTENDED_REPLY),
        step("Query and reply, mode=off", off, simple, SIMPLE_REPLY),
        step("Bind … and reply, mode=off", off_bind, bind, EXTENDED_REPLY),
        step("Query and reply, recorded and stored", missing, simple, SIMPLE_REPLY),
        step("Query and reply, slow lane", slow, simple, SIMPLE_REPLY),
        Step("forward", "BEGIN, a hit, COMMIT", transaction),
    ]


def _rows() -> list[Step]:
    """A large reply in chunks as they come from a socket; the cost of each row."""
    reply = conversation.DESCRIPTION + ROW * _ROWS + DONE + READY
    size = 64 * 1024
    chunks = [reply[at : at + size] for at in range(0, len(reply), size)]
    turn = simple_turn()
    engine = conversation.build_engine()

    def walk(session: Session) -> None:
        session.from_client(turn)
        for chunk in chunks:
            session.from_origin(chunk)

    off, missing = open_session(engine, mode="off"), open_session(engine, mode="refresh")
    return [
        Step("rows", "one of 1,000 forwarded", lambda: walk(off), _ROWS),
        Step("rows", "one of 1,000 recorded", lambda: walk(missing), _ROWS),
    ]


if __name__ == "__main__":
    sys.exit(asyncio.run(run()))

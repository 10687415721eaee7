"""What was forwarded and is not answered yet: groups, and the executions in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from pgcache.errors.reasons import Reason
from pgcache.invalidation.writes import Doing, Group
from pgcache.policy.effects import Effects
from pgcache.proxy.capture import Capture
from pgcache.proxy.prepared import Portal, Prepared
from pgcache.sql.model import Kind, Script, Statement

READS = frozenset((Kind.SELECT, Kind.SHOW, Kind.EXPLAIN))
# A query that was forwarded, and why it was not looked up; None where it was.
Asked = tuple[Script, Reason | None]


class Turn(Group):
    """A group as the proxy sees it.

    ``executed``: statements that ran so far. ``chained``: the only one was COMMIT or ROLLBACK
    with AND CHAIN. ``captures``: recordings to be settled at its ReadyForQuery. ``gid``: what
    PREPARE TRANSACTION named. ``in_block``: it surely starts inside a transaction block.
    ``pins``: it takes locks. ``shifts``: it may change what names resolve under.
    ``opens``: BEGIN is in it.
    ``renames``: it may change by SQL which prepared statements there are. ``started``: when its
    first message was forwarded, in monotonic seconds. ``asked``: the queries in it, for their
    statistics, and where slow statements are logged the others too.
    """

    __slots__ = (
        "asked",
        "captures",
        "chained",
        "executed",
        "gid",
        "in_block",
        "opens",
        "pins",
        "renames",
        "shifts",
        "started",
    )

    def __init__(self, started: float = 0.0) -> None:
        super().__init__()
        self.started = started
        self.asked: list[Asked] = []
        self.executed = 0
        self.chained = False
        self.captures: list[Capture] = []
        self.gid = ""
        self.in_block = False
        self.opens = False
        self.pins = False
        self.shifts = False
        self.renames = False

    @property
    def is_needed(self) -> bool:
        """Whether it may write, or other sessions wait for something it brings."""
        return not self.reads_only or any(
            c.lead is not None and c.lead.followers > 0 for c in self.captures
        )


class Execution:
    """One Query or Execute on its way: its statements in order, and what each may change.

    ``unnamed``: the unnamed statement that a Query drops, unless the origin ignores it, and
    whether the origin has one. ``before``: what its group might do without it and what follows.
    """

    __slots__ = (
        "before",
        "capture",
        "effects",
        "epoch",
        "index",
        "maximum",
        "portal",
        "statements",
        "turn",
        "unnamed",
    )

    def __init__(
        self,
        turn: Turn,
        statements: tuple[Statement, ...],
        *,
        portal: Portal | None = None,
        maximum: int = 0,
    ) -> None:
        self.turn = turn
        self.statements = statements
        self.portal = portal
        self.maximum = maximum
        self.epoch = -1  # of the definitions when it was sent
        self.effects: tuple[Effects, ...] = ()
        self.capture: Capture | None = None
        self.index = 0
        self.unnamed: tuple[Prepared | None, bool] = (None, False)
        self.before: Doing = (turn.writes, turn.schema, turn.ends)


def is_read(statement: Statement, effects: Effects) -> bool:
    """Whether it does nothing but read, or open a transaction to read in."""
    return (
        (statement.kind in READS or is_plain_begin(statement))
        and not effects.writes
        and not (effects.schema or effects.taints or effects.temporary or effects.pins)
    )


def is_plain_begin(statement: Statement) -> bool:
    """Whether it opens a transaction that sees the same rows as none would."""
    modes = statement.settings
    return statement.kind is Kind.BEGIN and all(m.name == "transaction_read_only" for m in modes)


def fail_captures(turns: Iterable[Turn]) -> None:
    """Nothing that is being recorded will be whole."""
    for turn in turns:
        for capture in turn.captures:
            capture.fail(Reason.UNCACHEABLE_REPLY)


def release_followers(turns: Iterable[Turn]) -> None:
    """Have those who wait for what is being recorded go on by themselves; it may still be kept."""
    for turn in turns:
        for capture in turn.captures:
            capture.let_go()


def is_awaited(turns: deque[Turn], unsynced: Turn | None, cut_short: bool) -> bool:
    """Whether the outcome of one matters although the client has gone.

    One without its Sync will not commit, nor does the last one run when ``cut_short``: the rest of
    its message will never come.
    """
    unfinished = turns[-1] if cut_short and turns else None
    return any(t.is_needed for t in turns if t is not unsynced and t is not unfinished)

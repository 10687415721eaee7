"""Random schedules of clients that read and write one table, their backends and their answers.

Each client waits for its answer before it asks again; backends run and answers travel when the
schedule says so. Every read is checked against what it may and must show.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.proxy.rig import Line, Rig, whole_run
from tests.support.frames import Splitter, query, row_values

READ = "select v from t"


@dataclass(frozen=True, slots=True)
class Move:
    """One step: a client asks ``what`` if it can; then its backend runs, and its answer travels.

    ``then``: '' neither, 'run' only the one, 'finish' both.
    """

    who: int
    what: str
    then: str


QUESTIONS = st.sampled_from(
    [
        *("read", "read", "read", "prepared read", "forced read"),
        *("insert", "insert", "begin", "commit", "rollback"),
    ]
)
MOVES = st.lists(
    st.builds(
        Move,
        st.integers(0, 2),
        QUESTIONS,
        st.sampled_from(["", "run", "run", "finish", "finish"]),
    )
    | st.builds(Move, st.integers(0, 2), st.just(""), st.sampled_from(["run", "finish"])),
    min_size=10,
    max_size=40,
)


@dataclass(slots=True)
class Player:
    """One client: ``asked`` is what it waits for, ``must`` what the answer must show."""

    line: Line
    asked: str = ""
    value: bytes = b""
    must: frozenset[bytes] = frozenset()
    rows: set[bytes] = field(default_factory=set)
    seen: frozenset[bytes] = frozenset()  # of others, when it read last
    written: set[bytes] = field(default_factory=set)  # in its open transaction
    replies: bytes = b""  # said by the backend, not heard by the session
    splitter: Splitter = field(default_factory=Splitter)


class Schedule:
    """Plays moves and checks what clients hear."""

    def __init__(self, rig: Rig, clients: int = 3) -> None:
        self.rig = rig
        self.players = [Player(rig.line()) for _ in range(clients)]
        for player in self.players:
            player.line.origin.is_held = True
        self.acknowledged = {b"one", b"two"}
        self.numbers = itertools.count()

    async def play(self, moves: list[Move]) -> None:
        """Play them, then let everything end."""
        for move in moves:
            await self.move(self.players[move.who], move.what, move.then)
        for _ in range(4):
            for player in self.players:
                await self.move(player, "", "finish")
        assert [player.asked for player in self.players] == [""] * len(self.players), "stuck"

    async def move(self, player: Player, what: str, then: str) -> None:
        if what and not player.asked:
            self.ask(player, what)
            await self.rig.rest()
        if then:
            player.replies += player.line.origin.backend.feed(player.line.origin.take())
        if then == "finish":
            replies, player.replies = player.replies, b""
            player.line.origin.say(replies)
        await self.rig.rest()
        for other in self.players:
            self.hear(other)

    def ask(self, player: Player, what: str) -> None:
        player.asked, player.rows = what, set()
        player.must = frozenset(self.acknowledged | player.written)
        if what == "prepared read":
            player.line.says(whole_run(READ))
            return
        player.value = b"w%d" % next(self.numbers)
        texts = {
            "read": READ,
            "forced read": f"/* pgcache: off */ {READ}",
            "insert": f"insert into t values ('{player.value.decode()}')",
        }
        player.line.says(query(texts.get(what, what)))

    def hear(self, player: Player) -> None:
        for frame in player.splitter.feed(player.line.client.take()):
            if frame.kind == "D":
                (value,) = row_values(frame.body)
                assert value is not None
                player.rows.add(value)
            elif frame.kind == "Z":
                self.answered(player, frame.body)

    def answered(self, player: Player, status: bytes) -> None:
        what, player.asked = player.asked, ""
        if what.endswith("read"):
            self.check(player)
        elif what == "insert":
            player.written.add(player.value)
        elif what == "rollback":
            player.written.clear()
        if status == b"I":
            self.acknowledged |= player.written
            player.written.clear()

    def check(self, player: Player) -> None:
        rows = frozenset(player.rows)
        assert player.must <= rows, "older than what was acknowledged before it was asked (P3)"
        assert player.seen <= rows, "older than what this session has seen (T-10)"
        committed = frozenset(self.rig.world.tables["public.t"])
        assert rows <= committed | player.written, "never committed (T-05)"
        player.seen = rows - player.written

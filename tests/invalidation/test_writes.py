"""The ledger of writes, by example and against a database that commits behind its back."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pgcache.cache.generations import Generations, Lock, Vector
from pgcache.catalog.model import EVERYTHING, Tags
from pgcache.invalidation.writes import NOTHING, Group, WriteLedger, union

ORDERS, LINES = 1, 2


class Desk:
    """One session's ledger over generations, and entries captured at the beginning."""

    def __init__(self, generations: Generations | None = None) -> None:
        self.generations = generations or Generations()
        self.changes = 0
        self.ledger = WriteLedger(self.generations, self._changed)
        self.vectors = {tag: self.generations.capture((tag,)) for tag in (ORDERS, LINES)}

    def _changed(self) -> None:
        self.changes += 1

    def run(
        self,
        writes: Tags = NOTHING,
        *,
        schema: bool = False,
        ends: bool = False,
        in_block: bool = False,
        group: Group | None = None,
    ) -> Group:
        group = group or Group()
        self.ledger.will_run(group, writes, schema=schema, ends=ends, in_block=in_block)
        return group

    def ready(self, group: Group, *, in_block: bool = False, chained: bool = False) -> None:
        self.ledger.ready(group, in_block=in_block, chained=chained)

    def live(self) -> set[int]:
        """The tags whose first entries may be served."""
        return {
            tag
            for tag, vector in self.vectors.items()
            if vector is not None and self.generations.is_current((tag,), vector)
        }

    def locked(self) -> object:
        return self.generations.locked_tags()


def test_what_was_written_beyond_the_lock_moves_as_well() -> None:
    """The lock's end says of its own tags alone that they moved."""
    desk = Desk()
    group = desk.run(frozenset({ORDERS}))
    group.writes = frozenset({ORDERS, LINES})
    desk.ready(group)
    assert desk.live() == set()
    assert not desk.locked()


def test_union() -> None:
    one, two = frozenset({1}), frozenset({2})
    assert union(one, two) == frozenset({1, 2})
    assert union(one, NOTHING) is one
    assert union(NOTHING, two) is two
    assert union(one, EVERYTHING) is EVERYTHING
    assert union(EVERYTHING, one) is EVERYTHING


def test_T10_a_write_is_locked_until_its_outcome_is_known() -> None:
    desk = Desk()
    group = desk.run(frozenset({ORDERS}))
    assert desk.locked() == {ORDERS}
    assert desk.generations.capture((ORDERS,)) is None
    assert desk.live() == {LINES}
    desk.ready(group)
    assert desk.locked() == frozenset()
    assert desk.live() == {LINES}
    assert desk.generations.capture((ORDERS,)) is not None


def test_a_failed_write_changes_nothing() -> None:
    desk = Desk()
    group = desk.run(frozenset({ORDERS}))
    group.errored = True
    desk.ready(group)
    assert desk.live() == {ORDERS, LINES}


@pytest.mark.parametrize("what", ["ends", "schema"])
def test_T15_a_failure_that_may_have_committed_counts(what: str) -> None:
    desk = Desk()
    group = desk.run(frozenset({ORDERS}), ends=what == "ends", schema=what == "schema")
    group.errored = True
    desk.ready(group)
    assert ORDERS not in desk.live()
    assert desk.locked() == frozenset()


def test_T06_a_transaction_locks_nothing_until_it_commits() -> None:
    desk = Desk()
    write = desk.run(frozenset({ORDERS}), in_block=True)
    assert desk.live() == {ORDERS, LINES}
    desk.ready(write, in_block=True)
    assert desk.live() == {ORDERS, LINES}
    commit = desk.run(ends=True, in_block=True)
    assert desk.locked() == {ORDERS}
    desk.ready(commit)
    assert ORDERS not in desk.live()
    assert desk.ledger.pending == NOTHING


@pytest.mark.parametrize("chained", [False, True])
def test_T06_a_rollback_invalidates_nothing(chained: bool) -> None:
    desk = Desk()
    desk.ready(desk.run(frozenset({ORDERS}), in_block=True), in_block=True)
    rollback = Group()
    rollback.rolled_back = True
    desk.ready(rollback, in_block=chained, chained=chained)
    assert desk.live() == {ORDERS, LINES}
    assert desk.ledger.pending == NOTHING


def test_T07_a_commit_that_rolls_back_invalidates_nothing() -> None:
    desk = Desk()
    desk.ready(desk.run(frozenset({ORDERS}), in_block=True), in_block=True)
    commit = desk.run(ends=True, in_block=True)
    commit.rolled_back = True  # its tag was ROLLBACK: the transaction had failed
    desk.ready(commit)
    assert desk.live() == {ORDERS, LINES}


def test_T07_commit_and_chain_commits() -> None:
    desk = Desk()
    desk.ready(desk.run(frozenset({ORDERS}), in_block=True), in_block=True)
    desk.ready(desk.run(ends=True, in_block=True), in_block=True, chained=True)
    assert ORDERS not in desk.live()
    assert desk.ledger.pending == NOTHING


def test_T06_a_savepoint_keeps_the_writes() -> None:
    desk = Desk()
    desk.ready(desk.run(frozenset({ORDERS}), in_block=True), in_block=True)
    desk.ready(Group(), in_block=True)  # ROLLBACK TO
    desk.ready(desk.run(frozenset({LINES}), in_block=True), in_block=True)
    desk.ready(desk.run(ends=True, in_block=True))
    assert desk.live() == set()


def test_a_group_that_commits_and_begins_anew_counts_for_both() -> None:
    desk = Desk()
    desk.ready(desk.run(frozenset({ORDERS}), ends=True), in_block=True)
    assert ORDERS not in desk.live()
    assert desk.ledger.pending == frozenset({ORDERS})


def test_T18_pipelined_groups_lock_what_any_of_them_may_commit() -> None:
    desk = Desk()
    begin, write = desk.run(), desk.run(frozenset({ORDERS}))
    commit = desk.run(ends=True)
    desk.ready(begin, in_block=True)
    desk.ready(write, in_block=True)
    assert desk.locked() == {ORDERS}
    desk.ready(commit)
    assert desk.locked() == frozenset()
    assert ORDERS not in desk.live()


def test_a_lock_grows_with_its_group() -> None:
    desk = Desk()
    group = desk.run(frozenset({ORDERS}))
    desk.run(frozenset({ORDERS}), group=group)
    desk.run(frozenset({LINES}), group=group)
    assert desk.locked() == {ORDERS, LINES}
    desk.run(EVERYTHING, group=group)
    assert desk.locked() is None
    desk.run(frozenset({LINES}), group=group)
    desk.ready(group)
    assert desk.locked() == frozenset()
    assert ORDERS not in desk.live()


def test_T10_owners_do_not_release_each_other() -> None:
    generations = Generations()
    mine, yours = Desk(generations), Desk(generations)
    first, second = mine.run(frozenset({ORDERS})), yours.run(frozenset({ORDERS}))
    first.errored = True
    mine.ready(first)
    assert mine.locked() == {ORDERS}
    yours.ready(second)
    assert mine.locked() == frozenset()
    assert ORDERS not in mine.live()


def test_C40_definitions_are_told_once_the_generations_moved() -> None:
    desk = Desk()
    desk.ready(desk.run(EVERYTHING, schema=True, in_block=True), in_block=True)
    assert (desk.changes, desk.ledger.pending_schema) == (0, True)
    desk.ready(desk.run(ends=True, in_block=True))
    assert (desk.changes, desk.ledger.pending_schema) == (1, False)


def test_T15_a_lost_connection_counts_as_committed_and_keeps_its_locks() -> None:
    desk = Desk()
    desk.run(frozenset({ORDERS}), schema=True)
    locks = desk.ledger.abandon()
    assert desk.locked() == {ORDERS}
    assert desk.changes == 1
    assert desk.generations.capture((ORDERS,)) is None
    desk.ledger.release(locks)
    assert desk.locked() == frozenset()
    assert ORDERS not in desk.live()


def test_T06_a_connection_lost_before_commit_changes_nothing() -> None:
    desk = Desk()
    desk.ready(desk.run(frozenset({ORDERS}), in_block=True), in_block=True)
    assert desk.ledger.abandon() == []
    assert desk.live() == {ORDERS, LINES}
    assert desk.ledger.pending == NOTHING


def test_a_group_without_writes_locks_nothing_and_is_forgotten() -> None:
    desk = Desk()
    before = desk.generations.version
    for _ in range(3):
        desk.ready(desk.run(ends=True, in_block=True))
    assert desk.generations.version == before
    assert desk.ledger.abandon() == []


# -- against a model


STATEMENTS = st.lists(
    st.sampled_from(["w1", "begin", "commit", "rollback"])
    | st.sampled_from(["w2", "w3", "savepoint", "error", "ddl"])
    | st.sampled_from(["commit chain", "rollback chain", "commit fails"]),
    min_size=1,
    max_size=3,
)
WHICH = st.integers(0, 1)


@dataclass
class Sent:
    """A group on its way: its statements, and what the origin made of them."""

    statements: list[str]
    group: Group = field(default_factory=Group)
    ran: bool = False
    in_block: bool = False
    chained: bool = False
    committed: set[int] = field(default_factory=set)  # made visible before the client hears of it


class Client:
    """One session: the origin's side of it, and the proxy's ledger."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger = WriteLedger(world.generations, lambda: None)
        # at the origin
        self.block = ""  # '', 'open' or 'failed'
        self.written: set[int] = set()
        self.running = Sent([])
        # at the proxy
        self.status = ""
        self.groups: list[Sent] = []

    def send(self, statements: list[str]) -> None:
        """Account as ``proxy/forward`` does, statement by statement."""
        sent = Sent(statements)
        in_block = bool(self.status) and not self.groups
        self.groups.append(sent)
        for text in statements:
            writes: Tags = frozenset({int(text[1:])}) if text[0] == "w" else NOTHING
            writes = EVERYTHING if text == "ddl" else writes
            schema, ends = text == "ddl", text in ("commit", "commit fails", "commit chain")
            if writes or schema or ends:
                self.ledger.will_run(
                    sent.group, writes, schema=schema, ends=ends, in_block=in_block
                )
            if text in ("rollback", "rollback chain"):
                in_block = False

    def run(self) -> None:
        """Let the origin run its next group."""
        sent = next(sent for sent in self.groups if not sent.ran)
        self.running = sent
        for executed, text in enumerate(sent.statements, 1):
            tag = self._execute(text)
            if tag == "ERROR":
                sent.group.errored = True
                break
            sent.group.rolled_back = tag == "ROLLBACK" and executed == 1
            sent.chained = text.endswith(" chain") and executed == 1
        if not self.block:
            self._finish(committed=not sent.group.errored)
        sent.ran, sent.in_block = True, bool(self.block)

    def _execute(self, text: str) -> str:
        ends = text.startswith(("commit", "rollback"))
        if text == "error" or (self.block == "failed" and not ends):
            return self._fail()
        if text == "begin":
            self.block = "open"
        elif ends:
            return self._end(text)
        elif text == "ddl":
            self.written |= self.world.tags
        elif text[0] == "w":
            self.written.add(int(text[1:]))
        return "OK"

    def _fail(self) -> str:
        self.written.clear()
        self.block = "failed" if self.block else ""
        return "ERROR"

    def _end(self, text: str) -> str:
        was_open = self.block == "open" or (not self.block and not text.endswith(" chain"))
        if not self.block and text.endswith(" chain"):
            return self._fail()  # AND CHAIN wants a transaction block
        failed = self.block == "failed"
        self.block = ""
        if text == "commit fails" and was_open:
            self.written.clear()  # a deferred constraint, say
            return "ERROR"
        self._finish(committed=text.startswith("commit") and not failed)
        self.block = "open" if text.endswith(" chain") else ""
        return "ROLLBACK" if failed or text.startswith("rollback") else "COMMIT"

    def _finish(self, *, committed: bool) -> None:
        if committed:
            self.world.commit(self.written)
            self.running.committed |= self.written
        self.written = set()

    def hear(self) -> None:
        """The proxy hears of the first group, then the client does."""
        sent = self.groups.pop(0)
        self.status = "T" if sent.in_block else ""
        self.ledger.ready(sent.group, in_block=sent.in_block, chained=sent.chained)

    def finish(self) -> None:
        """Run and hear all that is underway."""
        while self.groups:
            if not self.groups[0].ran:
                self.run()
            self.hear()


@dataclass
class Entry:
    """Something captured, and the versions of its tables at that moment."""

    tags: tuple[int, ...]
    vector: Vector
    versions: dict[int, int]


class World(RuleBasedStateMachine):
    """Two sessions that write in all ways, entries captured in between, connections lost."""

    tags = frozenset({1, 2, 3})

    def __init__(self) -> None:
        super().__init__()
        self.generations = Generations()
        self.versions = dict.fromkeys(self.tags, 0)
        self.entries: list[Entry] = []
        self.clients = [Client(self), Client(self)]
        self.gone: list[tuple[Client, list[Lock]]] = []

    def commit(self, written: set[int]) -> None:
        for tag in written:
            self.versions[tag] += 1

    # what happens

    @rule(which=WHICH, statements=STATEMENTS)
    def exchange(self, which: int, statements: list[str]) -> None:
        client = self.clients[which]
        client.send(statements)
        client.finish()

    @rule(which=WHICH, statements=STATEMENTS)
    def send(self, which: int, statements: list[str]) -> None:
        self.clients[which].send(statements)

    @rule(which=WHICH)
    def run(self, which: int) -> None:
        if any(not sent.ran for sent in self.clients[which].groups):
            self.clients[which].run()

    @rule(which=WHICH)
    def hear(self, which: int) -> None:
        groups = self.clients[which].groups
        if groups and groups[0].ran:
            self.clients[which].hear()

    @rule(tags=st.sampled_from([(1,), (2,), (1, 2), (2, 3)]))
    def capture(self, tags: tuple[int, ...]) -> None:
        vector = self.generations.capture(tags)
        if vector is not None:
            self.entries.append(Entry(tags, vector, {tag: self.versions[tag] for tag in tags}))

    @rule(which=WHICH)
    def lose(self, which: int) -> None:
        client = self.clients[which]
        self.gone.append((client, client.ledger.abandon()))
        self.clients[which] = Client(self)

    @precondition(lambda self: self.gone)
    @rule(runs=st.integers(0, 3))
    def end_backend(self, runs: int) -> None:
        client, locks = self.gone.pop()
        for _ in range(min(runs, sum(not sent.ran for sent in client.groups))):
            client.run()
        client.ledger.release(locks)

    # what must hold

    @invariant()
    def nothing_older_than_a_commit_is_served(self) -> None:
        for entry in self.entries:
            if self.generations.is_current(entry.tags, entry.vector):
                assert entry.versions == {tag: self.versions[tag] for tag in entry.tags}

    @invariant()
    def what_nobody_has_heard_of_is_locked(self) -> None:
        clients = [*self.clients, *(client for client, _ in self.gone)]
        unheard = {tag for client in clients for sent in client.groups for tag in sent.committed}
        for tag in unheard:
            assert self.generations.capture((tag,)) is None

    def teardown(self) -> None:
        while self.gone:
            self.end_backend(3)
        for client in self.clients:
            client.finish()
        assert self.generations.locked_tags() == frozenset()


World.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestWorld = World.TestCase

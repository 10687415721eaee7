"""The ledger of owed replies: by example, and against a list that does everything naively."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pgcache.wire.ledger import (
    BIND,
    CALL,
    CLOSE,
    COPY_END,
    DESCRIBE,
    EXECUTE,
    PARSE,
    QUERY,
    SYNC,
    Ledger,
    Owed,
)

NAMES = dict(
    zip(
        (PARSE, BIND, CLOSE, DESCRIBE, EXECUTE, QUERY, CALL, SYNC, COPY_END),
        "PBCDEQFS.",
        strict=True,
    )
)
CODES = {letter: code for code, letter in NAMES.items()}


def ledger_of(letters: str) -> Ledger:
    ledger = Ledger()
    for letter in letters:
        if letter == ".":
            ledger.copy_ended()
        else:
            ledger.push(CODES[letter])
    return ledger


def modes(ledger: Ledger) -> tuple[bool, bool]:
    return ledger.skipping, ledger.copy_in


def said(owed: list[Owed]) -> str:
    return "".join(NAMES[code] for code, _, _ in owed)


def owed_by(ledger: Ledger) -> str:
    return said(list(ledger.owed))


def test_a_new_ledger_owes_nothing() -> None:
    ledger = Ledger()
    assert ledger.is_empty
    assert ledger.head is None
    assert ledger.fail() == []
    assert repr(ledger_of("PS")) == "Ledger([1 8] skipping=False copy_in=False)"


def test_W60_an_error_drops_everything_up_to_sync() -> None:
    ledger = ledger_of("PBES" + "PBES")
    assert said(ledger.fail()) == "PBE"
    assert owed_by(ledger) == "SPBES"
    assert not ledger.skipping


def test_W60_what_follows_an_error_without_sync_is_not_owed() -> None:
    ledger = ledger_of("PBE")
    assert said(ledger.fail()) == "PBE"
    assert modes(ledger) == (True, False)
    assert not ledger.is_empty
    assert [ledger.push(CODES[letter]) for letter in "PQFC"] == [False] * 4
    assert ledger.push(SYNC)
    assert modes(ledger) == (False, False)
    assert owed_by(ledger) == "S"


def test_W66_a_failed_query_still_ends_in_ready() -> None:
    for letter in "QFS":
        ledger = ledger_of(letter + "PS")
        assert ledger.fail() == []
        assert owed_by(ledger) == letter + "PS"


def test_W71_a_copy_ignores_syncs_that_were_sent_before_its_end() -> None:
    ledger = ledger_of("ES.S")
    assert said(ledger.begin_copy_in()) == "S"
    assert owed_by(ledger) == "ES"
    assert not ledger.copy_in


def test_W71_a_copy_ignores_syncs_while_it_lasts() -> None:
    ledger = ledger_of("ES")
    assert said(ledger.begin_copy_in()) == "S"
    assert modes(ledger) == (False, True)
    assert not ledger.push(SYNC)
    ledger.copy_ended()
    assert modes(ledger) == (False, False)
    assert ledger.push(SYNC)
    assert owed_by(ledger) == "ES"


def test_W71_a_failed_copy_waits_for_a_sync_after_it() -> None:
    ledger = ledger_of("E")
    ledger.begin_copy_in()
    assert said(ledger.fail()) == "E"
    assert ledger.skipping
    assert not ledger.copy_in


def test_each_end_belongs_to_one_copy() -> None:
    ledger = ledger_of("Q..Q")
    assert ledger.begin_copy_in() == []
    assert owed_by(ledger) == "Q.Q"
    assert ledger.begin_copy_in() == []
    assert owed_by(ledger) == "QQ"
    assert not ledger.copy_in


def test_an_end_without_a_copy_does_not_keep_the_ledger_open() -> None:
    ledger = ledger_of("Q.")  # the copy failed at once, and CopyDone was underway already
    ledger.pop()
    assert ledger.is_empty
    ledger = ledger_of("P.E")
    ledger.pop()
    assert ledger.head == (EXECUTE, None, False)
    assert ledger_of(".").is_empty


class LedgerAgainstAList(RuleBasedStateMachine):
    """Pushes and replies in any order; the model keeps messages with what became of each."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.waiting: list[tuple[int, int]] = []  # code, number
        self.skipping = False
        self.copying = False
        self.number = 0

    @rule(code=st.sampled_from([PARSE, BIND, CLOSE, DESCRIBE, EXECUTE, QUERY, CALL, SYNC]))
    def push(self, code: int) -> None:
        self.number += 1
        accepted = self.ledger.push(code, self.number)
        if self.skipping and code == SYNC:
            self.skipping = False
        if self.skipping or (self.copying and code == SYNC):
            assert not accepted
        else:
            assert accepted
            self.waiting.append((code, self.number))

    @rule()
    def end_copy(self) -> None:
        self.ledger.copy_ended()
        if self.copying:
            self.copying = False
        elif self.waiting:
            self.waiting.append((COPY_END, 0))

    @precondition(lambda self: bool(self.waiting))
    @rule()
    def reply(self) -> None:
        head = self.ledger.head
        assert head is not None
        assert head[:2] == self.waiting[0]
        self.ledger.pop()
        self.drop_head()

    @precondition(lambda self: self.waiting and self.waiting[0][0] in (QUERY, EXECUTE))
    @rule()
    def begin_copy(self) -> None:
        ends = [index for index, (code, _) in enumerate(self.waiting) if code == COPY_END]
        until = ends[0] if ends else len(self.waiting)
        dropped = [entry for entry in self.waiting[:until] if entry[0] == SYNC]
        kept = [entry for entry in self.waiting[:until] if entry[0] != SYNC]
        self.waiting = kept + self.waiting[until + 1 :]
        self.copying = not ends
        assert [entry[:2] for entry in self.ledger.begin_copy_in()] == dropped

    @precondition(lambda self: bool(self.waiting))
    @rule()
    def fail(self) -> None:
        self.copying = False
        dropped: list[int] = []
        if self.waiting[0][0] not in (QUERY, CALL, SYNC):
            while self.waiting and self.waiting[0][0] != SYNC:
                dropped.append(self.waiting.pop(0)[1])
            self.skipping = not self.waiting
        assert [number or 0 for _, number, _ in self.ledger.fail()] == dropped

    def drop_head(self) -> None:
        del self.waiting[0]
        while self.waiting and self.waiting[0][0] == COPY_END:
            del self.waiting[0]

    @invariant()
    def they_agree(self) -> None:
        ledger = self.ledger
        assert [(code, item or 0) for code, item, _ in ledger.owed] == self.waiting
        assert (ledger.skipping, ledger.copy_in) == (self.skipping, self.copying)
        assert ledger.is_empty == (not (self.waiting or self.skipping or self.copying))
        assert ledger.head is None or ledger.head[0] != COPY_END
        assert not (ledger.skipping and ledger.owed)


LedgerAgainstAList.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
TestLedger = LedgerAgainstAList.TestCase

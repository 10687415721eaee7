"""Confirming entries: what the store says of their tokens, and of who else may be writing."""

from __future__ import annotations

import asyncio

import pytest

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Tag
from pgcache.cache.shared.confirm import Confirmer
from pgcache.cache.shared.contract import StoreChanged, StoreLost
from pgcache.cache.shared.deadlines import Deadlines
from pgcache.cache.shared.keys import spell
from tests.cache.conftest import MakeEntry
from tests.cache.shared.witness import ME, MOVED, NOW, OTHER, Witness, member, token


def entry_of(make_entry: MakeEntry, *tags: Tag) -> Entry:
    entry = make_entry(tags=tags)
    entry.shared = b"".join((token("*"), token("$"), *(spell(tag)[1:] * 16 for tag in tags)))
    return entry


async def ask(witness: Witness, *entries: Entry) -> list[bool]:
    confirmer, answers = Confirmer(witness), list[bool]()
    for entry in entries:
        confirmer.ask(entry, answers.append)
    assert answers == []
    for _ in range(5):
        await asyncio.sleep(0)
    return answers


async def test_what_is_asked_while_an_answer_is_underway_is_one_question(
    make_entry: MakeEntry,
) -> None:
    witness = Witness()
    one, both = entry_of(make_entry, 1), entry_of(make_entry, 2, 1)
    assert await ask(witness, one, both, one) == [True, True, True]
    assert witness.asked == [
        [b"p", b"q", b"t", b"x", b"*", b"$", b"r1"],
        [b"p", b"q", b"t", b"x", b"*", b"$", b"r2", b"r1"],
    ]
    assert (witness.link.counts.fetches, witness.link.counts.confirmed) == (2, 3)


async def test_without_a_connection_it_asks_in_the_other_way(make_entry: MakeEntry) -> None:
    witness = Witness()
    witness.is_connected = False
    assert await ask(witness, entry_of(make_entry, 1)) == [True]
    witness.state[b"r1"] = token("x")
    assert await ask(witness, entry_of(make_entry, 1)) == [False]
    witness.error = StoreLost("gone")
    assert await ask(witness, entry_of(make_entry, 1)) == [False]
    assert witness.is_doubted


@pytest.mark.parametrize(("field", "value"), MOVED)
async def test_whatever_is_not_as_it_was_is_not_confirmed(
    make_entry: MakeEntry, field: bytes, value: bytes | None
) -> None:
    witness, entry = Witness(), entry_of(make_entry, 1)
    if value is None:
        del witness.state[field]
    else:
        witness.state[field] = value
    assert await ask(witness, entry) == [False]
    assert not witness.is_doubted


async def test_an_order_kills_what_it_means_and_nothing_else(make_entry: MakeEntry) -> None:
    witness, entry, other = Witness(), entry_of(make_entry, 1), entry_of(make_entry, 2)
    other.key = b"another"
    order = token("o") + entry.key
    packed = len(order).to_bytes(4, "big") + order
    witness.state[b"x"] = token("o")
    witness.orders.take(token("o"), packed)
    assert await ask(witness, entry, other) == [False, True]
    entry.shared += token("o")
    assert await ask(witness, entry) == [True], "it was filled after the order"


async def test_the_members_are_looked_at_again_when_they_have_changed(
    make_entry: MakeEntry,
) -> None:
    witness, entry, answers = Witness(), entry_of(make_entry, 1), list[bool]()
    confirmer = Confirmer(witness)
    for until in (NOW + 1, NOW - 1, NOW + 1):
        witness.state[b"p"] = member(ME, NOW + 1000) + member(OTHER, until)
        confirmer.ask(entry, answers.append)
        for _ in range(8):
            await asyncio.sleep(0)
    assert answers == [True, False, True]


async def test_an_entry_without_tokens_of_the_store_is_not_confirmed(
    make_entry: MakeEntry,
) -> None:
    assert await ask(Witness(), make_entry(tags=(1,))) == [False]


@pytest.mark.parametrize(("error", "eras"), [(StoreLost("gone"), 0), (StoreChanged("new"), 1)])
async def test_a_store_that_fails_is_doubted(
    make_entry: MakeEntry, error: StoreLost, eras: int
) -> None:
    witness = Witness()
    witness.error = error
    assert await ask(witness, entry_of(make_entry, 1)) == [False]
    assert witness.is_doubted
    assert (witness.link.era, witness.link.counts.failures) == (eras, 1)


async def test_T13_an_answer_of_a_server_that_was_given_up_meanwhile_is_none(
    make_entry: MakeEntry,
) -> None:
    witness, answers = Witness(), list[bool]()
    Confirmer(witness).ask(entry_of(make_entry, 1), answers.append)
    witness.link.era += 1
    for _ in range(5):
        await asyncio.sleep(0)
    assert answers == [False]


async def test_an_answer_that_does_not_come_in_time_is_not_waited_for(
    make_entry: MakeEntry,
) -> None:
    witness, answer = Witness(), asyncio.get_running_loop().create_future()
    witness.is_silent = True
    witness.link.deadlines = Deadlines(0.0)
    Confirmer(witness).ask(entry_of(make_entry, 1), answer.set_result)
    assert await answer is False
    assert (witness.stopped, witness.is_doubted) == (1, True)


async def test_a_store_that_may_not_be_used_is_not_asked(make_entry: MakeEntry) -> None:
    witness = Witness()
    witness.is_usable = False
    assert await ask(witness, entry_of(make_entry, 1)) == [False]
    assert witness.asked == []


async def test_one_sessions_trouble_is_not_anothers(make_entry: MakeEntry) -> None:
    confirmer, answers = Confirmer(Witness()), list[bool]()

    def fail(_: bool) -> None:
        raise RuntimeError("broken")

    confirmer.ask(entry_of(make_entry, 1), fail)
    confirmer.ask(entry_of(make_entry, 2), answers.append)
    for _ in range(5):
        await asyncio.sleep(0)
    assert answers == [True]

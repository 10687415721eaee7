"""Single flight: who leads, who follows, who must run its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pgcache.cache.entry import Entry
from pgcache.cache.flights import Flights, Follow, Lead
from pgcache.cache.generations import Generations

MakeEntry = Callable[..., Entry]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flights(clock: Clock) -> Flights:
    return Flights(clock)


def lead(flights: Flights, generations: Generations, key: bytes = b"key") -> Lead:
    joined = flights.join(key, (1,), generations)
    assert isinstance(joined, Lead)
    return joined


def follow(
    flights: Flights,
    generations: Generations,
    landed: list[Entry | None],
    key: bytes = b"key",
) -> Follow:
    joined = flights.join(key, (1,), generations)
    assert isinstance(joined, Follow)
    joined.on_landing(landed.append)
    return joined


def test_one_leads_and_the_rest_get_its_entry(
    flights: Flights, generations: Generations, make_entry: MakeEntry
) -> None:
    landed: list[Entry | None] = []
    leader = lead(flights, generations)
    for _ in range(99):
        follow(flights, generations, landed)
    assert leader.followers == 99
    assert landed == []
    entry = make_entry()
    leader.finish(entry)
    assert landed == [entry] * 99
    assert len(flights) == 0


def test_other_keys_fly_apart(flights: Flights, generations: Generations) -> None:
    lead(flights, generations, b"a")
    lead(flights, generations, b"b")
    assert len(flights) == 2


def test_the_leader_fills_with_what_was_captured_at_its_start(
    flights: Flights, generations: Generations
) -> None:
    leader = lead(flights, generations)
    assert leader.vector == generations.capture((1,))
    generations.move([1])
    assert leader.vector != generations.capture((1,))


def test_who_comes_after_a_commit_does_not_follow_an_older_flight(
    flights: Flights, generations: Generations, make_entry: MakeEntry
) -> None:
    """T-17: the newcomer leads a flight of its own; earlier followers keep theirs."""
    early: list[Entry | None] = []
    late: list[Entry | None] = []
    old = lead(flights, generations)
    follow(flights, generations, early)
    generations.move([1])
    new = lead(flights, generations)
    follow(flights, generations, late)
    old_entry, new_entry = make_entry(), make_entry()
    old.finish(old_entry)
    assert (early, late) == ([old_entry], [])
    follow(flights, generations, late)
    new.finish(new_entry)
    assert late == [new_entry, new_entry]


def test_while_something_is_locked_everyone_runs_alone(
    flights: Flights, generations: Generations
) -> None:
    lead(flights, generations)
    lock = generations.lock(frozenset({1}))
    assert flights.join(b"key", (1,), generations) is None
    generations.unlock(lock, moved=False)
    assert isinstance(flights.join(b"key", (1,), generations), Follow)


def test_other_tags_under_one_key_do_not_share_a_flight(
    flights: Flights, generations: Generations
) -> None:
    lead(flights, generations)
    assert isinstance(flights.join(b"key", (1, 2), generations), Lead)


def test_a_failing_leader_lets_followers_go_on_and_the_first_then_leads(
    flights: Flights, generations: Generations
) -> None:
    """W-33, T-17: cancel of the leader fails nobody, and does not become a herd."""
    roles: list[Lead | Follow | None] = []
    leader = lead(flights, generations)
    for _ in range(3):
        joined = flights.join(b"key", (1,), generations)
        assert isinstance(joined, Follow)
        joined.on_landing(lambda _: roles.append(flights.join(b"key", (1,), generations)))
    leader.fail()
    assert [type(role) for role in roles] == [Lead, Follow, Follow]


def test_a_follower_that_left_is_not_called(
    flights: Flights, generations: Generations, make_entry: MakeEntry
) -> None:
    landed: list[Entry | None] = []
    leader = lead(flights, generations)
    follower = follow(flights, generations, landed)
    assert follower.started_at == 1000.0
    follower.leave()
    follower.leave()
    assert leader.followers == 0
    leader.finish(make_entry())
    assert landed == []
    assert follower.started_at == 0.0


def test_a_follower_that_leaves_while_others_are_called_is_not_called(
    flights: Flights, generations: Generations
) -> None:
    landed: list[Entry | None] = []
    leader = lead(flights, generations)
    first = follow(flights, generations, landed)
    second = follow(flights, generations, landed)
    first.on_landing(lambda _: second.leave())
    leader.fail()
    assert landed == []


def test_landing_twice_is_nothing(flights: Flights, generations: Generations) -> None:
    landed: list[Entry | None] = []
    leader = lead(flights, generations)
    follow(flights, generations, landed)
    leader.fail()
    next_leader = lead(flights, generations)
    leader.fail()
    assert landed == [None]
    assert len(flights) == 1
    assert repr(leader) == "<Lead 0 followers, landed>"
    assert repr(next_leader) == "<Lead 0 followers>"


def test_one_follower_in_trouble_does_not_strand_the_others(
    flights: Flights, generations: Generations
) -> None:
    landed: list[Entry | None] = []
    leader = lead(flights, generations)
    broken = follow(flights, generations, landed)
    follow(flights, generations, landed)

    def fail(_: Entry | None) -> None:
        raise RuntimeError("client gone")

    broken.on_landing(fail)
    with pytest.raises(ExceptionGroup, match="failed to go on"):
        leader.fail()
    assert landed == [None]


def test_a_follower_without_a_landing_is_just_let_go(
    flights: Flights, generations: Generations
) -> None:
    leader = lead(flights, generations)
    assert isinstance(flights.join(b"key", (1,), generations), Follow)
    leader.fail()
    assert len(flights) == 0


def test_what_is_not_cacheable_is_not_flown_for_a_while(
    flights: Flights, generations: Generations, clock: Clock
) -> None:
    flights.forgo(b"key", clock.now + 60)
    assert flights.join(b"key", (1,), generations) is None
    assert flights.is_forgone(b"key")
    clock.now += 60
    assert not flights.is_forgone(b"key")
    lead(flights, generations)


def test_what_is_remembered_not_to_fly_is_bounded(clock: Clock) -> None:
    flights = Flights(clock, max_forgone=2)
    for key in (b"a", b"b", b"a", b"c"):
        flights.forgo(key, clock.now + 60)
    assert [flights.is_forgone(key) for key in (b"a", b"b", b"c")] == [True, False, True]


def test_a_lead_is_given_only_where_nobody_flies(
    flights: Flights, generations: Generations
) -> None:
    first = flights.lead(b"key", (1,), generations)
    assert isinstance(first, Lead)
    assert flights.is_flying(b"key", (1,), generations)
    assert flights.lead(b"key", (1,), generations) is None
    assert first.followers == 0
    generations.move([1])
    assert not flights.is_flying(b"key", (1,), generations)
    assert isinstance(flights.lead(b"key", (1,), generations), Lead)
    generations.lock(frozenset({2}))
    assert flights.lead(b"other", (2,), generations) is None
    flights.forgo(b"third", 2000.0)
    assert flights.lead(b"third", (1,), generations) is None


def test_insisting_counts_once(clock: Clock) -> None:
    flights = Flights(clock, max_forgone=2)
    flights.insist(b"key")
    assert flights.is_insisted(b"key")
    assert not flights.is_insisted(b"key")
    for number in range(5):
        flights.insist(b"%d" % number)
    assert sum(flights.is_insisted(b"%d" % number) for number in range(5)) == 2

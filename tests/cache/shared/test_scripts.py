"""What Redis does in one step, done by a real one: membership, locks, fills."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from pgcache.cache.shared.codec import MAGIC
from pgcache.cache.shared.keys import build_keys
from pgcache.cache.shared.members import Member, parse_members
from pgcache.cache.shared.scripts import build_scripts
from tests.support.redis import Redises

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
KEYS = build_keys("pgcache", "database")
LEASE = 60_000
QUARANTINE = 90_000


class Desk:
    """Runs scripts as whoever it is told."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._scripts = build_scripts("tests")
        self.version = self.token = b""  # the orders that are known, and the entry's token by them

    def run(self, name: str, keys: list[bytes], *arguments: Any) -> list[Any]:
        """One script's answer."""
        script = self._scripts[name]
        answer: Any = self.client.eval(script.text.decode(), len(keys), *keys, *arguments)
        assert isinstance(answer, list)
        return answer

    def now(self) -> int:
        """The server's clock in ms."""
        return int(self.run("clock", [KEYS.state], A)[1])

    def join(
        self, who: bytes, *former: bytes, lease: int = LEASE, lost: str = "", late: int = 0,
        seen: bytes = b"",
    ) -> bytes:  # fmt: skip
        """Have somebody join; his answer."""
        deadline = self.now() + 10_000 - late
        found = self.run(
            "join", [KEYS.state, KEYS.channel], who, lease, 7, "00c0ffee", lost, who, QUARANTINE,
            deadline, seen, *former,
        )  # fmt: skip
        return bytes(found[0])

    def beat(self, who: bytes, *, lease: int = LEASE, late: int = 0, most: int = 1_000) -> bytes:
        """A sign of life."""
        deadline = self.now() + 10_000 - late
        own = KEYS.channel + b":" + who
        return bytes(
            self.run(
                "beat",
                [KEYS.state, own],
                who,
                lease,
                7,
                1,
                LEASE,
                "00c0ffee",
                deadline,
                QUARANTINE,
                most,
            )[0]
        )

    def settle(self) -> None:
        """The quarantine of a new state is over."""
        self.client.hdel(KEYS.base + b"state", "q")

    def members(self) -> dict[bytes, Member]:
        """All of them by id."""
        packed: Any = self.client.hget((KEYS.base + b"state").decode(), "p")
        return {member.id: member for member in parse_members(packed)}

    def fetch(
        self, who: bytes, tag: bytes = b"r1", *, wishes: str = "e", oldest: int = LEASE,
        at_hand: bytes = b"", grace: int = 0,
    ) -> list[Any]:  # fmt: skip
        """Ask for leave to fill; all share the definitions' token of A."""
        keys = [KEYS.state, KEYS.entry(b"e"), KEYS.lease(b"e")]
        return self.run(
            "fetch", keys, who, secrets.token_bytes(12), A, 0, oldest, wishes, b"f" * 16, LEASE,
            at_hand, self.version, self.token, grace, tag,
        )  # fmt: skip

    def lock(self, who: bytes, tag: bytes = b"r1") -> bytes:
        """Lock a tag as the owner of number 1."""
        found = self.run("lock", [KEYS.state, KEYS.channel], who, who + b"-0000001", 42, tag)
        return bytes(found[0])


@pytest.fixture(scope="module")
def server(redises: Redises) -> Iterator[redis.Redis]:
    made = redises.server()
    client = redis.Redis(made.host, made.port)
    yield client
    client.close()
    redises.discard(made)


@pytest.fixture
def desk(server: redis.Redis) -> Desk:
    server.flushall()
    return Desk(server)


def test_T14_an_empty_state_is_not_used_at_once(desk: Desk) -> None:
    assert desk.join(A) == b"ok"
    assert desk.fetch(A) == [b"absent"]
    desk.settle()
    assert desk.fetch(A)[0] == b"miss"


def test_T13_nor_is_one_of_another_server(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    before = desk.fetch(A)[1]
    assert desk.join(B, lost="s") == b"ok"
    assert desk.fetch(A) == [b"absent"]
    desk.settle()
    assert desk.fetch(A)[0] == b"schema"  # everything has moved, the definitions too
    assert desk.join(A) == b"ok"
    assert before not in desk.fetch(A)


def test_T14_what_renews_a_lease_comes_in_time_or_not_at_all(desk: Desk) -> None:
    assert desk.join(A, late=20_000) == b"late"
    assert desk.client.dbsize() == 0
    desk.join(A)
    before = desk.members()
    assert desk.beat(A, late=20_000) == b"late"
    assert desk.members() == before
    assert desk.beat(A) == b"ok"
    assert desk.members()[A].until >= before[A].until


def test_T14_a_clock_that_went_back_makes_no_lease_and_no_result_last_longer(desk: Desk) -> None:
    """B is cut off; by the clock it seems to be heard for an hour yet."""
    hour = 3_600_000
    desk.join(A)
    desk.join(B, lease=LEASE + hour)
    desk.settle()
    before = desk.fetch(A)[1]
    desk.client.hset((KEYS.base + b"state").decode(), "t", str(desk.now() + hour))
    desk.client.hset((KEYS.base + b"state").decode(), "q", str(desk.now() + hour))
    assert desk.fetch(A) == [b"absent"], "before anybody has seen to it"
    assert desk.beat(A, late=-hour) == b"late", "its deadline is of before, too"
    assert desk.beat(A) == b"ok"
    now = desk.now()
    assert all(member.until <= now + LEASE for member in desk.members().values())
    quarantine: Any = desk.client.hget((KEYS.base + b"state").decode(), "q")
    assert now < float(quarantine) <= now + QUARANTINE
    assert desk.fetch(A) == [b"absent"]
    desk.settle()
    assert desk.fetch(A)[1][:16] != before[:16], "what was stored before is dead"


def test_T13_tags_without_end_lose_their_tokens_and_locks_stay(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    desk.lock(A, b"r1")
    for number in range(300):
        assert desk.fetch(A, b"nmade up %d" % number)[0] == b"miss"
    state = (KEYS.base + b"state").decode()
    assert desk.beat(A) == b"ok"
    assert desk.client.hlen(state) > 300
    assert desk.beat(A, most=100) == b"ok"
    kept: Any = desk.client.hkeys(state)
    assert {b"p", b"*", b"$", b"t", b"r1", b"o" + A + b"-0000001"} == set(kept)
    assert desk.fetch(A) == [b"locked"]
    assert desk.fetch(A, b"nmade up 1")[0] == b"miss"


def test_a_clock_that_jitters_is_no_news(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    before = desk.fetch(A)[1]
    noted = desk.now() + 15
    desk.client.hset((KEYS.base + b"state").decode(), "t", str(noted))
    assert desk.join(B) == desk.beat(A) == b"ok"
    told: Any = desk.client.hget((KEYS.base + b"state").decode(), "t")
    assert int(told) >= noted, "it may go back by little at a time, and not add up"
    while desk.now() <= int(told):
        pass
    assert desk.fetch(A)[1] == before


def test_T14_nothing_is_served_while_a_member_is_absent(desk: Desk) -> None:
    desk.join(A)
    desk.join(B, lease=-1)
    desk.settle()
    assert desk.fetch(A) == [b"absent"]
    assert desk.beat(B) == b"ok"
    assert desk.fetch(A)[0] == b"miss"


def test_strangers_do_nothing(desk: Desk) -> None:
    desk.join(A)
    assert desk.fetch(B) == [b"gone"]
    assert desk.lock(B) == b"gone"
    assert desk.beat(B) == b"gone"
    assert set(desk.members()) == {A}


def test_T10_a_locked_tag_is_neither_served_nor_filled(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    before = desk.fetch(A)[1]
    assert desk.lock(A) == b"ok"
    assert desk.fetch(A) == [b"locked"]
    assert desk.fetch(A, b"r2")[0] == b"miss"
    desk.run("unlock", [KEYS.state, KEYS.channel], A, A + b"-0000001", b"r1")
    assert desk.fetch(A)[1] != before


def test_T14_who_was_seen_is_a_member_of_an_empty_state(desk: Desk) -> None:
    """He is cut off, say, and has not found out; or he joins under another name, and says so."""
    for who in (A, B, C):
        desk.join(who)
    state = (KEYS.base + b"state").decode()
    seen: Any = desk.client.hget(state, "p")
    desk.client.flushall()
    d, e = b"d" * 16, b"e" * 16
    assert desk.join(d, A, seen=seen) == b"ok"
    assert set(desk.members()) == {A, B, C, d}
    assert [who for who, member in desk.members().items() if member.is_gone] == [A]
    assert desk.join(e, B, seen=seen) == b"ok"
    assert desk.run("forget", [KEYS.state], e, B) == [b"ok"]
    assert set(desk.members()) == {A, C, d, e}
    desk.settle()
    assert desk.join(B, seen=seen + b"f" * 16 + seen[16:47]) == b"ok"
    assert b"f" * 16 not in desk.members(), "the state is not new any more"
    desk.join(C, lease=-1)
    assert desk.fetch(d) == [b"absent"]


def test_T14_a_list_of_members_that_makes_no_sense_is_none(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    desk.client.hset((KEYS.base + b"state").decode(), "p", "no such thing")
    assert desk.beat(A) == b"gone"
    assert desk.join(B, A) == b"ok"
    assert set(desk.members()) == {B}
    assert desk.fetch(B) == [b"absent"], "somebody may have been in there"


def test_T10_who_joins_anew_keeps_his_locks_until_they_are_told_again(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    desk.lock(A)
    assert desk.join(B, A) == b"ok"
    assert desk.members()[A].is_gone
    assert desk.beat(A) == desk.lock(A) == b"gone"  # sent before, carried out now
    assert desk.fetch(B) == [b"locked"]
    desk.lock(B)
    assert desk.run("forget", [KEYS.state], B, A) == [b"ok"]
    assert set(desk.members()) == {B}
    assert desk.fetch(B) == [b"locked"]
    desk.run("unlock", [KEYS.state, KEYS.channel], B, B + b"-0000001", b"r1")
    assert desk.fetch(B)[0] == b"miss"


def test_T10_the_locks_of_who_is_gone_are_given_up_one_by_one(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    desk.lock(A)
    channel = [KEYS.state, KEYS.channel]
    desk.join(B)
    assert desk.run("clear", channel, B, A, b"") == [b"back"]  # it lives
    desk.beat(A, lease=-1)
    assert desk.fetch(B, b"r2") == [b"absent"]
    owner, record = desk.run("locks", [KEYS.state], B, A)[1:]
    assert (owner, int(record[:10])) == (A + b"-0000001", 42)
    assert desk.run("clear", channel, B, A, b"") == [b"ok"]  # its backend still works
    assert desk.members()[A].is_gone
    assert desk.fetch(B, b"r2")[0] == b"miss"
    assert desk.fetch(B) == [b"locked"]
    assert desk.run("clear", channel, B, A, b"", owner) == [b"ok"]
    assert set(desk.members()) == {B}
    assert desk.fetch(B)[0] == b"miss"


def test_T14_who_is_gone_and_may_have_written_unheard_takes_everything_along(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    before = desk.fetch(A)[1]
    channel = [KEYS.state, KEYS.channel]
    desk.join(B, lease=-1)
    assert desk.run("clear", channel, A, B, b"") == [b"ok"]  # not that one
    assert desk.fetch(A)[1] == before
    desk.join(B, lease=-1)
    assert desk.run("clear", channel, A, B, C) == [b"ok"]
    assert desk.fetch(A) == [b"schema", C]
    everything: Any = desk.client.hget((KEYS.base + b"state").decode(), "*")
    assert everything != before[:16]
    assert desk.run("clear", channel, A, B, A) == [b"ok"]  # another has seen to it already
    assert desk.fetch(A) == [b"schema", C]


def test_T11_a_fill_is_a_compare_and_set(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    vector = desk.fetch(A)[1]
    keys = [KEYS.state, KEYS.entry(b"e"), KEYS.lease(b"e"), KEYS.channel]
    fill = ("fill", keys, A, b"", LEASE, 0, vector, b"before", b"after", b"", b"", 0, b"r1")
    assert desk.run(*fill) == [b"stored"]
    desk.client.delete(KEYS.entry(b"e").decode())
    desk.run("move", [KEYS.state, KEYS.channel], A, b"", b"r1")
    assert desk.run(*fill) == [b"moved"]
    assert desk.client.exists(KEYS.entry(b"e").decode()) == 0


def test_T11_P7_what_there_is_no_room_for_may_be_kept_and_nobody_waits_for_it(
    desk: Desk, server: redis.Redis
) -> None:
    desk.join(A)
    desk.settle()
    vector = desk.fetch(A, wishes="el")[1]
    keys = [KEYS.state, KEYS.entry(b"e"), KEYS.lease(b"e"), KEYS.channel]
    keep = ("keep", keys, A, b"f" * 16, LEASE, 0, vector, b"", b"", b"", b"", 0, b"r1")
    opens: Any = server.pubsub
    with opens() as told:
        told.execute_command("SSUBSCRIBE", KEYS.channel)
        assert told.parse_response()[0] == b"ssubscribe"
        assert desk.run(*keep) == [b"kept"]
        assert told.parse_response()[2] == b"f" + A + b"f" * 16 + b"!"
    assert desk.client.exists(KEYS.entry(b"e").decode(), KEYS.lease(b"e").decode()) == 0
    desk.run("move", [KEYS.state, KEYS.channel], A, b"", b"r1")
    assert desk.run(*keep) == [b"moved"]


def order(desk: Desk, number: int, text: bytes, most: int = 100) -> list[tuple[bytes, bytes]]:
    """Give an order; the list afterwards."""
    arguments = (A, b"%016d" % number, text, 1_000, most)
    assert desk.run("order", [KEYS.state, KEYS.channel], *arguments) == [b"ok"]
    answer = desk.fetch(A)
    assert answer[0] == b"orders", "nobody is served who does not know it"
    found, pos = [], 0
    while pos < len(answer[2]):
        end = pos + 4 + int.from_bytes(answer[2][pos : pos + 4], "big")
        found.append((answer[2][pos + 4 : pos + 20], answer[2][pos + 20 : end]))
        pos = end
    desk.version = answer[1]
    return found


def test_T12_an_order_has_to_be_known_to_whoever_asks_or_fills(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    before = desk.fetch(A)[1]
    keys = [KEYS.state, KEYS.entry(b"e"), KEYS.lease(b"e"), KEYS.channel]
    assert order(desk, 1, b"x") == [(b"%016d" % 1, b"x")]
    for version, token, outcome in (
        (b"", b"", b"moved"),  # the order is not known yet
        (desk.version, b"%016d" % 1, b"moved"),  # it is, and means this
        (desk.version, b"", b"stored"),  # it means something else
    ):
        fill = (
            "fill",
            keys,
            A,
            b"",
            LEASE,
            0,
            before,
            b"before",
            b"after",
            version,
            token,
            0,
            b"r1",
        )
        assert desk.run(*fill) == [outcome]
    assert desk.fetch(A)[1] == before
    desk.token = b"%016d" % 1
    assert desk.fetch(A)[1] == before + desk.token


def test_orders_that_are_given_again_do_not_add_up(desk: Desk) -> None:
    desk.join(A)
    desk.settle()
    order(desk, 1, b"x")
    order(desk, 2, b"y")
    assert order(desk, 3, b"x") == [(b"%016d" % 2, b"y"), (b"%016d" % 3, b"x")]


@pytest.mark.parametrize(("text", "most"), [(b"y" * 1_000, 100), (b"y", 1)])
def test_when_there_are_too_many_orders_everything_moves(
    desk: Desk, text: bytes, most: int
) -> None:
    desk.join(A)
    desk.settle()
    order(desk, 1, b"x")
    before = desk.fetch(A)[1]
    assert order(desk, 2, text, most) == []
    after = desk.fetch(A)[1]
    assert after[:16] != before[:16]


def test_P4_what_has_come_of_age_is_given_as_stale_within_both_graces_and_no_longer(
    desk: Desk,
) -> None:
    desk.join(A)
    desk.settle()
    vector = desk.fetch(A)[1]
    keys = [KEYS.state, KEYS.entry(b"e"), KEYS.lease(b"e"), KEYS.channel]

    def fill(life: int, age: int, grace: int) -> None:
        """Store an entry that is ``age`` ms old and comes of age in ``life`` ms."""
        fixed = MAGIC + b"\x03\x00" + (1).to_bytes(4, "big") + (3).to_bytes(2, "big")
        rest = (fixed, vector + b"body", b"", b"", grace, b"r1")
        assert desk.run("fill", keys, A, b"", life, age, vector, *rest) == [b"stored"]

    def found(**options: Any) -> bytes:
        return bytes(desk.fetch(A, wishes=options.pop("wishes", "el"), **options)[0])

    fill(life=60_000, age=20_000, grace=0)
    what, shared, age, left, kept, value = desk.fetch(A)
    assert (what, shared, value[38:]) == (b"hit", vector, vector + b"body")
    assert 20_000 <= age < 50_000 < left <= kept <= 60_000
    assert found(oldest=10_000, grace=30_000, wishes="e") == b"miss", "too old, but not stale"
    fill(life=-1_000, age=20_000, grace=90_000)  # it came of age a second ago
    assert found(wishes="e") == b"miss"
    assert found(grace=500, wishes="e") == b"miss"
    assert found(grace=80_000) == b"hit"
    assert found(at_hand=vector) == b"same", "alive, as far as the one who asks knows"
    assert found(at_hand=vector, grace=80_000, wishes="els") == b"same"
    assert desk.client.exists(KEYS.lease(b"e").decode()) == 0
    fill(life=60_000, age=0, grace=90_000)
    assert found(at_hand=vector, grace=80_000, wishes="els") == b"hit", "somebody has renewed it"
    desk.client.delete(KEYS.entry(b"e").decode())
    assert found(at_hand=vector, grace=80_000, wishes="els") == b"same"
    assert found(grace=80_000) == b"miss"
    assert found(grace=80_000) == b"busy"

"""Commands as a server reads them."""

from __future__ import annotations

import hiredis

from pgcache.cache.shared.commands import FETCHED, PEEKED, Peeks, pack, pack_run
from pgcache.cache.shared.scripts import build_scripts

SCRIPT = build_scripts("p")["fetch"]


def read(data: bytes) -> list[list[bytes]]:
    """The commands in ``data``: they are lists, as answers may be."""
    reader = hiredis.Reader()
    reader.feed(data)
    found: list[list[bytes]] = []
    while True:
        command = reader.gets()
        if command is False:
            return found
        found.append(command)


def test_a_command_is_a_list_of_its_words() -> None:
    assert read(pack("PEXPIRE", b"k", 5)) == [[b"PEXPIRE", b"k", b"5"]]
    words = [b"EVALSHA", SCRIPT.sha, b"1", b"k", b"a", b"7"]
    assert read(pack_run(SCRIPT, [b"k"], [b"a", 7])) == [words]


def test_fields_come_with_what_makes_them_worth_believing() -> None:
    peeks = Peeks(SCRIPT)
    expected = [
        [b"HMGET", b"s", b"p", b"q"],
        [b"SCRIPT", b"EXISTS", SCRIPT.sha],
        [b"TIME"],
        [b"HDEL", b"s", b""],
    ]
    assert read(peeks.pack(b"s", (b"p", b"q"))) == expected
    assert len(expected) == PEEKED
    assert read(peeks.pack(b"other", (b"p",)))[3] == [b"HDEL", b"other", b""]


def test_a_value_is_read_after_the_tokens() -> None:
    """What was filled between the two has the tokens of then, which are not those."""
    found = read(Peeks(SCRIPT).pack_fetch(b"s", (b"p",), b"e"))
    assert found[-2:] == [[b"GET", b"e"], [b"PTTL", b"e"]]
    assert found[0][0] == b"HMGET"
    assert len(found) == FETCHED

"""Real conversations, mutated: the proxy must answer them as PostgreSQL does, and never fall over.

The raw material is what the oracle's scripts send. A read-only session lets both sides be compared
byte for byte; a session that may write is only watched for hangs and unhandled errors.
"""

from __future__ import annotations

import itertools
import os
import random
import struct
from collections.abc import Callable, Sequence

import pytest

from tests.fuzz.talk import converse, cut
from tests.oracle.dataset import create_database
from tests.oracle.test_scripts import SCRIPTS
from tests.support import frames
from tests.support.postgres import Server
from tests.support.proxy import Proxy

_LEFT_OUT = {
    "concurrent",  # waits for another session
    "function-call",  # a mutated number may call anything
    "large-rows",  # needs a setup of its own
    "notify",  # reaches other sessions
    "privileges",
    "roles",
    "schema-changes",
    "two-phase",  # leaves locks behind
}
CASES_PER_SEED = 80
_NUMBERS = itertools.count(1)


def _messages() -> list[list[bytes]]:
    """Return the messages of each script's first connection."""
    return [
        [
            step.payload
            for step in script.steps
            if step.connection == "A" and step.action == "send" and step.payload
        ]
        for script in SCRIPTS
        if script.path.stem not in _LEFT_OUT and not script.path.stem.startswith("startup")
    ]


CONVERSATIONS = [messages for messages in _messages() if messages]


@pytest.fixture(scope="session")
def fuzz_database(newest_postgres: Server) -> str:
    """Create the database that all cases of this worker use."""
    name = f"f{os.getpid()}_{next(_NUMBERS)}"
    create_database(newest_postgres, name, "")
    return name


def _drop(chance: random.Random, talk: list[bytes]) -> None:
    del talk[chance.randrange(len(talk))]


def _double(chance: random.Random, talk: list[bytes]) -> None:
    at = chance.randrange(len(talk))
    talk[at:at] = talk[at : at + chance.randint(1, 4)]


def _swap(chance: random.Random, talk: list[bytes]) -> None:
    a, b = chance.randrange(len(talk)), chance.randrange(len(talk))
    talk[a], talk[b] = talk[b], talk[a]


def _graft(chance: random.Random, talk: list[bytes]) -> None:
    talk.insert(chance.randrange(len(talk) + 1), chance.choice(chance.choice(CONVERSATIONS)))


def _flip(chance: random.Random, talk: list[bytes]) -> None:
    at = chance.randrange(len(talk))
    data = bytearray(talk[at])
    if len(data) > 5:
        data[chance.randrange(5, len(data))] = chance.choice((0, 1, 32, 39, 59, 127, 128, 255))
    talk[at] = bytes(data)


def _shorten(chance: random.Random, talk: list[bytes]) -> None:
    at = chance.randrange(len(talk))
    body = talk[at][5:]
    body = body[: chance.randrange(len(body) + 1)]
    talk[at] = talk[at][:1] + struct.pack("!i", len(body) + 4) + body


def _retype(chance: random.Random, talk: list[bytes]) -> None:
    at = chance.randrange(len(talk))
    kind = chance.choice("QPBDECSHdcfFpX" + chr(chance.randrange(256)))
    talk[at] = kind.encode("latin-1") + talk[at][1:]


def _relength(chance: random.Random, talk: list[bytes]) -> None:
    at = chance.randrange(len(talk))
    length = chance.choice((-1, 0, 3, 4, 5, len(talk[at]), 2**30, 2**31 - 1, 20_000))
    talk[at] = talk[at][:1] + struct.pack("!i", length) + talk[at][5:]


def _noise(chance: random.Random, talk: list[bytes]) -> None:
    talk.insert(chance.randrange(len(talk) + 1), chance.randbytes(chance.randint(1, 12)))


def _bulk(chance: random.Random, talk: list[bytes]) -> None:
    extra = [frames.SYNC, frames.FLUSH, frames.query(""), frames.query("select v from t limit 3")]
    talk.insert(chance.randrange(len(talk) + 1), chance.choice(extra) * chance.randint(1, 30))


MUTATIONS: Sequence[Callable[[random.Random, list[bytes]], None]] = (
    _drop,
    _double,
    _swap,
    _graft,
    _flip,
    _shorten,
    _retype,
    _relength,
    _noise,
    _bulk,
)


def make_case(chance: random.Random) -> list[bytes]:
    """Make the writes of one mutated conversation."""
    talk = list(chance.choice(CONVERSATIONS))
    if len(talk) > 12:
        start = chance.randrange(len(talk) - 10)
        talk = talk[start : start + chance.randint(4, 30)]
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        if talk:
            chance.choice(MUTATIONS)(chance, talk)
    if chance.random() < 0.5:
        return cut(chance, b"".join(talk))
    return talk


def _startup(database: str, *, read_only: bool) -> dict[str, str]:
    settings = "-c statement_timeout=5s -c lock_timeout=2s -c lc_messages=C"
    if read_only:
        settings += " -c default_transaction_read_only=on"
    return {"user": "app", "database": database, "options": settings}


@pytest.mark.parametrize("seed", range(8))
def test_read_only_sessions_get_the_same_answers(
    newest_postgres: Server, newest_proxy: Proxy, fuzz_database: str, seed: int
) -> None:
    chance = random.Random(seed)
    startup = _startup(fuzz_database, read_only=True)
    for number in range(CASES_PER_SEED):
        pieces = make_case(chance)
        expected = converse((newest_postgres.host, newest_postgres.port), startup, pieces)
        got = converse(newest_proxy.address, startup, pieces)
        assert str(got) == str(expected), f"seed {seed}, case {number}: sent {pieces!r}"
    _serves(newest_proxy, fuzz_database)


@pytest.mark.parametrize("seed", range(100, 104))
def test_writing_sessions_never_hang(newest_proxy: Proxy, fuzz_database: str, seed: int) -> None:
    chance = random.Random(seed)
    startup = _startup(fuzz_database, read_only=False)
    for number in range(CASES_PER_SEED):
        pieces = make_case(chance)
        answer = converse(newest_proxy.address, startup, pieces)
        assert answer.frames, f"seed {seed}, case {number}: sent {pieces!r}"
    _serves(newest_proxy, fuzz_database)


def _serves(proxy: Proxy, database: str) -> None:
    assert proxy.is_alive()
    with proxy.connect("app", database) as connection:
        assert connection.execute("select v from t where id = 1000").fetchone() is not None
    assert proxy.complaints() == []

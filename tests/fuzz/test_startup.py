"""Startup packets, sound and broken, are answered as PostgreSQL answers them (W-02, W-07)."""

from __future__ import annotations

import random
import re
import socket
import struct

import psycopg
import pytest

from tests.fuzz.talk import cut, exchange
from tests.oracle.player import TIMEOUT
from tests.support import frames
from tests.support.postgres import Server
from tests.support.proxy import Proxy
from tests.support.raw import eventually

_SOUND = frames.startup({"user": "app", "database": "postgres", "application_name": "fuzz"})
_LENGTH_LIMIT = 10_000


def _packet(length: int, version: int = frames.PROTOCOL_3_0, body: bytes = b"") -> bytes:
    return struct.pack("!iI", length, version & 0xFFFF_FFFF) + body


def _of_size(size: int) -> bytes:
    """Build a sound packet of exactly so many bytes."""
    filler = size - len(frames.startup({"user": "app", "options": ""}))
    return frames.startup({"user": "app", "options": " " * filler})


CASES = {
    "nothing": b"",
    "one byte": b"\0",
    "three bytes of a length": b"\0\0\0",
    "length -1": _packet(-1),
    "length 0": _packet(0),
    "length 3": _packet(3),
    "length 4": _packet(4),
    "length 7": _packet(7),
    "length 8, no body": _packet(8),
    "length 9": _packet(9, body=b"\0"),
    "length 2^31-1": _packet(2**31 - 1),
    "length -2^31": _packet(-(2**31)),
    "a length of more than comes": _packet(100, body=b"user\0app\0"),
    "limit": _of_size(_LENGTH_LIMIT),
    "limit and the length word": _of_size(_LENGTH_LIMIT + 4),
    "above the limit": _of_size(_LENGTH_LIMIT + 5),
    "far above the limit": _of_size(60_000),
    "no final zero": _packet(8 + 9, body=b"user\0app\0"),
    "no zero at all": _packet(8 + 7, body=b"userapp"),
    "a value is missing": _packet(8 + 6, body=b"user\0\0"),
    "bytes after the end": _packet(8 + 13, body=b"user\0app\0\0xyz"),
    "no user": frames.startup({"database": "postgres"}),
    "an empty user": frames.startup({"user": ""}),
    "an unknown user": frames.startup({"user": "who"}),
    "a long user": frames.startup({"user": "u" * 200}),
    "an empty database": frames.startup({"user": "app", "database": ""}),
    "the user twice": _packet(8 + 22, body=b"user\0app\0user\0alice\0\0\0"),
    "an unknown parameter": frames.startup({"user": "app", "no_such_setting": "1"}),
    "bytes that are no UTF-8": _packet(8 + 17, body=b"user\0\xff\xfe\0aname\0x\0\0"),
    "protocol 1.0": _packet(8, 1 << 16),
    "protocol 2.0": _packet(296, 2 << 16, bytes(288)),
    "protocol 2.0 with a name": _packet(296, 2 << 16, b"postgres".ljust(64, b"\0") + bytes(224)),
    "protocol 3.7": frames.startup({"user": "app"}, 3 << 16 | 7),
    "protocol 4.0": frames.startup({"user": "app"}, 4 << 16),
    "protocol 9999.9999": frames.startup({"user": "app"}, 9999 << 16 | 9999),
    "protocol 0.0": _packet(8, 0),
    "a cancel of nobody": frames.cancel(1, b"abcd"),
    "a cancel that is short": _packet(12, frames.CANCEL_CODE, b"abcd"),
    "a cancel that is long": _packet(300, frames.CANCEL_CODE, bytes(292)),
    "a cancel with a long key": frames.cancel(1, bytes(32)),
    "an SSL request with a body": _packet(12, 80877103, b"abcd"),
    "an unknown request": _packet(8, 80877105),
    "a web request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an SSH greeting": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a TLS hello that is none": b"\x16\x03\x01\x00\x05hello",
    "the letters of a password message": b"p\0\0\0\x08abc\0",
    "sound, then a query before the password": _SOUND + frames.query("select 1"),
    "sound, then an empty password": _SOUND + frames.message("p", b"\0"),
    "sound, then a broken SASL start": _SOUND + frames.message("p", b"SCRAM-SHA-256\0\xff\xff"),
    "sound, then an unknown mechanism": _SOUND + frames.message("p", b"PLAIN\0\0\0\0\x02xx"),
    "sound, then a password too long": _SOUND + struct.pack("!ci", b"p", 70_000) + bytes(69_996),
    "sound, then a bad length": _SOUND + struct.pack("!ci", b"p", -5),
    "sound, then the startup again": _SOUND + _SOUND,
}


# What pgcache has to answer itself, so that it cannot name PostgreSQL's own source lines.
STUFFED = {
    "SSL twice": frames.SSL_REQUEST * 2,
    "a request for encryption and the startup in one write": frames.SSL_REQUEST + _SOUND,
}
_SOURCE = re.compile(rb"F[^\0]*\0L\d+\0R[^\0]*\0")


def _same(server: Server, proxy: Proxy, pieces: list[bytes], what: str) -> None:
    expected = exchange((server.host, server.port), pieces)
    got = exchange(proxy.address, pieces, len(expected))
    assert got == expected, f"{what}: sent {pieces!r}"


@pytest.mark.parametrize("name", CASES)
def test_answered_as_postgresql_answers(
    newest_postgres: Server, newest_proxy: Proxy, name: str
) -> None:
    _same(newest_postgres, newest_proxy, [CASES[name]], name)


@pytest.mark.parametrize("name", STUFFED)
def test_W02_bytes_behind_a_request_for_encryption(
    newest_postgres: Server, newest_proxy: Proxy, name: str
) -> None:
    server = (newest_postgres.host, newest_postgres.port)
    expected = _SOURCE.sub(b"", exchange(server, [STUFFED[name]]))
    got = exchange(newest_proxy.address, [STUFFED[name]])
    assert _without_length(got) == _without_length(expected)


def _without_length(reply: bytes) -> bytes:
    """The reply without the length of the error that follows the one-byte answer."""
    return reply[:2] + reply[6:]


@pytest.mark.parametrize("early", range(1, 12))
def test_an_answer_that_begins_before_it_is_asked_for(
    newest_postgres: Server, newest_proxy: Proxy, early: int
) -> None:
    answer = frames.message("p", b"PLAIN\0\0\0\0\x02xx")
    said = []
    for address in ((newest_postgres.host, newest_postgres.port), newest_proxy.address):
        with socket.create_connection(address, timeout=TIMEOUT) as connection:
            connection.sendall(_SOUND + answer[:early])
            asked = connection.recv(1 << 16)
            connection.sendall(answer[early:])
            said.append([asked, connection.recv(1 << 16)])
    assert said[0] == said[1]
    assert said[0][0][:1] == b"R"
    assert said[0][1][:1] == b"E"


@pytest.mark.parametrize("seed", range(4))
def test_mutated_packets(newest_postgres: Server, newest_proxy: Proxy, seed: int) -> None:
    chance = random.Random(seed)
    # What follows a request for encryption in the same read is answered by chance.
    bases = list(CASES.values())
    for number in range(60):
        data = bytearray(chance.choice(bases)[:400])
        for _ in range(chance.randint(0, 3)):
            if data:
                data[chance.randrange(len(data))] = chance.choice((0, 1, 4, 0x7F, 0x80, 0xFF, 65))
        if chance.random() < 0.2:
            data = data[: chance.randrange(len(data) + 1)]
        pieces = cut(chance, bytes(data))
        _same(newest_postgres, newest_proxy, pieces, f"seed {seed}, case {number}")
    _serves(newest_proxy)


def test_random_bytes(newest_postgres: Server, newest_proxy: Proxy) -> None:
    chance = random.Random(7)
    for number in range(60):
        data = chance.randbytes(chance.choice((1, 7, 8, 9, 60, 2000)))
        _same(newest_postgres, newest_proxy, cut(chance, data), f"case {number}")
    _serves(newest_proxy)


def test_silent_clients_cost_the_origin_nothing(
    newest_postgres: Server, newest_proxy: Proxy
) -> None:
    """No origin connection is opened before the startup packet is complete (W-07)."""
    count = "select count(*) from pg_stat_activity where backend_type = 'client backend'"
    silent = []
    try:
        with newest_postgres.connect() as watcher:
            before = _number(watcher, count)
            for number in range(100):
                connection = socket.create_connection(newest_proxy.address)
                connection.sendall(_SOUND[: number % len(_SOUND)])
                silent.append(connection)
            _serves(newest_proxy)  # Handled after all that the silent ones sent.
            # Connections that ended may still be leaving; those of the silent ones would stay.
            # One may be new: the proxy's own, that reads the catalog.
            eventually(lambda: _number(watcher, count) <= before + 1)
    finally:
        for connection in silent:
            connection.close()


def _number(watcher: psycopg.Connection, query: str) -> int:
    row = watcher.execute(query).fetchone()
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]


def _serves(proxy: Proxy) -> None:
    assert proxy.is_alive()
    with proxy.connect("app") as connection:
        assert connection.execute("select 41 + 1").fetchone() == (42,)
    assert proxy.complaints() == []

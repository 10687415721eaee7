"""The client that only counts bytes, against a server with canned answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.pgbench import Target
from benchmarks.raw import Fetch, Fetcher, Refused, Walker, Wire, build_startup
from pgcache.wire.messages import build, build_data_row, build_row_description

READY = build(ord("Z"), b"I")
WELCOME = build(ord("R"), b"\0\0\0\0") + READY
# A row that ends like a ReadyForQuery, and longer than a header.
ROW = build_data_row(("Z\0\0\0\5I",))
REPLY = build_row_description(("n",)) + ROW * 3 + build(ord("C"), b"SELECT 3\0") + READY
FAILURE = build(ord("E"), b"SERROR\0C42P01\0\0") + READY


@contextmanager
def serving(*replies: bytes) -> Iterator[int]:
    """A server for one client: a reply to each chunk, then it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                for reply in replies:
                    if not client.recv(65536):
                        return
                    client.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(10.0)


def test_the_end_is_found_however_the_reply_is_cut() -> None:
    for cut in range(len(REPLY) + 1):
        walker = Walker()
        first = walker.feed(REPLY[:cut])
        assert first == (cut == len(REPLY)), cut
        if cut < len(REPLY):
            assert walker.feed(REPLY[cut:]) == 1, cut
    walker = Walker()
    ends = [walker.feed(REPLY[at : at + 1]) for at in range(len(REPLY))]
    assert ends.index(1) == len(REPLY) - 1


def test_errors_are_seen_however_they_are_cut() -> None:
    for cut in range(1, len(FAILURE)):
        walker = Walker()
        walker.feed(FAILURE[:cut])
        walker.feed(FAILURE[cut:])
        assert walker.ready == 1
        assert walker.error, cut


def test_a_startup_message_has_its_options_if_there_are_any() -> None:
    assert b"options" not in build_startup("u", "d")
    message = build_startup("u", "d", "-c x=y")
    assert int.from_bytes(message[:4], "big") == len(message)
    assert message.endswith(b"options\0-c x=y\0\0")


def test_replies_are_kept_or_counted() -> None:
    with serving(WELCOME, REPLY, REPLY) as port:
        wire = Wire(port, "u", "d")
        assert wire.ask(b"Q") == REPLY
        wire.count(b"Q", len(REPLY))
        wire.close()


def test_an_error_is_raised() -> None:
    with serving(WELCOME, FAILURE) as port:
        wire = Wire(port, "u", "d")
        with pytest.raises(Refused, match="42P01"):
            wire.ask(b"Q")
        wire.close()


def test_a_reply_of_another_length_is_noticed() -> None:
    with serving(WELCOME, REPLY + REPLY[:7]) as port:
        wire = Wire(port, "u", "d")
        with pytest.raises(Refused, match="not what it was"):
            wire.count(b"Q", len(REPLY))
        wire.close()


def test_a_connection_that_is_lost_is_noticed() -> None:
    with serving(WELCOME, REPLY[:9]) as port:
        wire = Wire(port, "u", "d")
        with pytest.raises(Refused, match="closed"):
            wire.count(b"Q", len(REPLY))
        wire.close()


def test_a_sample_counts_replies() -> None:
    with serving(WELCOME, *[REPLY] * 5) as port, Fetcher("d") as fetcher:
        sample = fetcher.run(Target("direct", port, "u"), Fetch(b"SELECT 1"), 2)
        assert sample.rate > 0
        assert sample.hit_share == 0.0


def test_another_answer_than_the_first_ones_fails() -> None:
    other = REPLY.replace(b"SELECT 3", b"SELECT 4")
    with (
        serving(WELCOME, *[REPLY] * 4) as direct,
        serving(WELCOME, other) as through,
        Fetcher("d") as fetcher,
    ):
        fetcher.run(Target("direct", direct, "u"), Fetch(b"SELECT 1"), 1)
        with pytest.raises(Refused, match="hit does not answer"):
            fetcher.run(Target("hit", through, "u"), Fetch(b"SELECT 1"), 1)

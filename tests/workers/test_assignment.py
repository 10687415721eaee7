from __future__ import annotations

import os
import socket
from functools import partial

from pgcache.cli.options import read_configuration
from pgcache.config import load_config
from pgcache.workers.assignment import Assignment

URL = "postgresql://service:very-secret@127.0.0.1:1/postgres"


def test_it_arrives_as_it_was_sent() -> None:
    config = load_config(flags={"upstream": URL}, environ={"PGCACHE_CACHE__TTL": "7s"})
    sent = Assignment(2, 4, config, partial(read_configuration, None, upstream=URL), (5, 6), ())
    got = Assignment.read(sent.dump())
    assert (got.number, got.count, got.config) == (2, 4, config)
    assert (got.listen, got.admin) == ((5, 6), ())
    assert got.load().origin == config.origin
    assert got.config.cache.ttl == 7.0
    assert got.config.origin.secret == "very-secret"


def test_sockets_are_taken_over() -> None:
    config = load_config(flags={"upstream": URL}, environ={})
    with socket.create_server(("127.0.0.1", 0)) as ours:
        given = Assignment(1, 2, config, lambda: config, (os.dup(ours.fileno()),), ())
        (taken,) = given.listen_sockets()
        with taken:
            assert taken.getsockname() == ours.getsockname()
            assert taken.gettimeout() == 0.0
        assert given.admin_sockets() == []

"""Clients that write, vanish, are cancelled and lose their backends, all at once and out of turn.

Afterwards nothing may be left: no lock, no session, no stale count (T-10, T-15, W-44).
"""

from __future__ import annotations

import contextlib
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import frames
from tests.support.frames import COPY_DONE, SYNC, bind, execute, message, parse, query
from tests.support.postgres import Server
from tests.support.proxy import SERVICE, Proxy
from tests.support.raw import RawClient, eventually

ROUNDS = 40
STATEMENTS = (
    "insert into a values (1)",
    "insert into b values (1) on conflict do nothing",
    "update a set n = n",
    "truncate a",
    "select count(*) from a",
    "select count(*) from b",
    "select pg_sleep(0.01)",
    "select 1/0",
    "begin",
    "commit",
    "commit and chain",
    "rollback",
    "savepoint s",
    "rollback to s",
    "begin; insert into a values (3); commit",
    "set statement_timeout = 20; insert into a select 1 from pg_sleep(0.05)",
    "copy a from stdin",
    "select pg_terminate_backend(pg_backend_pid())",
)


def _batch(dice: random.Random) -> tuple[bytes, int]:
    """Some statements in one write, and how many ReadyForQuery they may bring."""
    pieces: list[bytes] = []
    answers = 1
    for _ in range(dice.randrange(1, 4)):
        statement = dice.choice(STATEMENTS)
        if ";" in statement or statement.startswith("copy") or dice.random() < 0.5:
            pieces.append(query(statement))
            answers += 1
            if statement.startswith("copy"):
                end = COPY_DONE if dice.random() < 0.7 else message("f", b"no\0")
                pieces += [message("d", b"1\n"), end]
        else:
            pieces += [parse("", statement), bind("", ""), execute("", dice.randrange(2))]
            if dice.random() < 0.7:
                pieces.append(SYNC)
                answers += 1
    return b"".join([*pieces, SYNC]), answers


def _live(proxy: Proxy, server: Server, database: str, dice: random.Random) -> None:
    """One session, to its end or somebody's."""
    options = "-c lock_timeout=300"
    with (
        contextlib.suppress(OSError),
        RawClient(proxy.address, database, options=options) as client,
    ):
        for _ in range(dice.randrange(20)):
            data, answers = _batch(dice)
            client.send(data)
            fate = dice.random()
            if fate < 0.05:
                return client.reset()
            if fate < 0.1:
                return None
            if fate < 0.2:
                with RawClient.bare(proxy.address) as canceller:
                    canceller.send(frames.cancel(client.pid, client.secret))
                    canceller.rest()
            elif fate < 0.25:
                server.execute(f"select pg_terminate_backend({client.pid})")
            client.socket.settimeout(0.5)  # A COPY may have swallowed a Sync.
            client.replies(answers)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_left(
    seed: int, newest_proxy: Proxy, newest_postgres: Server, newest_database: str
) -> None:
    newest_postgres.execute(
        "create table a (n int)",
        "create table b (n int primary key)",
        database=newest_database,
    )

    def clients(number: int) -> None:
        dice = random.Random(seed * 100 + number)
        for _ in range(ROUNDS):
            _live(newest_proxy, newest_postgres, newest_database, dice)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(clients, range(4)))
    left = (
        "select 1 from pg_stat_activity where backend_type = 'client backend'"
        f" and datname = '{newest_database}' and usename <> '{SERVICE}'"
    )
    with newest_postgres.connect() as watcher:
        eventually(lambda: watcher.execute(left.encode()).fetchone() is None)
    with RawClient(newest_proxy.address, "pgcache", SERVICE) as console:
        eventually(lambda: ("locked", "0") in console.rows("show stats"))
    with (
        RawClient(newest_proxy.address, newest_database) as cached,
        RawClient(("127.0.0.1", newest_postgres.port), newest_database) as direct,
    ):
        for table in ("a", "b"):
            counts = [cached.rows(f"select count(*) from {table}") for _ in range(2)]
            assert counts == [direct.rows(f"select count(*) from {table}")] * 2

"""What happens around sessions through the proxy: lost backends, crashes, slow clients."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import psycopg
import psycopg.errors
import pytest

from tests.conftest import Proxies
from tests.drivers.conftest import Arena
from tests.oracle.player import Peer, whole
from tests.support import frames
from tests.support.frames import Frame
from tests.support.postgres import Cluster, Server
from tests.support.proxy import Proxy, start_proxy

pytestmark = pytest.mark.driver
MEGABYTE = 1 << 20


@contextlib.contextmanager
def _peer(address: tuple[str, int], user: str, database: str) -> Iterator[Peer]:
    peer = Peer("A", address, whole)
    try:
        peer.login({"user": user, "database": database}, frames.PROTOCOL_3_0, [])
        yield peer
    finally:
        peer.close()


def _talk(peer: Peer, sql: str) -> list[Frame]:
    """Send a query and return all that comes back up to ReadyForQuery or the end."""
    seen: list[Frame] = []
    peer.send(frames.query(sql))
    peer.receive(lambda frame: frame.kind == "Z", seen)
    return seen


def _until(server: Server, database: str, condition: str) -> None:
    """Wait until a query about the server's own state returns a row."""
    with server.connect("postgres", database) as watcher:
        while not watcher.execute(condition.encode()).fetchone():
            pass


def test_a_terminated_backend_ends_a_session_of_hits(arena: Arena) -> None:
    """W-42: who only gets hits still hears that the origin has ended the session."""
    statement = "select v from t where id = 11"
    told = []
    for where in (arena.server, arena.proxy):
        with _peer((where.host, where.port), "app", arena.database) as peer:
            for _ in range(4):
                assert _talk(peer, statement)[1].kind == "D"
            arena.server.execute(f"select pg_terminate_backend({peer.pid}, 10000)")
            told.append([str(frame) for frame in _talk(peer, statement)])
            assert peer.closed
    assert told[1] == told[0]


def test_idle_session_timeout_is_heard(arena: Arena) -> None:
    with _peer(arena.proxy.address, "app", arena.database) as peer:
        _talk(peer, "set idle_session_timeout = '50ms'")
        seen: list[Frame] = []
        peer.receive(None, seen)
        assert frames.fields(seen[-1].body)["C"] == "57P05"


def test_too_many_connections_in_the_origins_words(arena: Arena) -> None:
    """W-12: an error of the startup is relayed as it is."""
    arena.server.execute("alter role carol connection limit 1")
    try:
        told = []
        for where in (arena.server, arena.proxy):
            address = (where.host, where.port)
            with _peer(address, "carol", arena.database), _peer(address, "app", "postgres"):
                second = Peer("B", address, whole)
                seen: list[Frame] = []
                second.login(
                    {"user": "carol", "database": arena.database}, frames.PROTOCOL_3_0, seen
                )
                second.close()
                told.append(str(seen[-1]))
            _until(
                arena.server,
                arena.database,
                "select 1 where not exists (select from pg_stat_activity where usename = 'carol')",
            )
        assert told[1] == told[0]
        assert "53300" in told[0]
    finally:
        arena.server.execute("alter role carol connection limit -1")


def test_a_long_database_name_is_the_one_it_is_cut_to(arena: Arena) -> None:
    """W-08: names are cut at 63 bytes; both spellings are one database and one cache."""
    name = "n" * 63
    arena.server.execute(f"create database {name} owner app")
    arena.server.execute("create table x (v text)", user="app", database=name)
    try:
        with (
            arena.proxy.connect("app", name) as one,
            arena.proxy.connect("app", name + "nnn") as two,
        ):
            for number in range(4):
                assert one.execute("select count(*) from x").fetchone() == (number,)
                assert two.execute("select count(*) from x").fetchone() == (number,)
                (one if number % 2 else two).execute("insert into x values ('new')")
    finally:
        arena.server.execute(f"drop database {name} with (force)")


def test_a_hostile_search_path_runs_nothing_of_the_proxy(
    arena_maker: Callable[[str], Arena],
) -> None:
    """W-11: what pgcache asks on a client's session calls nothing that the client's path offers."""
    arena = arena_maker(
        """
        create schema evil;
        create table evil.log (what text);
        create function evil.note(text) returns text language sql as
            $$ insert into evil.log values ($1); select $1 $$;
        create function evil.current_database() returns text language sql as
            $$ select evil.note('current_database') $$;
        create function evil.current_setting(text) returns text language sql as
            $$ select evil.note('current_setting') $$;
        create function evil.string_agg(text, text) returns text language sql as
            $$ select evil.note('string_agg') $$;
        create function evil.eq(text, text) returns bool language sql as
            $$ select evil.note('=') is not null $$;
        create operator evil.= (leftarg = text, rightarg = text, function = evil.eq);
        create view evil.pg_settings as select evil.note('pg_settings') as name, '' as setting;
        create view evil.pg_class as select evil.note('pg_class') as relname;
        """
    )
    options = "-c search_path=evil,pg_catalog,public"
    for _ in range(3):
        with psycopg.connect(
            arena.proxy.url("app", arena.database), options=options, autocommit=True
        ) as connection:
            connection.execute("select id from public.t where id = 1")
            connection.execute("begin; set local role alice; commit")
            connection.execute("select id from public.t where id = 1")
    with arena.server.connect("app", arena.database) as reader:
        assert reader.execute("select * from evil.log").fetchall() == []


def test_defaults_of_a_role_count_from_the_next_login(arena: Arena) -> None:
    """S-02: two sessions with equal startup packets may still differ."""
    url = arena.proxy.url("bob", arena.database)
    statement = "select current_setting('search_path'), id from public.t where id = 1"
    try:
        with psycopg.connect(url, autocommit=True) as old:
            before = old.execute(statement).fetchone()
            arena.server.execute(
                f"alter role bob in database {arena.database} set search_path = s2"
            )
            with psycopg.connect(url, autocommit=True) as new:
                for _ in range(3):
                    assert new.execute(statement).fetchone() == ("s2", 1)
                    assert new.execute("select a from sh").fetchone() == ("in s2",)
                    assert old.execute(statement).fetchone() == before
    finally:
        arena.server.execute(f"alter role bob in database {arena.database} reset search_path")


def test_a_cancel_while_served_from_the_cache_hits_nothing_later(arena: Arena) -> None:
    """W-32: a cancel that comes late must not end the next statement."""
    with arena.proxy.connect("app", arena.database) as connection:
        for _ in range(30):
            assert connection.execute("select v from t where id = 12").fetchone() == ("v12",)
            connection.cancel_safe(timeout=20)
            assert connection.execute("select count(*) from t, pair").fetchone() == (3000,)


_COUNTED = """
create sequence runs;
create function slow(int) returns int language plpgsql immutable as
    $$ begin perform nextval('runs'); perform pg_sleep(0.4); return $1; end $$;
create table seen (id int primary key, n int);
insert into seen values (1, 10);
"""


def _runs(arena: Arena) -> Any:
    with arena.server.connect("postgres", arena.database) as reader:
        row = reader.execute("select last_value, is_called from runs").fetchone()
        assert row is not None
        return row[0] if row[1] else 0


@pytest.fixture
def counted(arena_maker: Callable[[str], Arena]) -> Arena:
    """Return an arena with a function that is slow and counts how often it ran."""
    arena = arena_maker(_COUNTED)
    with arena.proxy.connect("app", arena.database) as first:
        first.execute("select n from seen")  # The catalog is known from here on.
        first.execute("select n from seen where id = 1")
    return arena


def test_many_askers_one_execution(counted: Arena) -> None:
    """P7: however many ask the same cold question, PostgreSQL runs it once."""
    connections = [counted.proxy.connect("app", counted.database) for _ in range(20)]
    for connection in connections:
        connection.execute("select n from seen")
    with ThreadPoolExecutor(len(connections)) as pool:
        statement = "select slow(n) from seen"
        rows = list(pool.map(lambda one: one.execute(statement.encode()).fetchone(), connections))
    for connection in connections:
        connection.close()
    assert set(rows) == {(10,)}
    if counted.proxy.port != counted.server.port:
        assert _runs(counted) == 1


def test_a_cancelled_leader_does_not_fail_its_followers(counted: Arena) -> None:
    """W-33."""
    statement = "select slow(n), 1 from seen"
    with (
        counted.proxy.connect("app", counted.database) as leader,
        counted.proxy.connect("app", counted.database) as follower,
        ThreadPoolExecutor(2) as pool,
    ):
        leading = pool.submit(leader.execute, statement.encode())
        running = f"pid = {leader.info.backend_pid} and state = 'active'"
        _until(counted.server, counted.database, f"select 1 from pg_stat_activity where {running}")
        following = pool.submit(follower.execute, statement.encode())
        leader.cancel_safe(timeout=20)
        with pytest.raises(psycopg.errors.QueryCanceled):
            leading.result()
        assert following.result().fetchone() == (10, 1)


def test_a_follower_that_comes_after_a_commit_sees_it(counted: Arena) -> None:
    """T-17: the leader's result is older than what its follower knows, and not kept (T-11)."""
    statement = "select slow(n), 2 from seen"
    with (
        counted.proxy.connect("app", counted.database) as leader,
        counted.proxy.connect("app", counted.database) as follower,
        ThreadPoolExecutor(2) as pool,
    ):
        leading = pool.submit(leader.execute, statement.encode())
        running = f"pid = {leader.info.backend_pid} and state = 'active'"
        _until(counted.server, counted.database, f"select 1 from pg_stat_activity where {running}")
        follower.execute("update seen set n = 11 where id = 1")
        assert follower.execute(statement.encode()).fetchone() == (11, 2)
        assert leading.result().fetchone() == (10, 2)
        assert leader.execute(statement.encode()).fetchone() == (11, 2)


@pytest.fixture
def own(cluster: Cluster, newest_postgres: Server) -> Iterator[tuple[Server, Proxy]]:
    """Yield a server of the test's own, which it may break, and a proxy in front of it."""
    if os.environ.get("PGCACHE_TEST_DIRECT"):
        pytest.skip("needs the proxy")
    server = cluster.server(newest_postgres.major)
    server.execute("alter schema public owner to app")
    proxy = start_proxy(server, cluster.root)
    yield server, proxy
    proxy.stop()
    assert proxy.complaints() == []
    cluster.discard(server)


def _ask_again(proxy: Proxy, sql: str) -> Any:
    """Ask on new connections until the origin is back."""
    while True:
        try:
            with proxy.connect("app") as connection:
                return connection.execute(sql.encode()).fetchone()
        except psycopg.OperationalError:
            continue


def test_a_crash_empties_unlogged_tables(own: tuple[Server, Proxy]) -> None:
    """S-15: after crash recovery nothing of before may be served."""
    server, proxy = own
    with proxy.connect("app") as connection:
        connection.execute("create unlogged table volatile (v text)")
        connection.execute("insert into volatile values ('gone')")
        for _ in range(5):
            assert connection.execute("select count(*) from volatile").fetchone() == (1,)
        server.restart(signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select count(*) from volatile")
    assert _ask_again(proxy, "select count(*) from volatile") == (0,)
    assert _ask_again(proxy, "select count(*) from volatile") == (0,)


def test_an_origin_that_is_away(own: tuple[Server, Proxy]) -> None:
    """W-70: a probe must fail while the origin is away, hot or not; and all is well after."""
    server, proxy = own
    with proxy.connect("app") as connection:
        connection.execute("create table kept (v text)")
        for _ in range(4):
            connection.execute("select count(*) from kept")
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    with pytest.raises(psycopg.OperationalError):
        proxy.connect("app")
    server.start()
    assert _ask_again(proxy, "select count(*) from kept") == (0,)


def test_a_stalled_client_stalls_the_origin_not_the_memory(arena: Arena, proxies: Proxies) -> None:
    """W-43: a result of 400 MB to a client that does not read."""
    memory = psutil.Process(arena.proxy.process.pid)
    before = memory.memory_info().rss
    rows = 400
    with _peer(arena.proxy.address, "app", arena.database) as peer:
        statement = f"select g, repeat('x', {MEGABYTE}) from generate_series(1, {rows}) g"
        peer.send(frames.query(statement))
        blocked = f"pid = {peer.pid} and wait_event = 'ClientWrite'"
        _until(arena.server, arena.database, f"select 1 from pg_stat_activity where {blocked}")
        assert memory.memory_info().rss < before + 64 * MEGABYTE
        with arena.proxy.connect("app", arena.database) as other:
            assert other.execute("select v from t where id = 13").fetchone() == ("v13",)
        received = 0
        while received < rows * MEGABYTE:
            received += len(peer.socket.recv(MEGABYTE))
        assert memory.memory_info().rss < before + 96 * MEGABYTE


def test_a_stalled_origin_stalls_the_client_not_the_memory(arena: Arena) -> None:
    """W-13, W-43: a client is held back while the origin has not read what it sent."""
    memory = psutil.Process(arena.proxy.process.pid)
    before = memory.memory_info().rss
    with (
        arena.server.connect("app", arena.database) as blocker,
        _peer(arena.proxy.address, "app", arena.database) as peer,
    ):
        blocker.execute("begin")
        blocker.execute("lock table empty in access exclusive mode")
        row = frames.message("d", b"1\t" + b"x" * 65000 + b"\n")
        peer.send(frames.query("copy empty from stdin"))
        blocked = f"pid = {peer.pid} and wait_event_type = 'Lock'"
        _until(arena.server, arena.database, f"select 1 from pg_stat_activity where {blocked}")
        peer.socket.setblocking(False)
        sent = 0
        while sent < 200 * MEGABYTE and select.select([], [peer.socket], [], 1.0)[1]:
            with contextlib.suppress(BlockingIOError):
                sent += peer.socket.send(row)
        assert sent < 100 * MEGABYTE, "nobody held the client back"
        assert memory.memory_info().rss < before + 96 * MEGABYTE
        blocker.execute("rollback")


def test_a_vanished_client_leaves_nothing_behind(arena: Arena) -> None:
    """The origin's session ends when the client's does, in whatever state it was (W-13, W-44)."""
    states: list[Callable[[Peer], None]] = [
        lambda peer: None,
        lambda peer: peer.send(frames.query("begin; lock table pair")),
        lambda peer: peer.send(frames.query("select pg_sleep(0.05)")),
        lambda peer: peer.send(frames.parse("s", "select v from t") + frames.FLUSH),
        lambda peer: peer.send(frames.query("copy empty from stdin")),
        lambda peer: peer.send(b"Q\0\0\1\0selec"),
    ]
    pids = []
    for state in states:
        with _peer(arena.proxy.address, "app", arena.database) as peer:
            pids.append(peer.pid)
            state(peer)
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    gone = f"select 1 where not exists (select from pg_stat_activity where pid = any('{{{pids}}}'))"
    _until(arena.server, arena.database, gone.replace("[", "").replace("]", ""))
    with arena.proxy.connect("app", arena.database) as connection:
        assert connection.execute("select count(*) from pair").fetchone() == (3,)


def test_a_thousand_short_sessions_leak_nothing(arena: Arena) -> None:
    """Connections come and go; descriptors and memory stay where they were."""
    process = psutil.Process(arena.proxy.process.pid)

    def visit(number: int) -> None:
        with _peer(arena.proxy.address, "app", arena.database) as peer:
            assert _talk(peer, f"select v from t where id = {number % 5 + 1}")[-1].kind == "Z"
            if number % 2:
                peer.send(frames.TERMINATE)

    def visit_many(count: int) -> None:
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(visit, number) for number in range(count)]:
                done.result()

    visit_many(100)
    descriptors, memory = process.num_fds(), process.memory_info().rss
    visit_many(400)
    assert process.num_fds() < descriptors + 20
    assert process.memory_info().rss < memory + 24 * MEGABYTE

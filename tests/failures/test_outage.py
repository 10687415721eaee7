"""PostgreSQL is gone and `stale_if_error` allows it: who is still served, what, and until when."""

from __future__ import annotations

import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support import frames
from tests.support.frames import SYNC, Frame, bind, close_request, describe_request, execute, parse
from tests.support.link import Link
from tests.support.postgres import Cluster, Server, installations
from tests.support.process import free_port
from tests.support.proxy import SERVICE, Proxy, await_line, start_proxy
from tests.support.raw import RawClient, eventually, rows_of
from tests.support.redis import RedisServer

READ = "select v from t"
EXTENDED = (parse("", READ), bind("", ""), describe_request("P", ""), execute(""), SYNC)
CONFIGURATION = """\
[cache]
ttl = "200ms"
stale_if_error = "10min"
[tables."public.bound"]
ttl = "200ms"
[tables."public.brief"]
stale_if_error = "1ms"
[admin]
address = "127.0.0.1:{port}"
"""


class Stage:
    """A PostgreSQL of the tests' own, and a proxy before it, with a way in between."""

    def __init__(self, server: Server, way: Link, proxy: Proxy, admin: int) -> None:
        self.server = server
        self.way = way
        self.proxy = proxy
        self.admin = admin

    def client(self) -> RawClient:
        """A session that hears what becomes of its statements, and has stored some results."""
        client = RawClient(self.proxy.address)
        client.query("set pgcache.notices = on")
        for table in ("t", "bound", "brief"):
            await_stored(client, frames.query(f"select v from {table}"))
        await_stored(client, *EXTENDED)
        return client

    def lose(self, clients: int = 1) -> None:
        """Cut the way to the server, and wait until so many sessions know."""
        self.way.cut()
        self.await_lost(clients)

    def await_lost(self, clients: int = 1) -> None:
        """What is asked before a session has heard of its loss is sent on in vain."""
        eventually(lambda: self.metric("pgcache_clients_cut_off") == clients)

    def metric(self, name: str) -> float:
        """One number of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as answer:
            text = answer.read().decode()
        found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        assert found is not None, name
        return float(found[1])


def notice(found: list[Frame]) -> str:
    """The proxy's verdict among messages."""
    told = [frames.fields(frame.body)["M"] for frame in found if frame.kind == "N"]
    return next((line for line in told if line.startswith("pgcache; ")), "")


def said(client: RawClient, sql: str) -> str:
    """What the proxy says of a query."""
    return notice(client.query(sql))


def await_stored(client: RawClient, *question: bytes) -> None:
    """Ask until the answer is kept."""
    eventually(lambda: "stored" in notice(client.ask(*question)))


def await_outage(client: RawClient) -> None:
    """Ask until the answer is past its lifetime, and said to be."""
    eventually(lambda: "; detail=origin-unreachable" in said(client, READ))


def last_words(client: RawClient) -> str:
    """The SQLSTATE that ends the session."""
    found = frames.Splitter().feed(client.rest())
    (error,) = [frames.fields(frame.body) for frame in found if frame.kind == "E"]
    assert error["V"] == "FATAL"
    return error["C"]


@pytest.fixture(scope="module")
def standing(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One server for all tests here: they stop it and start it again."""
    server = cluster.server(max(installations()))
    for table in ("t", "bound", "brief"):
        server.execute(f"create table {table} (v text)", f"insert into {table} values ('one')")
    folder, admin = tmp_path_factory.mktemp("outage"), free_port()
    (folder / "pgcache.toml").write_text(CONFIGURATION.format(port=admin))
    with Link((server.host, server.port)) as way:
        upstream = server.url(SERVICE).replace(f":{server.port}/", f":{way.address[1]}/")
        file = str(folder / "pgcache.toml")
        proxy = start_proxy(server, folder, "--config", file, upstream=upstream)
        yield Stage(server, way, proxy, admin)
        proxy.stop()
    cluster.discard(server)
    assert proxy.complaints() == []


@pytest.fixture
def stage(standing: Stage) -> Iterator[Stage]:
    """The same, with its server within reach before and after."""
    yield standing
    if standing.server.process is None:
        standing.server.start()
    standing.way.heal()
    eventually(lambda: standing.metric("pgcache_clients_cut_off") == 0)


@pytest.mark.parametrize(
    ("how", "code"),
    [(signal.SIGINT, "57P01"), (signal.SIGQUIT, "08006"), (signal.SIGKILL, "57P01")],
    ids=["fast", "immediate", "crash"],
)
def test_P6_a_session_goes_on_with_stale_results(
    stage: Stage, how: signal.Signals, code: str
) -> None:
    with stage.client() as client:
        stage.server.stop(how)
        stage.await_lost()
        await_outage(client)
        assert re.match(
            r"pgcache; hit; ttl=-\d+; detail=origin-unreachable; key=", said(client, READ)
        )
        assert client.rows(READ) == [("one",)]
        assert rows_of(client.ask(*EXTENDED)) == [("one",)]
        (last,) = client.rows("show pgcache.last")
        assert "PostgreSQL cannot be reached" in str(last[0])
        assert stage.metric("pgcache_stale_if_error_total") >= 3
        client.send(frames.query("select 1"))
        assert last_words(client) == code


def test_the_origins_return_ends_sessions_that_went_on_without_it(stage: Stage) -> None:
    with stage.client() as client:
        stage.server.stop()
        stage.await_lost()
        await_outage(client)
        stage.server.start()
        assert last_words(client) == "57P01"
    with stage.client() as client:
        assert client.rows(READ) == [("one",)]


def test_a_console_that_was_open_shows_it(stage: Stage) -> None:
    url = stage.proxy.url(SERVICE, "pgcache")
    with psycopg.connect(url, autocommit=True) as console, stage.client() as client:

        def stats() -> dict[str, int]:
            return {
                str(name): int(value)
                for name, value in console.execute("SHOW STATS")
                if name in ("stale_if_error", "clients_cut_off")
            }

        before = stats()
        assert before["clients_cut_off"] == 0
        stage.lose()
        await_outage(client)
        now = stats()
        assert now["clients_cut_off"] == 1
        assert now["stale_if_error"] > before["stale_if_error"]
        states = [row[4] for row in console.execute("SHOW CLIENTS")]
        assert states.count("without origin") == 1


def test_P2_nobody_logs_in_without_the_origin(stage: Stage) -> None:
    with stage.client() as client:
        stage.lose()
        await_outage(client)
        with RawClient.bare(stage.proxy.address) as late:
            late.send(frames.startup({"user": SERVICE, "database": "postgres"}))
            assert last_words(late) == "08006"
        assert client.rows(READ) == [("one",)]


def test_P3_what_was_changed_is_not_served(stage: Stage) -> None:
    with stage.client() as client:
        client.query("update t set v = v")
        stage.lose()
        client.send(frames.query(READ))
        assert last_words(client) == "08006"


@pytest.mark.parametrize(
    "sql",
    [
        "select v from bound",
        "select v from brief",
        "select v from t /* pgcache: stale_if_error=0 */",
        "select v from t /* pgcache: ttl=1ms */",
        "select v from t /* pgcache: refresh */",
        "select v from t where v = 'two'",
        "begin; select v from t",
        "begin isolation level serializable",
        "rollback",
        "set pgcache.stale_if_error = '1h'",
    ],
)
def test_what_is_not_allowed_needs_the_origin(stage: Stage, sql: str) -> None:
    with stage.client() as client:
        stage.lose()
        await_outage(client)
        client.send(frames.query(sql))
        assert last_words(client) == "08006"


def test_a_session_may_want_less(stage: Stage) -> None:
    with stage.client() as client, stage.client() as other:
        client.query("set pgcache.stale_if_error = 0")
        assert client.rows("show pgcache.stale_if_error") == [("0s",)]
        stage.lose(2)
        await_outage(other)
        client.send(frames.query(READ))
        assert last_words(client) == "08006"


def test_drivers_that_wrap_reads_in_transactions(stage: Stage) -> None:
    with psycopg.connect(stage.proxy.url()) as client:

        def ask() -> str:
            assert client.execute("select v from t").fetchall() == [("one",)]
            (last,) = client.execute("show pgcache.last").fetchone() or ("",)
            client.rollback()
            return str(last)

        eventually(lambda: "stored" in ask())
        stage.lose()
        eventually(lambda: "origin-unreachable" in ask())
        with pytest.raises(psycopg.OperationalError):
            client.execute("select now()")


BEGIN = (parse("", "BEGIN"), bind("", ""), execute(""))
TYPED = "select v from t where v = $1"
QUESTION = (bind("", "S_4", [b"one"]), describe_request("P", ""), execute(""))


def test_drivers_that_open_transactions_in_the_run_of_the_question(stage: Stage) -> None:
    """As pgjdbc with autocommit off: before its threshold, at it, and after it."""
    begins = (parse("S_2", "BEGIN READ ONLY"), bind("", "S_2"), execute(""))
    again = begins[1:]
    commit = (parse("S_3", "COMMIT"), bind("", "S_3"), execute("", 1), SYNC)
    named = parse("S_4", TYPED, [25])
    with stage.client() as client:
        await_stored(client, parse("", TYPED, [25]), bind("", "", [b"one"]), *QUESTION[1:], SYNC)
        client.ask(parse("S_1", "ROLLBACK"), parse("S_0", TYPED, [25]), SYNC)
        stage.lose()
        await_outage(client)

        def asks(*messages: bytes) -> str:
            found = client.ask(*messages)
            told = "".join(f.kind for f in found if f.kind != "N")
            return told + found[-1].body.decode()

        assert asks(bind("", "S_0", [b"one"]), *QUESTION[1:], SYNC) == "2TDCZI"
        assert asks(*BEGIN, *EXTENDED) == "12C12TDCZT"
        assert asks(bind("", "S_1"), execute(""), SYNC) == "2CZI"
        assert asks(*BEGIN[:2], describe_request("P", ""), BEGIN[2], *EXTENDED) == "12nC12TDCZT"
        assert asks(close_request("P", "C_1"), *commit) == "312CZI"
        assert asks(*begins, named, *QUESTION, SYNC) == "12C12TDCZT"
        assert asks(*commit[1:]) == "2CZI"
        assert asks(*again, *QUESTION, SYNC) == "2C2TDCZT"
        assert asks(*commit[1:-1], *again, *QUESTION, *commit[1:]) == "2C2C2TDC2CZI"
        # whoever prepares what was asked before, and whoever is done with it
        assert asks(parse("S_5", TYPED, [25]), SYNC) == "1ZI"
        assert (
            asks(
                close_request("S", "S_4"),
                close_request("S", "S_1"),
                close_request("S", "none"),
                SYNC,
            )
            == "333ZI"
        )
        assert client.query("begin")[-1].body == b"T"
        assert asks(*commit[1:-1], parse("", READ), bind("", ""), execute(""), SYNC) == "2C12DCZI"


@pytest.mark.parametrize(
    "messages",
    [
        (*BEGIN, *BEGIN, *EXTENDED),
        (*BEGIN, parse("", "select 1"), bind("", ""), execute(""), SYNC),
        (parse("", "BEGIN ISOLATION LEVEL SERIALIZABLE"), *BEGIN[1:], SYNC),
        (parse("", "BEGIN"), bind("", "", [b"1"]), execute(""), SYNC),
        (parse("", "COMMIT"), bind("", ""), execute(""), SYNC),
        (*BEGIN, execute(""), SYNC),
        (parse("", "COMMIT AND CHAIN"), bind("", ""), execute(""), SYNC),
        (parse("new", TYPED, [25]), SYNC),
        (parse("new", READ), parse("newer", TYPED), bind("", "new"), execute(""), SYNC),
        (bind("", "none"), execute(""), SYNC),
    ],
    ids=range(10),
)
def test_what_else_is_said_in_the_extended_protocol_needs_the_origin(
    stage: Stage, messages: tuple[bytes, ...]
) -> None:
    with stage.client() as client:
        stage.lose()
        await_outage(client)
        client.send(b"".join(messages))
        assert last_words(client) == "08006"


def test_whoever_is_in_the_middle_of_something_is_told_at_once(stage: Stage) -> None:
    with stage.client() as client:
        client.query("begin")
        client.query("insert into t values ('never')")
        stage.server.stop()
        assert last_words(client) == "57P01"


def test_one_session_that_is_terminated_ends_as_always(stage: Stage) -> None:
    with stage.client() as client, stage.client() as other:
        stage.server.execute(f"select pg_terminate_backend({client.pid})")
        assert last_words(client) == "57P01"
        assert other.rows("select 1") == [("1",)]


def test_a_client_that_stayed_leaves_nothing_behind(stage: Stage) -> None:
    with stage.client() as client, stage.client() as other:
        stage.lose(2)
        client.send(frames.TERMINATE)
        assert client.rest() == b""
        stage.await_lost(1)
        other.reset()
    eventually(lambda: stage.metric("pgcache_clients_cut_off") == 0)


@pytest.mark.parametrize("consistency", ["eventual", "strict"])
def test_beside_a_shared_store_what_needs_no_confirmation_is_served(
    stage: Stage, redis_server: RedisServer, tmp_path: Path, consistency: str
) -> None:
    (tmp_path / "pgcache.toml").write_text(
        f"[cache]\nttl = '2s'\nstale_if_error = '10min'\n"
        f"[store]\nurl = '{redis_server.url()}'\nconsistency = '{consistency}'\n"
    )
    upstream = stage.server.url(SERVICE).replace(
        f":{stage.server.port}/", f":{stage.way.address[1]}/"
    )
    file = str(tmp_path / "pgcache.toml")
    proxy = start_proxy(stage.server, tmp_path, "--config", file, upstream=upstream)
    try:
        with RawClient(proxy.address) as client:
            client.query("set pgcache.notices = on")
            await_stored(client, frames.query(READ))
            stage.way.cut()
            await_line(proxy, "origin lost")
            if consistency == "eventual":
                await_outage(client)
            else:
                with pytest.raises(ConnectionError):
                    await_outage(client)
    finally:
        proxy.stop()
    assert proxy.complaints() == []

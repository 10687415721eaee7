"""Stale results, verification, shadow mode and rules, with the real command and PostgreSQL."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import psycopg
import pytest

from tests.operate.conftest import Site
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

pytestmark = pytest.mark.postgres

READ = "SELECT count(*) FROM t"
# Long enough for the client to come in between, and to be seen in pg_stat_activity.
COSTLY = "SELECT count(*) FROM big a, big b WHERE a.n + b.n > 7"
LEFT = "SELECT count(*) FROM pg_prepared_statements WHERE name = 'pgcache'"
_GRACE = "[cache]\nttl = '200ms'\ngrace = '10min'\n"


def until(happened: Callable[[], Any], what: str, pause: float = 0.02) -> Any:
    """Wait until something is so, looking every ``pause`` seconds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = happened()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"it never happened: {what}")


@pytest.fixture
def table(site: Site) -> Site:
    site.execute("CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
    return site


def connect(site: Site) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(site.proxy.url("app", site.database), autocommit=True)


def ask(client: psycopg.Connection[tuple[Any, ...]], sql: str) -> tuple[Any, str]:
    """The answer, and what pgcache says about it."""
    (answer,) = client.execute(sql).fetchone() or (None,)
    (said,) = client.execute("SHOW pgcache.last").fetchone() or ("",)
    return answer, str(said)


def await_stale(client: psycopg.Connection[tuple[Any, ...]], sql: str) -> Any:
    """Ask until the answer is a stale one; returns it."""

    def stale() -> Any:
        answer, said = ask(client, sql)
        return (answer,) if "detail=stale" in said else None

    (answer,) = until(stale, "a stale answer")
    return answer


@pytest.mark.parametrize("prepared", [False, True])
def test_a_stale_result_is_renewed_behind_the_client(table: Site, prepared: bool) -> None:
    proxy = table.start(_GRACE)
    with connect(table) as client:
        client.prepare_threshold = 0 if prepared else None
        assert ask(client, READ)[0] == 1
        table.execute("INSERT INTO t VALUES (2)")
        assert await_stale(client, READ) == 1
        until(lambda: ask(client, READ)[0] == 2, "the new answer")
    assert proxy.count("refreshes") >= 1
    assert proxy.count("misses") == 2  # this, and what the fixture asked
    assert proxy.complaints() == []


def test_drivers_that_wrap_reads_in_transactions_have_them_renewed(table: Site) -> None:
    proxy = table.start(_GRACE)
    with connect(table) as client:
        client.autocommit = False
        table.execute("INSERT INTO t VALUES (2)")

        def new() -> bool:
            (answer,) = client.execute(READ).fetchone() or (0,)
            client.rollback()
            return bool(answer == 3)

        assert not new()
        table.execute("INSERT INTO t VALUES (3)")
        # Looked at less often than its connection has to be at rest.
        until(new, "the new answer", pause=0.3)
    assert proxy.count("refreshes") >= 1


def test_a_client_that_leaves_at_once_leaves_the_refresh_behind(table: Site) -> None:
    proxy = table.start(_GRACE)

    def chart() -> Any:
        with connect(table) as client:
            return ask(client, READ)[0]

    assert chart() == 1
    table.execute("INSERT INTO t VALUES (2)")
    until(lambda: chart() == 2, "the new answer")
    assert proxy.count("misses") == 2
    assert proxy.leftovers() == 0
    until(lambda: not _running(table, "SELECT"), "the end of all backends")


def test_W32_the_client_interrupts_a_refresh_and_is_never_cancelled_itself(site: Site) -> None:
    site.execute(
        "CREATE TABLE big (n int)", "INSERT INTO big SELECT generate_series(1, 2000)", "ANALYZE big"
    )
    # An age counts from when the query was sent: what takes longer than it lives is not kept.
    proxy = site.start("[cache]\nttl = '8s'\ngrace = '10min'\n")
    with connect(site) as client:
        for _ in range(2):
            assert "fwd=miss; stored" in ask(client, COSTLY)[1]
            await_stale(client, COSTLY)
            until(lambda: _running(site, COSTLY), "a refresh underway")
            before = proxy.count("refreshes_interrupted")
            for number in range(20):
                assert client.execute(f"SELECT {number}").fetchone() == (number,)
            assert proxy.count("refreshes_interrupted") == before + 1
            # the next time round it is fetched in the foreground
        assert client.execute(LEFT).fetchone() == (0,)
    assert proxy.complaints() == []


def test_a_result_that_differs_is_found_and_its_query_forwarded(table: Site) -> None:
    proxy = table.start("[cache]\nverify_ratio = 1\n[log]\nformat = 'json'\n")
    with connect(table) as client:
        ask(client, READ)
        until(lambda: ask(client, READ)[0] == 1 and proxy.count("verified"), "a check")
        table.execute("INSERT INTO t VALUES (2)")
        until(lambda: "detail=quarantine" in ask(client, READ)[1], "the quarantine")
        assert ask(client, READ)[0] == 2
    until(lambda: proxy.count("verified_differing") == 1, "the verdict")
    assert "cached result differs" in proxy.log.read_text()


def test_shadow_mode_serves_nothing_and_says_what_it_would_have(
    table: Site, admin_port: int
) -> None:
    address = f"127.0.0.1:{admin_port}"
    proxy = table.start(
        "[cache]\nmode = 'shadow'\n[log]\nformat = 'json'\nshadow_report = '10ms'\n"
        f"[admin]\naddress = '{address}'\n"
    )
    with connect(table) as client:
        for number in range(2, 6):
            answer, said = ask(client, READ)
            assert answer == number - 1
            assert "fwd=bypass; detail=shadow" in said
            table.execute(f"INSERT INTO t VALUES ({number})")
    stats = {str(name): str(value) for name, value in table.console("SHOW STATS")}
    assert (stats["shadow_hits"], stats["hits"]) == ("3", "0")
    judged = int(stats["shadow_hits"]) + int(stats["shadow_misses"])
    ratio = 3 / judged
    assert float(stats["shadow_hit_ratio"]) == pytest.approx(ratio, abs=1e-4)
    assert float(stats["shadow_saved_seconds"]) > 0
    # The same everywhere that an operator looks before switching on.
    assert f"shadow hit ratio {ratio:.1%}" in " ".join(
        table.command("stats", *table.console_flag()).split()
    )
    assert f"shadow hit ratio {ratio:.1%}" in " ".join(
        table.command("top", "--count", "1", *table.console_flag()).split()
    )
    with urlopen(f"http://{address}/") as page:
        assert (
            f"<b>{ratio:.1%}</b><span>shadow hit ratio, of {judged}</span>" in page.read().decode()
        )
    with urlopen(f"http://{address}/metrics") as metrics:
        text = metrics.read().decode()
    assert "pgcache_shadow_hits_total 3.0" in text
    assert re.search(r"^pgcache_shadow_origin_saved_seconds_total 0\.\d*[1-9]", text, re.MULTILINE)
    until(lambda: reports(proxy) and reports(proxy)[-1]["hits"] == 3, "a line by the schedule")
    assert reports(proxy)[-1]["hit_ratio"] == pytest.approx(ratio, abs=1e-4)


@pytest.mark.parametrize("consistency", ["strict", "eventual"])
def test_shadow_mode_beside_a_shared_store(
    table: Site, redis_server: RedisServer, consistency: str
) -> None:
    """Each proxy judges by itself; a write through it, or what the store tells of, counts."""
    table.start(
        "[cache]\nmode = 'shadow'\n"
        f"[store]\nurl = '{redis_server.url()}'\nconsistency = '{consistency}'\n"
    )

    def hits() -> int:
        stats = {str(name): str(value) for name, value in table.console("SHOW STATS")}
        assert stats["hits"] == "0"
        return int(stats["shadow_hits"])

    with connect(table) as client:
        for _ in range(3):
            assert "detail=shadow" in ask(client, READ)[1]
        assert hits() == 2
        client.execute("INSERT INTO t VALUES (7)")
        ask(client, READ)
        assert hits() == 2
        ask(client, READ)
        assert hits() == 3


def test_shadow_mode_reports_at_the_end(table: Site) -> None:
    proxy = table.start("[cache]\nmode = 'shadow'\n[log]\nformat = 'json'\nshadow_report = 0\n")
    with connect(table) as client:
        for _ in range(3):
            ask(client, READ)
    assert reports(proxy) == []
    proxy.stop()
    (report,) = reports(proxy)
    assert (report["hits"], report["level"]) == (2, "info")
    assert report["saved_seconds"] >= 0


def reports(proxy: Proxy) -> list[dict[str, Any]]:
    """What shadow mode has logged."""
    lines = proxy.log.read_text().splitlines()
    return [json.loads(line) for line in lines if "would have been served" in line]


def test_a_rule_by_application(table: Site) -> None:
    table.start("[[rules]]\nname = 'loads'\napplication_name = 'etl*'\noff = true\n")
    with connect(table) as client:
        for _ in range(2):
            ask(client, READ)
        assert "; hit;" in ask(client, READ)[1]
        client.execute("SET application_name = 'etl-1'")
        assert 'detail=rule; about="loads"' in ask(client, READ)[1]
        client.execute("RESET application_name")
        assert "; hit;" in ask(client, READ)[1]


def _running(site: Site, text: str) -> bool:
    with psycopg.connect(site.server.url("app", site.database), autocommit=True) as direct:
        found = direct.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s "
            "AND pid <> pg_backend_pid() AND datname = current_database() AND usename = 'app'",
            [f"{text}%"],
        ).fetchone()
    return bool(found and found[0])

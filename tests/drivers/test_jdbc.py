"""pgjdbc through the proxy, as DBeaver, Metabase and Tableau use it.

Needs a JDK and the driver (Debian's default-jdk-headless and libpostgresql-jdbc-java); skipped
where they are absent. One JVM plays all tests of this file: see `JdbcSession.java`. With
autocommit off the driver sends BEGIN in one run with a transaction's first question (W-76).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.drivers.conftest import Arena
from tests.support.link import Link
from tests.support.postgres import Cluster, Server
from tests.support.process import free_port
from tests.support.proxy import SERVICE, start_proxy
from tests.support.raw import eventually
from tests.support.tls import Certificates

_JAR = Path("/usr/share/java/postgresql.jar")
_PROGRAM = Path(__file__).with_name("JdbcSession.java")
_PATIENCE = 120.0
pytestmark = [
    pytest.mark.driver,
    pytest.mark.skipif(
        shutil.which("javac") is None or not _JAR.exists(),
        reason="no JDK or no pgjdbc (Debian: default-jdk-headless, libpostgresql-jdbc-java)",
    ),
]

SETTINGS = {
    "defaults": {},
    "simple protocol": {"preferQueryMode": "simple"},
    "prepared at once": {"prepareThreshold": "1"},
    "always in binary": {"prepareThreshold": "-1"},
    "never prepared": {"prepareThreshold": "0", "stringtype": "unspecified"},
    "everything kept": {"preferQueryMode": "extendedCacheEverything", "autosave": "always"},
    "read in steps": {"defaultRowFetchSize": "100", "reWriteBatchedInserts": "true"},
    "a schema and a name": {"currentSchema": "s1,public", "ApplicationName": "a tool"},
}


@dataclass(slots=True)
class Jdbc:
    """The JVM that plays tasks over URLs of psycopg's form."""

    process: subprocess.Popen[str]

    def play(self, task: str, url: str, **settings: str) -> list[str]:
        """Return what the task told, a line an observation."""
        words, answers = self.process.stdin, self.process.stdout
        assert words is not None
        assert answers is not None
        words.write(f"{task} {_jdbc_url(url, settings)}\n")
        words.flush()
        hung = threading.Timer(_PATIENCE, self.process.kill)
        hung.start()
        told = []
        for line in answers:
            if line == ".\n":
                break
            told.append(line.rstrip("\n"))
        else:
            pytest.fail(f"the JVM ended during {task}: {told}")
        hung.cancel()
        failures = [line for line in told if line.startswith("failed: ")]
        assert not failures, told
        return told


def _jdbc_url(url: str, settings: dict[str, str]) -> str:
    login, where = url.removeprefix("postgresql://").split("@")
    user, password = login.split(":")
    return f"jdbc:postgresql://{where}?user={user}&password={password}&{urlencode(settings)}"


@pytest.fixture(scope="module")
def jdbc() -> Iterator[Jdbc]:
    """Yield a JVM that has compiled the program; it ends with its standard input."""
    # One small heap and the quick compiler: the tests pay for the start, not for the peak.
    flags = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-Xshare:auto"]
    process = subprocess.Popen(
        ["java", *flags, "-cp", str(_JAR), str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent"},
        text=True,
        encoding="utf-8",
    )
    yield Jdbc(process)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    assert process.wait(20) == 0


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
@pytest.mark.parametrize("task", ["reads", "parameters", "cursors"])
def test_reads(arena: Arena, jdbc: Jdbc, task: str, settings: dict[str, str]) -> None:
    told = arena.same_thrice(lambda url: jdbc.play(task, url, **settings))
    assert len(told) > 20


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
@pytest.mark.parametrize("task", ["writes", "batches", "errors", "change"])
def test_writes_and_errors(arena: Arena, jdbc: Jdbc, task: str, settings: dict[str, str]) -> None:
    told = arena.same_thrice(lambda url: jdbc.play(task, url, **settings))
    assert len(told) > 10


@pytest.mark.parametrize("task", ["calls", "session", "copy", "objects", "timeout", "metadata"])
@pytest.mark.parametrize("settings", [{}, {"preferQueryMode": "simple"}], ids=["", "simple"])
def test_what_tools_do_besides(
    arena: Arena, jdbc: Jdbc, task: str, settings: dict[str, str]
) -> None:
    assert arena.same_thrice(lambda url: jdbc.play(task, url, **settings))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
@pytest.mark.parametrize("task", ["hit-statement", "hit-prepared", "hit-fetched"])
def test_hits(arena: Arena, jdbc: Jdbc, task: str, settings: dict[str, str]) -> None:
    def last_value(url: str) -> str:
        *_, last = jdbc.play(task, url, **settings)
        return last.split(": ")[1]

    arena.comes_from_the_cache(last_value)


@pytest.mark.parametrize("settings", [{}, {"preferQueryMode": "simple"}], ids=["", "simple"])
def test_the_console(arena: Arena, jdbc: Jdbc, settings: dict[str, str]) -> None:
    told = jdbc.play("console", arena.proxy.url(SERVICE, "pgcache"), **settings)
    seen = "\n".join(told)
    assert "hits/" in seen
    assert "unknown: " in seen
    assert "valid: true" in seen


def test_why_inside_a_transaction_that_reads_by_pages(arena: Arena, jdbc: Jdbc) -> None:
    told = jdbc.play("why", arena.proxy.url("app", arena.database))
    assert [line.startswith("why: pgcache; fwd=bypass") for line in told] == [False, True] * 3


def test_the_console_in_dbeaver(arena: Arena, jdbc: Jdbc) -> None:
    told = jdbc.play(
        "dbeaver",
        arena.proxy.url(SERVICE, "pgcache"),
        ApplicationName="DBeaver 24.2.0 - Main <pgcache>",
        assumeMinServerVersion="9.0",
    )
    asked = [line for line in told if line.startswith("asked: ")]
    assert len(asked) > 30
    assert set(asked) == {"asked: no error"}
    assert told.count("SHOW STATS: no error") == 1, "read by pages, inside a transaction"
    (unknown,) = [line for line in told if line.startswith("SELECT nothing: ")]
    assert "this console takes no SQL" in unknown
    assert told[-1] == "valid: true"


@pytest.mark.parametrize(
    "name", ["defaults", "simple protocol", "prepared at once", "read in steps"]
)
def test_P6_transactions_go_on_while_the_origin_is_out_of_reach(
    arena: Arena, jdbc: Jdbc, tmp_path: Path, name: str
) -> None:
    """With `stale_if_error`: BEGIN comes in one run with the question, and COMMIT under a name.

    Not with `autosave`, whose savepoints need the origin.
    """
    settings = SETTINGS[name]
    server, (host, admin) = arena.server, ("127.0.0.1", free_port())
    (tmp_path / "pgcache.toml").write_text(
        f"[cache]\nttl = '100ms'\nstale_if_error = '1h'\n[admin]\naddress = '{host}:{admin}'\n"
    )

    def is_cut_off() -> bool:
        with urllib.request.urlopen(f"http://{host}:{admin}/metrics") as answer:
            return b"\npgcache_clients_cut_off 1.0\n" in answer.read()

    with Link((server.host, server.port)) as way:
        upstream = server.url(SERVICE).replace(f":{server.port}/", f":{way.address[1]}/")
        file = str(tmp_path / "pgcache.toml")
        proxy = start_proxy(server, tmp_path, "--config", file, upstream=upstream)
        try:
            url = proxy.url("app", arena.database)
            before = jdbc.play("rest", url, **settings)
            way.cut()
            eventually(is_cut_off)
            told = jdbc.play("outlast", url, **settings)
            assert set(told) == {line for line in before if line.startswith("asked: ")}
        finally:
            proxy.stop()


def test_over_tls_with_scram(
    newest_postgres: Server, certificates: Certificates, cluster: Cluster, jdbc: Jdbc
) -> None:
    pair = {
        "PGCACHE_TLS__CERT": str(certificates.proxy.certificate),
        "PGCACHE_TLS__KEY": str(certificates.proxy.key),
        "PGCACHE_TLS__MODE": "require",
    }
    proxy = start_proxy(newest_postgres, cluster.root, environment=pair)
    try:
        told = jdbc.play(
            "metadata",
            proxy.url("app").replace("127.0.0.1", "localhost"),
            sslmode="verify-full",
            sslrootcert=str(certificates.authority),
        )
    finally:
        proxy.stop()
    assert told

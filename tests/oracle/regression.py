"""PostgreSQL's own regression suite, direct and through pgcache, every SELECT asked twice.

    python -m tests.oracle.regression SOURCE [TEST ...]

``SOURCE`` is an unpacked source of PostgreSQL 15, such as ``apt-get source postgresql-15`` leaves.
Both runs have servers of their own, so that equal output means equal bytes; differences that are
only numbers (OIDs) are not told. Where gcc and the server's headers are (``pg_config``), the
suite's functions in C are built; without them more statements fail, in both runs. Takes some
minutes. No part of the test run: the source comes from elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tests.support.postgres import Cluster, Server
from tests.support.proxy import start_proxy

MAJOR = 15
DATABASE = "regression"
_PATIENCE = 120.0  # seconds for one file
_BEGINS_AS_READ = re.compile(rb"(?:\s|--[^\n]*\n)*(?:select|with|table|values)\b", re.IGNORECASE)
# Asked twice, these are other questions, or end the session.
_ASKED_ONCE = (b"pg_sleep", b"pg_terminate")
_SETTINGS = {
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "bytea_output": "hex",
    "timezone_abbreviations": "Default",
}
_COPY_STARTS = frozenset(b"GHW")
_READY = ord("Z")
_ERROR = ord("E")


class Doubler:
    """Stands before a server, asks each lone SELECT twice, and shows the second answer only."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Yield the port that it listens on."""
        opening = asyncio.start_server(self._meet, "127.0.0.1", 0)
        server = self._loop.run_until_complete(opening)
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    async def _meet(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        origin, to_origin = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            size = await client.readexactly(4)
            to_origin.write(size + await client.readexactly(int.from_bytes(size) - 4))
            hearing = Hearing(origin, to_client)
            task = asyncio.create_task(hearing.run())
            while True:
                message = await _read(client)
                if _is_lone_read(message):
                    answer = hearing.take_answer()
                    to_origin.write(message)
                    if not await answer:
                        continue
                to_origin.write(message)
                await to_origin.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # either side has left
        finally:
            to_origin.close()
            await asyncio.wait([task], timeout=5)
            to_client.close()


class Hearing:
    """What comes back from the server, for the client or to be swallowed."""

    def __init__(self, origin: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._origin = origin
        self._to_client = to_client
        self._swallowed: list[bytes] = []
        self._answer: asyncio.Future[bool] | None = None

    def take_answer(self) -> asyncio.Future[bool]:
        """Swallow one answer; False where it is an error, which the client is then shown."""
        self._swallowed = []
        self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    async def run(self) -> None:
        """Until the server leaves."""
        try:
            while True:
                message = await _read(self._origin)
                if self._answer is None:
                    self._to_client.write(message)
                    continue
                self._swallowed.append(message)
                if message[0] == _READY:
                    self._end()
        except (asyncio.IncompleteReadError, ConnectionError):
            self._end()
            self._to_client.close()

    def _end(self) -> None:
        if self._answer is None:
            return
        answer, self._answer = self._answer, None
        kinds = {message[0] for message in self._swallowed}
        is_whole = _READY in kinds and _ERROR not in kinds and not kinds & _COPY_STARTS
        if not is_whole:
            self._to_client.write(b"".join(self._swallowed))
        answer.set_result(is_whole)


async def _read(stream: asyncio.StreamReader) -> bytes:
    head = await stream.readexactly(5)
    return head + await stream.readexactly(int.from_bytes(head[1:]) - 4)


def _is_lone_read(message: bytes) -> bool:
    if message[:1] != b"Q":
        return False
    text = message[5:].rstrip(b"; \n\0")
    asks_once = b";" in text or any(word in text for word in _ASKED_ONCE)
    return _BEGINS_AS_READ.match(text) is not None and not asks_once


def _build_library(suite: Path, server: Server, folder: Path) -> None:
    """The suite's functions in C, and those of Debian that it uses, in ``folder``."""
    root = server.installation.root
    for name in ("refint", "autoinc"):
        if (root / "lib" / f"{name}.so").exists():
            shutil.copy(root / "lib" / f"{name}.so", folder)
    asked = subprocess.run(
        [root / "bin" / "pg_config", "--includedir-server"], capture_output=True, text=True
    )
    headers = asked.stdout.strip()
    if asked.returncode or not Path(headers, "postgres.h").exists():
        return
    command = ["gcc", "-O1", "-fPIC", "-shared", "-w", f"-I{headers}", f"-I{suite}"]
    subprocess.run([*command, "-o", folder / "regress.so", suite / "regress.c"], check=True)


def _run(suite: Path, tests: list[str], server: Server, port: int, label: str) -> dict[str, str]:
    """The output of each test, by psql on ``port``."""
    folder = server.folder
    for name in ("results", "testtablespace"):
        (folder / name).mkdir()
        server.account.own(folder / name)
    _build_library(suite, server, folder)
    server.execute(f"create database {DATABASE} template template0 locale 'C'")
    server.execute(
        *(f"alter database {DATABASE} set {name} to '{to}'" for name, to in _SETTINGS.items())
    )
    environment = server.environment(database=DATABASE) | {
        "PGPORT": str(port),
        "PGSSLMODE": "disable",
        "PGGSSENCMODE": "disable",
        "PGTZ": "PST8PDT",
        "PGDATESTYLE": "Postgres, MDY",
        "PGOPTIONS": "-c intervalstyle=postgres_verbose",
        "PG_ABS_SRCDIR": str(suite),
        "PG_ABS_BUILDDIR": str(folder),
        "PG_LIBDIR": str(folder),
        "PG_DLSUFFIX": ".so",
    }
    return {
        test: _play(suite / "sql" / f"{test}.sql", server, environment)
        for test in track(tests, label)
    }


def _play(script: Path, server: Server, environment: Mapping[str, str]) -> str:
    command = [server.bin("psql"), "-X", "-a", "-q"]
    command += ["-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on"]
    with script.open("rb") as text:
        played = subprocess.run(
            command,
            stdin=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=_PATIENCE,
        )
    # Each run has its own folder.
    output = played.stdout.decode(errors="backslashreplace")
    return output.replace(str(server.folder), "FOLDER")


def _differences(direct: str, cached: str) -> list[str]:
    before, after = (re.sub(r"\d+", "0", text).splitlines() for text in (direct, cached))
    if before == after:
        return []
    return list(
        difflib.unified_diff(direct.splitlines(), cached.splitlines(), "direct", "pgcache", n=2)
    )


def main() -> int:
    """Run both, and tell the differences; 1 where there are some."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.regression")
    parser.add_argument("source", type=Path, help="PostgreSQL 15's unpacked source")
    parser.add_argument("tests", nargs="*", help="names of tests; all of them by default")
    asked = parser.parse_args()
    suite = asked.source.resolve() / "src" / "test" / "regress"
    schedule = (suite / "parallel_schedule").read_text()
    tests = asked.tests or " ".join(re.findall(r"^test: (.*)", schedule, re.MULTILINE)).split()
    console = Console()
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        cluster = Cluster(Path(root))
        try:
            direct = cluster.server(MAJOR)
            with Doubler(direct.port).listening() as port:
                expected = _run(suite, tests, direct, port, "direct")
            origin = cluster.server(MAJOR)
            proxy = start_proxy(origin, Path(root))
            with Doubler(proxy.port).listening() as port:
                found = _run(suite, tests, origin, port, "pgcache")
            hits, misses = proxy.count("hits"), proxy.count("misses")
            complaints = proxy.complaints()
            proxy.stop()
        finally:
            cluster.close()
    differing = {name: _differences(expected[name], found[name]) for name in tests}
    for lines in differing.values():
        for line in lines:
            console.print(line, markup=False, highlight=False)
    for complaint in complaints:
        console.print(complaint, markup=False, highlight=False)
    names = [name for name, lines in differing.items() if lines]
    console.print(f"{len(tests)} tests, {hits} hits, {misses} misses; other than direct: {names}")
    return 1 if names or complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())

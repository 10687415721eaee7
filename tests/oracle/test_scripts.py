"""The origin is the oracle: every script played direct and through pgcache, each byte compared.

The scripts named after drivers are those drivers' own sequences of messages (W-80).

Plays of one script, on one database: direct twice (a script must leave things as it found them,
or the comparison means nothing), through the proxy cold, hot, with the cache off, with the client's
bytes cut everywhere, and on a proxy that marks its hits, so that "hot" is known to be hot.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Proxies
from tests.oracle.compare import assert_marked, assert_same
from tests.oracle.dataset import create_database
from tests.oracle.player import Cutter, Player, Transcript, strided, whole
from tests.oracle.script import Script, read_script
from tests.support.postgres import MAJORS, Server

_FOLDER = Path(__file__).parent / "scripts"
SCRIPTS = [read_script(path) for path in sorted(_FOLDER.glob("*.script"))]
_STRIDE = 5
"""Cut plays: every byte boundary is cut once by plays that cut at each position modulo this."""
_EVERY_CUT = os.environ.get("PGCACHE_TEST_CUTS") == "all"
"""Set to also play once for each way to cut every write in two: minutes instead of seconds."""
_HOT_PLAYS = 3
"""The catalog is loaded while the first play runs: what must hit has to by the third."""
_NUMBERS = itertools.count(1)

every_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.path.stem)
on_every_server = pytest.mark.parametrize(
    ("script", "postgres"),
    [(script, major) for script in SCRIPTS for major in MAJORS if script.runs_on(major)],
    ids=lambda value: f"pg{value}" if isinstance(value, int) else value.path.stem,
    indirect=["postgres"],
)


@dataclass(slots=True)
class Stage:
    """A script's database on one server, and the play that all others are compared with."""

    script: Script
    server: Server
    database: str
    _expected: dict[str, Transcript] = field(default_factory=dict)

    def play(
        self, address: tuple[str, int], cutter: Cutter = whole, options: str = ""
    ) -> Transcript:
        """Play the script on the address."""
        return Player(address, self.database, cutter=cutter, options=options).play(self.script)

    def direct(self) -> Transcript:
        """Return what PostgreSQL answers."""
        if "direct" not in self._expected:
            self._expected["direct"] = self.play((self.server.host, self.server.port))
        return self._expected["direct"]


class Stages:
    """Keeps a stage for each script and server, made when first asked for.

    Scripts that add nothing and move no rows share a database, until one of them fails: who knows
    in what state it left the data.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[str, int], Stage] = {}
        self._shared: dict[int, str] = {}

    def stage(self, script: Script, server: Server) -> Stage:
        """Return the script's stage on the server."""
        key = (script.path.name, server.port)
        if key not in self._made:
            self._made[key] = Stage(script, server, self._database(script, server))
        return self._made[key]

    def _database(self, script: Script, server: Server) -> str:
        shares = not script.setup.strip() and "own-data" not in script.options
        if shares and server.port in self._shared:
            return self._shared[server.port]
        name = f"o{os.getpid()}_{next(_NUMBERS)}"
        create_database(server, name, script.setup)
        if shares:
            self._shared[server.port] = name
        return name

    def forget(self, stage: Stage) -> None:
        """Give later tests other databases than this failed one."""
        self._shared.pop(stage.server.port, None)
        for key, made in list(self._made.items()):
            if made.database == stage.database:
                del self._made[key]


@pytest.fixture(scope="session")
def stages() -> Stages:
    """Return the stages of this worker; their databases go with their servers."""
    return Stages()


@pytest.fixture
def stage(
    script: Script, postgres: Server, stages: Stages, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """Yield the script's stage on the parametrised server."""
    yield from _stage(stages, script, postgres, request)


@pytest.fixture
def newest_stage(
    script: Script, newest_postgres: Server, stages: Stages, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """Yield the script's stage on the newest server."""
    if script.since > newest_postgres.major:
        pytest.skip(f"PostgreSQL {script.since} is not on this machine")
    yield from _stage(stages, script, newest_postgres, request)


def _stage(
    stages: Stages, script: Script, server: Server, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    failed = request.session.testsfailed
    made = stages.stage(script, server)
    yield made
    if request.session.testsfailed > failed:
        stages.forget(made)


@on_every_server
def test_script_through_the_proxy(stage: Stage, proxies: Proxies) -> None:
    again = stage.play((stage.server.host, stage.server.port))
    assert_same(stage.script, stage.direct(), again, "direct, the second time")
    proxy = proxies.plain(stage.server)
    proxy.forget()
    for what in ("cold", "hot"):
        assert_same(stage.script, stage.direct(), stage.play(proxy.address), what)
    off = stage.play(proxy.address, options="-c pgcache.mode=off")
    assert_same(stage.script, stage.direct(), off, "cache off")


@every_script
def test_script_hits_where_it_says(newest_stage: Stage, proxies: Proxies) -> None:
    stage = newest_stage
    address = proxies.poisoned(stage.server).address
    stage.play(address)
    for left in reversed(range(_HOT_PLAYS)):
        try:
            assert_marked(stage.script, stage.direct(), stage.play(address), "hot and poisoned")
            break
        except AssertionError:
            if not left:
                raise


@every_script
def test_script_cut_at_every_byte(newest_stage: Stage, proxies: Proxies) -> None:
    stage = newest_stage
    address = proxies.plain(stage.server).address
    chance = random.Random(stage.script.title)
    cutters: dict[str, Cutter] = {"byte by byte": strided(1, 0)}
    strides = 0 if "few-cuts" in stage.script.options else _STRIDE
    for offset in range(strides):
        cutters[f"cut at {offset} modulo {_STRIDE}"] = strided(_STRIDE, offset)
    for number in range(3):
        cutters[f"cut in two, {number}"] = _in_two(random.Random(chance.random()))
    if _EVERY_CUT:
        longest = max(len(step.payload) for step in stage.script.steps)
        cutters |= {f"cut in two at {edge}": _at(edge) for edge in range(1, longest)}
    for what, cutter in cutters.items():
        assert_same(stage.script, stage.direct(), stage.play(address, cutter), what)


def _in_two(chance: random.Random) -> Cutter:
    def cut(data: bytes) -> list[bytes]:
        if len(data) < 2:
            return [data]
        edge = chance.randrange(1, len(data))
        return [data[:edge], data[edge:]]

    return cut


def _at(edge: int) -> Cutter:
    return lambda data: [data[:edge], data[edge:]] if len(data) > edge else [data]

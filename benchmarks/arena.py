"""What all cases share: the PostgreSQL, the sizes of the run, and the peers to be started.

Each case starts the servers it compares and stops them when it ends, so that nothing idles beside
the one that is measured but its competitors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import isnan

from benchmarks import peers
from benchmarks.origin import STEADY, Origin
from benchmarks.peers import PgBouncer, Pgpool, Redis
from benchmarks.pgbench import Counted, Pgbench, Sample, Target
from benchmarks.serving import Proxy
from benchmarks.sheets import Sheet
from benchmarks.throughput import DIRECT, DISABLED, HIT, MODE_OFF
from pgcache.demo import data

PGBOUNCER, PGPOOL, REDIS = "pgbouncer", "pgpool", "redis"
PROGRAMS = {PGBOUNCER: "pgbouncer", PGPOOL: "pgpool", REDIS: "redis-server"}
TITLES = {
    DIRECT: "direct",
    PGBOUNCER: "PgBouncer",
    PGPOOL: "Pgpool-II",
    REDIS: "redis-benchmark",
    HIT: "pgcache",
    MODE_OFF: "pgcache, mode=off",
    DISABLED: "pgcache, enabled=false",
}

# The cache must not forget in the course of a run.
LASTING = {"CACHE__TTL": "1h"}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. ``budgets``: seconds for the rounds of a case, by letter."""

    rounds: int
    seconds: float  # of each throughput sample
    clients: tuple[int, ...]  # of the one-row cases
    scale: float  # of the sales data
    cold: int  # pairs of the cold dashboard
    million: int  # rows of the large result
    scene_refreshes: int  # of each user's dashboard
    stampede_ms: float  # what the cold question takes
    idle: int  # clients
    peak_seconds: float
    entries: tuple[int, ...]
    relations: tuple[int, ...]
    text_kb: tuple[int, ...]
    budgets: dict[str, float] = field(default_factory=dict)


FULL = Sizes(
    rounds=5,
    seconds=0.8,
    clients=(1, 8, 64, 256),
    scale=0.4,
    cold=11,
    million=1_000_000,
    scene_refreshes=10,
    stampede_ms=100.0,
    idle=5000,
    peak_seconds=20.0,
    entries=(10, 1_000, 100_000, 1_000_000),
    relations=(1, 10, 100, 1000),
    text_kb=(1, 10, 100, 1000),
    budgets={"a": 420.0, "b": 60.0, "e": 150.0, "g": 60.0, "h": 60.0, "i": 60.0, "p": 130.0},
)
QUICK = Sizes(
    rounds=2,
    seconds=0.3,
    clients=(1, 8, 64),
    scale=0.1,
    cold=5,
    million=1_000_000,
    scene_refreshes=4,
    stampede_ms=20.0,
    idle=500,
    peak_seconds=5.0,
    entries=(10, 1_000, 100_000),
    relations=(1, 100),
    text_kb=(1, 100, 1000),
    budgets={"a": 80.0, "b": 12.0, "e": 30.0, "g": 12.0, "h": 12.0, "i": 18.0, "p": 15.0},
)


@dataclass(slots=True)
class Result:
    """What a case found. ``figures``: what promises are held against, by their names."""

    sheets: list[Sheet] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    data: dict[str, object] = field(default_factory=dict)

    def figure(self, name: str, value: float) -> None:
        """Keep a figure, unless nothing was measured."""
        if not isnan(value):
            self.figures[name] = value


class Arena:
    """One run's PostgreSQL and what is compared with it."""

    def __init__(
        self, origin: Origin, sizes: Sizes, wanted: Collection[str], say: Callable[[str], None]
    ) -> None:
        self.origin = origin
        self.sizes = sizes
        self.wanted = wanted
        self.say = say
        self.pgbench = Pgbench(origin.bin / "pgbench", data.DATABASE)

    def budget(self, letter: str) -> float:
        """Seconds for the rounds of a case."""
        return self.sizes.budgets[letter]

    def proxy(self, *command: str, **settings: str) -> Proxy:
        """A pgcache, not yet started, whose entries stay; ``command`` as in ``Proxy``."""
        return Proxy(self.origin, *command, **{**LASTING, **settings})

    def steady(
        self, name: str, port: int, server: Counted | None = None, options: str = ""
    ) -> Target:
        """A target for the user who needs no password."""
        return Target(name, port, STEADY, options=options, server=server)

    def analyst(self, name: str, port: int, server: Counted | None = None) -> Target:
        """A target for the user who logs in with SCRAM."""
        password = self.origin.passwords[data.ANALYST]
        return Target(name, port, data.ANALYST, password, server=server)

    @contextmanager
    def targets(
        self, names: Collection[str], clients: int, *, block_mb: int = 1, **settings: str
    ) -> Iterator[dict[str, Target]]:
        """Start what is named and installed; gives the targets of the user without a password.

        ``block_mb``: of Pgpool-II's cache. ``settings``: of the pgcache that caches.
        """
        found: dict[str, Target] = {}
        with ExitStack() as stack:
            if DIRECT in names:
                found[DIRECT] = self.steady(DIRECT, self.origin.port)
            if PGBOUNCER in names and is_installed(PGBOUNCER):
                self.say("starting PgBouncer")
                bouncer = stack.enter_context(PgBouncer(self.origin, clients))
                found[PGBOUNCER] = self.steady(PGBOUNCER, bouncer.port, server=bouncer)
            if PGPOOL in names and is_installed(PGPOOL):
                self.say("starting Pgpool-II")
                pool = stack.enter_context(Pgpool(self.origin, clients, block_mb))
                found[PGPOOL] = self.steady(PGPOOL, pool.port, server=pool)
            if REDIS in names and is_installed(REDIS):
                found[REDIS] = self.steady(REDIS, stack.enter_context(Redis()).port)
            self.say("starting pgcache")
            if HIT in names or MODE_OFF in names:
                proxy = stack.enter_context(self.proxy(**settings))
                found[HIT] = self.steady(HIT, proxy.port, server=proxy)
                off = "-c pgcache.mode=off"
                found[MODE_OFF] = self.steady(MODE_OFF, proxy.port, options=off, server=proxy)
            if DISABLED in names:
                plain = stack.enter_context(self.proxy(CACHE__ENABLED="false"))
                found[DISABLED] = self.steady(DISABLED, plain.port, server=plain)
            yield {name: target for name, target in found.items() if name in names}


def is_installed(name: str) -> bool:
    """Whether a peer can be started here."""
    return peers.find(PROGRAMS[name]) is not None


def missing_peers() -> dict[str, str]:
    """Peers that are left out, and why."""
    packages = {name: peers.PACKAGES[program] for name, program in PROGRAMS.items()}
    return {
        TITLES[name]: f"not installed (Debian: {package})"
        for name, package in packages.items()
        if not is_installed(name)
    }


def redis_sample(target: Target, clients: int, times: int) -> Sample:
    """So many GETs by each client, as a sample like any other."""
    return Sample(peers.redis_gets(target.port, clients, times * clients), 0.0, 0.0, 0.0)

"""The store fails in every way while sessions race through three proxies that share it.

No read may be older than what was acknowledged (strict mode), and no client may see an error that
PostgreSQL did not give it; also where a proxy has lost what others announced (T-12). Each proxy
reaches Redis over a link of its own, so that one can lose it alone. Results come of age quickly,
and are stale and renewed ahead meanwhile; some are large. How the proxies keep them is the seed's.

Each fault comes once, in the order of the seed. PGCACHE_TEST_FAULT_SECONDS has each of them on its
own for so long, and then all at random; PGCACHE_TEST_SEED is another run.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest

from pgcache.cache.shared.link import Times
from pgcache.config.values import parse_duration
from tests.race.arena import race
from tests.race.registers import StaleRead
from tests.race.worker import World
from tests.shared.conftest import LEASE, Start
from tests.support.link import Link
from tests.support.postgres import Server
from tests.support.proxy import SERVICE, Proxy
from tests.support.raw import eventually
from tests.support.redis import RedisServer

PROXIES = 3
SECONDS = float(os.environ.get("PGCACHE_TEST_FAULT_SECONDS", "0"))
SEED = int(os.environ.get("PGCACHE_TEST_SEED", "1"))
# The last proxy has memory for a part of the results only, so that it fetches most of them.
_LITTLE = {"store__max_bytes": "20kB", "store__max_entry_bytes": "20kB"}
# What eventual reads may be behind by, in seconds.
TRUST = Times(parse_duration(LEASE)).trust
# At first nothing fails: so much is read from the cache before, or the run has shown nothing.
_HITS_BEFORE = 100
_HITS_BETWEEN = 20
# How many reads bring a large value along.
WIDE = 0.03


@dataclass(frozen=True, slots=True)
class Stage:
    """Three proxies, and what can go wrong between them and their store."""

    redis: RedisServer
    links: list[Link]
    proxies: list[Proxy]

    async def do(self, work: Callable[[], object]) -> None:
        """Run something that blocks beside the race."""
        await asyncio.to_thread(work)


Fault = Callable[[Stage, random.Random], Awaitable[None]]


async def _kill(stage: Stage, chance: random.Random) -> None:
    """Kill -9, and nothing for a while."""
    await stage.do(stage.redis.kill)
    await asyncio.sleep(chance.uniform(0.1, 2.0))
    await stage.do(stage.redis.start)
    await asyncio.sleep(chance.uniform(0.5, 2.0))


async def _restart(stage: Stage, chance: random.Random) -> None:
    """Back at once, without its data."""
    await stage.do(stage.redis.restart)
    await asyncio.sleep(chance.uniform(0.5, 2.0))


async def _stop(stage: Stage, chance: random.Random) -> None:
    """SIGSTOP: connections stay and nothing comes."""
    stage.redis.pause()
    await asyncio.sleep(chance.uniform(0.05, 3.0))
    stage.redis.resume()
    await asyncio.sleep(chance.uniform(0.5, 2.0))


async def _slow(stage: Stage, chance: random.Random) -> None:
    """Answers take long, some of them too long."""
    for link in stage.links:
        link.delay(chance.choice((0.0, 0.01, 0.1, 0.7)))
    await asyncio.sleep(chance.uniform(0.2, 1.5))
    for link in stage.links:
        link.delay(0.0)


async def _partition(stage: Stage, chance: random.Random) -> None:
    """One proxy's packets go nowhere, for less or more than its lease."""
    link = chance.choice(stage.links)
    await stage.do(link.stall)
    await asyncio.sleep(chance.uniform(0.2, 4.0))
    await stage.do(link.heal)
    await asyncio.sleep(chance.uniform(0.2, 1.5))


async def _cut(stage: Stage, chance: random.Random) -> None:
    """One proxy's connections are reset, and refused for a while."""
    link = chance.choice(stage.links)
    await stage.do(link.cut)
    await asyncio.sleep(chance.uniform(0.0, 2.0))
    await stage.do(link.heal)
    await asyncio.sleep(chance.uniform(0.2, 1.5))


async def _flush(stage: Stage, chance: random.Random) -> None:
    """FLUSHALL."""
    await stage.do(stage.redis.flush)
    await asyncio.sleep(chance.uniform(0.05, 3.0))


async def _evict(stage: Stage, chance: random.Random) -> None:
    """Memory runs out: whatever key is in the way goes, the state among them."""
    used = int(stage.redis.info("memory")["used_memory"])
    policy = chance.choice(("allkeys-random", "allkeys-lru", "volatile-ttl", "noeviction"))
    await stage.do(lambda: stage.redis.say("CONFIG", "SET", "maxmemory-policy", policy))
    await stage.do(lambda: stage.redis.say("CONFIG", "SET", "maxmemory", used - (200 << 10)))
    await asyncio.sleep(chance.uniform(0.5, 2.0))
    await stage.do(lambda: stage.redis.say("CONFIG", "SET", "maxmemory", 0))
    await asyncio.sleep(chance.uniform(0.2, 1.0))


async def _drop_scripts(stage: Stage, chance: random.Random) -> None:
    """SCRIPT FLUSH, and connections killed from the other side."""
    await stage.do(lambda: stage.redis.say("SCRIPT", "FLUSH"))
    kind = chance.choice(("normal", "pubsub"))
    await stage.do(lambda: stage.redis.say("CLIENT", "KILL", "TYPE", kind))
    await asyncio.sleep(chance.uniform(0.2, 1.5))


async def _demote(stage: Stage, chance: random.Random) -> None:
    """The primary is a replica for a while, and tells nobody; then it is the primary again."""
    await stage.do(lambda: stage.redis.say("REPLICAOF", "127.0.0.1", 1))
    await asyncio.sleep(chance.uniform(0.05, 3.0))
    await stage.do(lambda: stage.redis.say("REPLICAOF", "NO", "ONE"))
    await asyncio.sleep(chance.uniform(0.5, 2.0))


async def _pause(stage: Stage, chance: random.Random) -> None:
    """CLIENT PAUSE: nothing is answered, or only what writes nothing."""
    kind, long = chance.choice(("ALL", "WRITE")), chance.uniform(0.05, 2.0)
    await stage.do(lambda: stage.redis.say("CLIENT", "PAUSE", round(long * 1000), kind))
    await asyncio.sleep(long + chance.uniform(0.2, 1.5))


async def _refuse(stage: Stage, chance: random.Random) -> None:
    """Somebody takes away the rights to some commands."""
    lost = chance.choice((["evalsha"], ["hmget"], ["ssubscribe"], ["evalsha", "hmget", "script"]))
    await stage.do(lambda: stage.redis.say("ACL", "SETUSER", "default", *(f"-{c}" for c in lost)))
    await asyncio.sleep(chance.uniform(0.2, 3.0))
    await stage.do(lambda: stage.redis.say("ACL", "SETUSER", "default", *(f"+{c}" for c in lost)))
    await asyncio.sleep(chance.uniform(0.2, 1.5))


async def _freeze(stage: Stage, chance: random.Random) -> None:
    """One proxy stands still (SIGSTOP), amid whatever it does, for less or more than its lease."""
    proxy = chance.choice(stage.proxies)
    proxy.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(chance.uniform(0.2, 4.0))
    proxy.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(chance.uniform(0.0, 1.0))


async def _order(stage: Stage, chance: random.Random) -> None:
    """Some results are to be forgotten: the proxy that is told so tells the others."""
    proxy = chance.choice(stage.proxies)
    pattern = chance.choice(("%from p0%", "%from target%", "%code%"))

    def tell() -> None:
        with psycopg.connect(proxy.url(SERVICE, "pgcache"), autocommit=True) as console:
            console.execute(f"INVALIDATE MATCHING '{pattern}'".encode())

    await stage.do(tell)
    await asyncio.sleep(chance.uniform(0.0, 0.5))


SERVER: Mapping[str, Fault] = {
    "kill": _kill,
    "restart": _restart,
    "flush": _flush,
    "evict": _evict,
    "scripts": _drop_scripts,
}
WAYS: Mapping[str, Fault] = {
    "stop": _stop,
    "slow": _slow,
    "partition": _partition,
    "cut": _cut,
    "order": _order,
    "freeze": _freeze,
}
# Only in long runs.
RARE: Mapping[str, Fault] = {"demote": _demote, "pause": _pause, "refuse": _refuse}
FAULTS = {**SERVER, **WAYS, **RARE}
PLANS = {"server": list(SERVER), "ways": list(WAYS), "everything": list(FAULTS)}
PLANS |= {name: [name, name] for name in FAULTS}
NAMES = [*FAULTS, "everything"] if SECONDS else ["server", "ways"]


@pytest.fixture
def consistency() -> str:
    return "strict"


def options(consistency: str) -> dict[str, str]:
    """How all proxies are configured in a run of this seed."""
    chance = random.Random(f"{SEED} options")
    secret = {"store__secret": "a secret of the tests"} if chance.random() < 0.5 else {}
    return secret | {
        "store__consistency": consistency,
        "store__compression": chance.choice(("zstd", "gzip", "none")),
        "store__compress_min_bytes": chance.choice(("16", "100kB")),
        # With little memory rows come from Redis.
        "store__max_bytes": (memory := chance.choice(("256kB", "64MB"))),
        "store__max_entry_bytes": memory,
        "cache__ttl": chance.choice(("1s", "1min")),
        "cache__grace": chance.choice(("0", "1min")),
        "cache__refresh_ahead": "1",
        "cache__verify_ratio": chance.choice(("0", "0.2")),
    }


@pytest.fixture
def stage(shared_redis: RedisServer, start: Start, consistency: str) -> Iterator[Stage]:
    """Three proxies, each with a link of its own."""
    with ExitStack() as stack:
        links = [stack.enter_context(Link(shared_redis.address)) for _ in range(PROXIES)]
        proxies = [
            start(
                f"redis://{link.host}:{link.port}/0",
                **options(consistency) | (_LITTLE if link is links[-1] else {}),
            )
            for link in links
        ]
        yield Stage(shared_redis, links, proxies)


def _trouble(
    stage: Stage, faults: list[Fault], chance: random.Random
) -> Callable[[World], Awaitable[None]]:
    chance.shuffle(faults)

    async def make(world: World) -> None:
        await _await_hits(world, _HITS_BEFORE)
        world.counts["hits_before"] = world.counts["hits"]
        end = time.monotonic() + SECONDS
        for fault in faults:
            await fault(stage, chance)
            # The store comes back: results are shared again without anybody's help.
            await _await_hits(world, world.counts["hits"] + _HITS_BETWEEN)
        while time.monotonic() < end:
            await chance.choice(faults)(stage, chance)
        await _await_hits(world, world.counts["hits"] + _HITS_BETWEEN)

    return make


async def _await_hits(world: World, count: int) -> None:
    await asyncio.to_thread(eventually, lambda: world.counts["hits"] >= count)


@pytest.mark.slow
@pytest.mark.timeout(180 + 3 * SECONDS)
@pytest.mark.parametrize("name", NAMES)
def test_no_stale_read_and_no_failed_query(
    name: str, stage: Stage, newest_postgres: Server
) -> None:
    _run(name, stage, newest_postgres, slack=0.0)


@pytest.mark.slow
@pytest.mark.timeout(180 + 3 * SECONDS)
@pytest.mark.parametrize("consistency", ["eventual"])
@pytest.mark.parametrize("name", ["partition", "everything"] if SECONDS else ["ways"])
def test_eventual_reads_are_behind_by_three_quarters_of_the_lease_at_most(
    name: str, stage: Stage, newest_postgres: Server
) -> None:
    """Counted from the acknowledgement, or from when somebody saw what was written."""
    _run(name, stage, newest_postgres, slack=TRUST)


def _run(name: str, stage: Stage, server: Server, slack: float) -> None:
    chance = random.Random(f"{SEED} {name}")
    faults = [FAULTS[fault] for fault in PLANS[name]]
    addresses = [proxy.address for proxy in stage.proxies]
    trouble = _trouble(stage, faults, chance)
    try:
        world = asyncio.run(race(server, addresses, SEED, trouble=trouble, slack=slack, wide=WIDE))
    except* StaleRead as stale:
        pytest.fail(f"{name}, seed {SEED}: {stale.exceptions[0]}")
    counts = world.counts
    print(f"{name}, seed {SEED}: {dict(counts)}")  # noqa: T201 - shown with -s and on failure
    assert counts["writes"] > counts["reads"] / 100
    assert counts["errors"] < counts["reads"] / 20

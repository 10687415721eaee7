"""What ``pgcache check`` looks at, one function per matter; showing it is ``check.py``'s part.

All statements name pg_catalog explicitly (W-11) and change nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pgcache.cache.shared.client import OLDEST as OLDEST_REDIS
from pgcache.cache.shared.contract import StoreLost
from pgcache.catalog.connect import build_connect
from pgcache.catalog.loader import Connection, load_snapshot
from pgcache.catalog.options import build_options
from pgcache.cli.failure import FAILURES, describe_failure
from pgcache.cli.findings import Finding, Grade
from pgcache.config import Config, Origin
from pgcache.config.values import format_duration, format_size
from pgcache.sharing import build_client

OLDEST, NEWEST = 14, 18  # majors of PostgreSQL that pgcache is made for
_PATIENCE = 5.0  # how long the shared store may take to answer, in seconds


async def run_checks(config: Config) -> list[Finding]:
    """Look at everything; what depends on a connection is left out when there is none."""
    findings = [check_store(config), *check_tls(config), check_lifetime(config)]
    if config.store.is_shared:
        findings.append(await check_shared_store(config))
    origin = config.origin
    try:
        connection = await build_connect(**build_options(origin))(origin.dbname)
    except FAILURES as error:
        found, advice = describe_failure(error, origin)
        return [*findings, Finding("origin", Grade.FAILURE, f"{origin}: {found}", advice)]
    try:
        findings += [await _guarded(check, connection, config) for check in _ON_A_CONNECTION]
    finally:
        await connection.close(timeout=origin.connect_timeout)
    return findings


Check = Callable[[Connection, Config], Awaitable[Finding]]


async def _guarded(check: Check, connection: Connection, config: Config) -> Finding:
    matter = check.__name__.removeprefix("check_").replace("_", " ")
    try:
        return await check(connection, config)
    except FAILURES as error:
        return Finding(matter, Grade.FAILURE, *describe_failure(error, config.origin))


def check_store(config: Config) -> Finding:
    """Where results are kept."""
    store = config.store
    found = f"{store.shown}, {format_size(store.max_bytes)}"
    return Finding("store", Grade.GOOD, f"{found}, entries to {format_size(store.max_entry_bytes)}")


async def check_shared_store(config: Config) -> Finding:
    """Whether the store that proxies share answers, and is one that can be used."""
    matter = "shared store"
    client = build_client(config.store)
    try:
        async with asyncio.timeout(_PATIENCE):
            version, eviction = await client.version(), await client.eviction()
    except (StoreLost, TimeoutError) as error:
        found = f"{config.store.shown}: {str(error) or 'no answer'}"
        advice = "Start it or mend store.url; until it answers, nothing is cached."
        return Finding(matter, Grade.FAILURE, found, advice)
    finally:
        await client.close()
    told = f"Redis {'.'.join(map(str, version))}, maxmemory-policy {eviction or 'unknown'}"
    if version[0] < OLDEST_REDIS:
        return Finding(matter, Grade.FAILURE, told, f"Redis {OLDEST_REDIS} or later is needed.")
    if eviction.startswith("allkeys"):
        advice = "Set maxmemory-policy volatile-ttl: the state ends last and should not be evicted."
        return Finding(matter, Grade.WARNING, told, advice)
    return Finding(matter, Grade.GOOD, told)


def check_lifetime(config: Config) -> Finding:
    """Whether anything would be cached at all."""
    cache = config.cache
    if not cache.enabled:
        return Finding("lifetime", Grade.WARNING, "cache.enabled is false: nothing is cached")
    if cache.ttl == 0 and not any(table.ttl for table in config.tables.values()):
        return Finding("lifetime", Grade.WARNING, "cache.ttl is 0: nothing is cached")
    own = f", {len(config.tables)} tables with their own" if config.tables else ""
    mode = "" if cache.mode == "on" else ", sessions opt in by SET pgcache.mode = on"
    return Finding("lifetime", Grade.GOOD, f"{format_duration(cache.ttl)}{own}{mode}")


def check_tls(config: Config) -> list[Finding]:
    """Certificates for clients that cannot be read would be found too late."""
    findings = []
    tls = config.tls
    for name in (tls.cert, tls.key):
        if tls.is_offered and name is not None:
            try:
                Path(name).read_bytes()
            except OSError as error:
                found = f"cannot read {name}: {error.strerror}"
                findings.append(Finding("TLS for clients", Grade.FAILURE, found))
    if not findings:
        offered = f"{tls.mode}, {tls.cert}" if tls.is_offered else "not offered"
        findings.append(Finding("TLS for clients", Grade.GOOD, offered))
    return findings


async def check_origin(connection: Connection, config: Config) -> Finding:
    """Reached, and of a version that pgcache is made for."""
    number = int(await _setting(connection, "server_version_num"))
    found = f"PostgreSQL {number // 10000}.{number % 10000} at {config.origin}"
    if await connection.fetchval("SELECT pg_catalog.pg_is_in_recovery()"):
        advice = (
            "a standby may lag behind what was invalidated, so nothing is cached: use the primary"
        )
        return Finding("origin", Grade.FAILURE, f"{found}, a standby", advice)
    if not OLDEST <= number // 10000 <= NEWEST:
        advice = f"made for {OLDEST} to {NEWEST}; compare results before relying on others"
        return Finding("origin", Grade.WARNING, found, advice)
    return Finding("origin", Grade.GOOD, found)


async def check_encryption(connection: Connection, config: Config) -> Finding:
    """What the leg to the origin is, and the trap of TLS on both legs (W-21)."""
    row = await _row(
        connection,
        "SELECT s.ssl, s.version FROM pg_catalog.pg_stat_ssl AS s "
        "WHERE s.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()",
    )
    if not row["ssl"]:
        grade = Grade.GOOD if _is_near(config.origin) else Grade.WARNING
        advice = "" if _is_near(config.origin) else "add ?sslmode=verify-full to the upstream URL"
        return Finding("encryption", grade, "none towards the origin", advice)
    found = f"{row['version']} towards the origin"
    if config.tls.is_offered:
        advice = (
            "with TLS on both legs, clients that log in by SCRAM must set channel_binding=disable"
        )
        return Finding("encryption", Grade.NOTE, found, advice)
    return Finding("encryption", Grade.GOOD, found)


def _is_near(origin: Origin) -> bool:
    return origin.is_unix or origin.host in ("localhost", "127.0.0.1", "::1")


async def check_service_role(connection: Connection, _config: Config) -> Finding:
    """Whose eyes read the catalogs, and whether they could do too much."""
    row = await _row(
        connection,
        "SELECT r.rolname, r.rolsuper FROM pg_catalog.pg_roles AS r "
        "WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER",
    )
    found = f"{row['rolname']} logs in"
    if row["rolsuper"]:
        advice = "it needs no privileges: CREATE ROLE pgcache LOGIN PASSWORD '…' is enough"
        return Finding("service role", Grade.WARNING, f"{found}, a superuser", advice)
    return Finding("service role", Grade.GOOD, found)


async def check_catalogs(connection: Connection, config: Config) -> Finding:
    """Whether a snapshot can be read, and how long that takes."""
    started = time.perf_counter()
    snapshot = await load_snapshot(connection, config.declared)
    elapsed = format_duration(round(time.perf_counter() - started, 3))
    return Finding("catalogs", Grade.GOOD, f"{snapshot.database}: read in {elapsed}")


async def check_connections(connection: Connection, config: Config) -> Finding:
    """Each client has its own session at the origin, so the origin's limit is the real one."""
    limit = int(await _setting(connection, "max_connections"))
    clients = config.listen.max_clients
    found = f"the origin takes {limit}, listen.max_clients is {clients}"
    return Finding("connections", Grade.NOTE if clients > limit else Grade.GOOD, found)


async def check_changes_made_elsewhere(connection: Connection, config: Config) -> Finding:
    """Writes through pgcache are always seen; what this origin would allow beside that."""
    wal_level = await _setting(connection, "wal_level")
    row = await _row(
        connection,
        "SELECT r.rolreplication OR r.rolsuper AS replicates FROM pg_catalog.pg_roles AS r "
        "WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER",
    )
    ready = wal_level == "logical" and row["replicates"]
    missing = "the service role lacks REPLICATION"
    if wal_level != "logical":
        missing = f"wal_level is {wal_level}"
    logical = "would allow it" if ready else f"would not allow it: {missing}"
    found = (
        f"seen when lifetimes end ({format_duration(config.cache.ttl)} unless set); "
        f"logical replication is not used by this version (the origin {logical})"
    )
    return Finding("changes made elsewhere", Grade.NOTE, found)


_ON_A_CONNECTION: tuple[Check, ...] = (
    check_origin,
    check_encryption,
    check_service_role,
    check_catalogs,
    check_connections,
    check_changes_made_elsewhere,
)


async def _row(connection: Connection, query: str) -> Any:
    row = await connection.fetchrow(query)
    assert row is not None  # each of these queries asks about the session itself
    return row


async def _setting(connection: Connection, name: str) -> str:
    return str(await connection.fetchval("SELECT pg_catalog.current_setting($1)", name))

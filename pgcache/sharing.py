"""Puts the link to a shared store together from the configuration. Part of the composition root."""

from __future__ import annotations

import json
import secrets
from hashlib import blake2b
from time import monotonic
from typing import Protocol

import structlog

from pgcache.cache.shared.client import OLDEST, RedisClient
from pgcache.cache.shared.codec import Codec
from pgcache.cache.shared.compress import method_of
from pgcache.cache.shared.contract import StoreLost
from pgcache.cache.shared.link import Link, Times
from pgcache.catalog.service import CatalogService
from pgcache.config import Config
from pgcache.config.store import StoreConfig
from pgcache.errors import ConfigError, StartError
from pgcache.invalidation.bus import Fits, build_fits
from pgcache.invalidation.orders import OrderError, unpack_order

log = structlog.get_logger("pgcache.store")

# What decides which results there are, and how long: it has to be the same for all.
_COMPARED = ("cache", "tables", "functions", "rules")
_COMPARED_IN_STORE = ("consistency", "max_entry_bytes", "lease")


def build_link(config: Config, catalog: CatalogService) -> Link | None:
    """The link to the store that the configuration names, None where it is memory alone.

    Raises ConfigError where something that the configuration asks for is not installed.
    """
    store = config.store
    if not store.is_shared or not config.cache.enabled:
        return None
    return Link(
        build_client(store),
        build_codec(store),
        prefix=store.prefix,
        times=Times(store.lease),
        patience=store.timeout,
        flight_wait=config.cache.flight_wait,
        configuration=fingerprint(config),
        clock=monotonic,
        life_pid=lambda: catalog.backend_pid(config.origin.dbname),
        backend_gone=catalog.backend_gone,
        read_order=read_order,
    )


def read_order(packed: bytes) -> Fits:
    """Which keys another proxy's order means; all of them where it cannot be understood."""
    try:
        return build_fits(unpack_order(packed))
    except (OrderError, ValueError, AttributeError) as error:
        log.warning("an order of another proxy is not understood", why=str(error))
        return lambda _: True


def build_client(store: StoreConfig) -> RedisClient:
    """A client of this process' own for the shared store. Raises ConfigError."""
    url = store.url.get_secret_value()
    try:
        return RedisClient(
            url,
            process=secrets.token_hex(8),
            max_connections=store.max_connections,
        )
    except ValueError as error:
        raise ConfigError(f"store.url cannot be used: {error}") from error


class Dated(Protocol):
    """A store that tells its version."""

    async def version(self) -> tuple[int, ...]:
        """The server's version. Raises StoreLost."""


async def refuse_old_store(store: Dated) -> None:
    """Raise StartError where the store answers, and is too old to be one.

    One that does not answer may be started later; if that is too old it stays degraded.
    """
    try:
        version = await store.version()
    except StoreLost as error:
        log.warning(
            "the shared store does not answer: until it does, nothing is cached", why=str(error)
        )
        return
    if version[0] < OLDEST:
        told = ".".join(map(str, version))
        raise StartError(
            f"the shared store is Redis {told}, and {OLDEST} or later is needed",
            hint="start a newer one, or leave store.url out: each process then has its own",
        )


def build_codec(store: StoreConfig) -> Codec:
    """How values are written. Raises ConfigError."""
    try:
        method = method_of(store.compression)
    except ValueError as error:
        raise ConfigError(f"store.compression = {store.compression!r} {error}") from error
    secret = b"" if store.secret is None else store.secret.get_secret_value().encode()
    key = blake2b(secret, digest_size=32, person=b"pgcache-secret").digest() if secret else b""
    return Codec(method, store.compress_min_bytes, key)


def fingerprint(config: Config) -> str:
    """Eight hexadecimal digits of what all proxies have to agree on."""
    dumped = config.model_dump(mode="json")
    told = {name: dumped.get(name) for name in _COMPARED}
    told |= {f"store.{name}": dumped["store"][name] for name in _COMPARED_IN_STORE}
    text = json.dumps(told, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=4).hexdigest()

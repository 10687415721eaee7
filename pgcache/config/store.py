"""Where results are kept: this process' memory, and the store that several proxies share."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator

from pgcache.config.section import Section, option
from pgcache.config.values import DURATION_HELP, SIZE_HELP, PositiveDuration, Size

STORE_HELP: Final = (
    "'memory://', 'redis://HOST:PORT/0', 'rediss://…', 'unix:///PATH', "
    "'redis+sentinel://HOST:PORT,…/SERVICE/0' or 'redis+cluster://HOST:PORT,…'"
)
_SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster")


class StoreConfig(Section):
    """Where results are kept: in memory, and behind that in a Redis that proxies share."""

    url: SecretStr = option(
        "memory://",
        "The store. With memory:// each process has its own; a Redis (7 or later) is shared by all "
        "proxies that name it, with the memory of each as a tier before it.",
        STORE_HELP,
    )
    max_bytes: Size = option(
        "256MB",
        "All results in this process' memory; the least recently used leave first.",
        SIZE_HELP,
    )
    max_entry_bytes: Size = option("16MB", "A larger result is forwarded and not kept.", SIZE_HELP)
    prefix: str = option(
        "pgcache",
        "What all names in the shared store begin with.",
        "letters, digits, '.', '_' and '-'",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
    )
    secret: SecretStr | None = option(
        None,
        "With it, results in the shared store are authenticated: whoever can write to it cannot "
        "forge rows. All proxies need the same.",
        "at least sixteen characters",
        min_length=16,
    )
    consistency: Literal["eventual", "strict"] = option(
        "strict",
        "'strict': the shared store confirms every hit. 'eventual': hits in memory are told of "
        "writes before those are committed, but do not ask; a busy proxy may give an older result "
        "for a moment. Without a shared store there is no difference.",
        "'eventual' or 'strict'",
    )
    compression: Literal["zstd", "gzip", "lz4", "none"] = option(
        "zstd",
        "How large results are kept in the shared store; 'lz4' needs pgcache[lz4].",
        "'zstd', 'gzip', 'lz4' or 'none'",
    )
    compress_min_bytes: Size = option(
        "100kB", "Smaller results are not compressed in the shared store.", SIZE_HELP
    )
    timeout: PositiveDuration = option(
        "100ms",
        "A read that the shared store has not answered after this time goes to PostgreSQL.",
        DURATION_HELP,
    )
    lease: PositiveDuration = option(
        "2s",
        "A proxy that the shared store has not heard of for this time is taken for cut off, and "
        "nothing is served until it is back or gone. A write of a proxy that cannot reach the "
        "store waits a little over twice this time, once.",
        DURATION_HELP,
    )
    max_connections: int = option(
        32, "Connections of each process to the shared store.", "1 or more", ge=1
    )

    @field_validator("url")
    @classmethod
    def _known_store(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if url.rstrip("/") == "memory:":
            return SecretStr("memory://")
        try:
            parts = urlsplit(url)
            place = parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]
        except ValueError as error:
            raise ValueError(f"is not a URL ({error}); give {STORE_HELP}") from error
        if parts.scheme not in _SCHEMES or not place:
            raise ValueError(f"is not a store; give {STORE_HELP}")
        return value

    @model_validator(mode="after")
    def _entries_fit(self) -> StoreConfig:
        if self.max_entry_bytes > self.max_bytes:
            raise ValueError("max_entry_bytes is more than max_bytes; lower it or raise max_bytes")
        return self

    @property
    def is_shared(self) -> bool:
        """Whether other proxies may use the same store."""
        return self.url.get_secret_value() != "memory://"

    @property
    def shown(self) -> str:
        """The URL without what is secret in it."""
        url = self.url.get_secret_value()
        parts = urlsplit(url)
        if "@" not in parts.netloc:
            return url
        return parts._replace(netloc="…@" + parts.netloc.rpartition("@")[2]).geturl()

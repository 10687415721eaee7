"""Every option: its type, its default, its unit and its help. One model, and nothing else.

``config.example.toml`` and the tables of ``docs/configuration.md`` are generated from it, so they
cannot drift. Counterpart: ``load.py`` finds the values and turns bad ones into advice. An option
exists only if the code honours it. Knows nothing of files or environment variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pgcache.config.lifetimes import CacheConfig, RuleConfig, TableConfig
from pgcache.config.origin import URL_HELP, Origin, parse_origin
from pgcache.config.section import Section, check_qualified, option
from pgcache.config.store import StoreConfig
from pgcache.config.values import (
    ADDRESS_HELP,
    DURATION_HELP,
    Duration,
    ListenAddress,
    PositiveDuration,
)
from pgcache.config.warm import WarmConfig, WarmUpConfig


class ListenConfig(Section):
    """Where clients connect."""

    address: ListenAddress = option(
        "127.0.0.1:6432", "Address for clients. Port 0 takes any free port.", ADDRESS_HELP
    )
    startup_timeout: PositiveDuration = option(
        "60s",
        "A client that has not logged in after this time is disconnected.",
        DURATION_HELP,
    )
    backlog: int = option(
        1024, "Connections that the kernel may hold before they are accepted.", "1 or more", ge=1
    )
    max_clients: int = option(
        10_000,
        "Client connections at the same time, of each worker; further ones are refused with "
        "SQLSTATE 53300.",
        "1 or more",
        ge=1,
    )
    workers: int = option(
        1,
        "Processes that share the address, each with an event loop and a memory of its own. More "
        "than one need a store that all of them share.",
        "1 to 256",
        ge=1,
        le=256,
    )
    worker_timeout: PositiveDuration = option(
        "30s",
        "A worker that has not answered its supervisor for this time hangs: it is killed, and "
        "another takes its place.",
        DURATION_HELP,
    )


def _validate_origin(value: Any, info: ValidationInfo) -> Origin:
    if isinstance(value, Origin):
        return value
    if not isinstance(value, str):
        raise ValueError(f"is not a PostgreSQL connection URL; give {URL_HELP}")
    return parse_origin(value, (info.context or {}).get("environ"))


OriginUrl = Annotated[
    Origin,
    PlainValidator(_validate_origin),
    PlainSerializer(lambda origin: f"postgresql://{origin}", return_type=str),
]


class UpstreamConfig(Section):
    """The PostgreSQL server behind pgcache, and the service role that reads its catalogs."""

    url: OriginUrl = Field(
        description=(
            "Connection URL as libpq takes it. Host, port and the ssl… parameters apply to all "
            "connections; user and password are the service role, which only reads catalogs "
            "(clients log in as themselves). What is left out comes from PGHOST, PGUSER, "
            "PGPASSWORD, the password file and their kin."
        ),
        json_schema_extra={"allowed": URL_HELP},
        examples=["postgresql://pgcache@127.0.0.1:5432/postgres"],
    )


class FunctionConfig(Section):
    """What a user-defined function touches, declared because nobody can see into it."""

    reads: tuple[str, ...] = option(
        (), "Tables a STABLE function reads; queries that call it are then cached.", "schema.table"
    )
    writes: tuple[str, ...] = option(
        (),
        "Tables a trigger function changes; a write that fires it then invalidates these "
        "instead of everything.",
        "schema.table",
    )

    @field_validator("reads", "writes")
    @classmethod
    def _qualified(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            check_qualified(name, "table")
        return names

    @model_validator(mode="after")
    def _declares_something(self) -> FunctionConfig:
        if not self.model_fields_set:
            raise ValueError("declares nothing; give reads = […] or writes = […] (maybe empty)")
        return self


class EventConfig(Section):
    """What an application's event invalidates."""

    tags: tuple[str, ...] = option((), "Tags whose results it invalidates.", "a list of names")
    tables: tuple[str, ...] = option((), "Tables whose results it invalidates.", "schema.table")

    @field_validator("tables")
    @classmethod
    def _qualified(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            check_qualified(name, "table")
        return names

    @model_validator(mode="after")
    def _does_something(self) -> EventConfig:
        if not self.tags and not self.tables:
            raise ValueError("invalidates nothing; give tags = […] or tables = […]")
        return self


class InvalidationConfig(Section):
    """How pgcache learns that data changed."""

    notify_channel: str | None = option(
        None,
        "Channel on the origin to listen to, as for NOTIFY pgcache, 'order.created'. pgcache then "
        "keeps one more connection to each database in use, and serves from the cache only while "
        "that hears.",
        "a channel's name",
        min_length=1,
        max_length=63,
    )
    stream_url: SecretStr | None = option(
        None,
        "Redis with a stream of events, as written by XADD pgcache:events * event order.created. "
        "Results are served only while it can be read.",
        "redis://, rediss:// or unix://",
    )
    stream: str = option("pgcache:events", "The stream's key.", "a key", min_length=1)
    event_window: Duration = option(
        "10min",
        "How long the ids of events are remembered, so that none is carried out twice.",
        DURATION_HELP,
    )

    @field_validator("stream_url")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(
            ("redis://", "rediss://", "unix://")
        ):
            raise ValueError("is no Redis URL; give redis://HOST:PORT/0, rediss:// or unix://")
        return url

    unknown_writes: Literal["flush"] = option(
        "flush",
        "What a write through pgcache does whose tables cannot be known: 'flush' drops all "
        "results of the database.",
        "'flush'",
    )


class AdminConfig(Section):
    """The operator's doors: the console database, and HTTP for the page, metrics and probes."""

    address: ListenAddress | None = option(
        None,
        "HTTP address for the page at /, /metrics, /healthz and /readyz; none by default.",
        ADDRESS_HELP,
    )
    token: SecretStr | None = option(
        None,
        "What changes over HTTP must bring (Authorization: Bearer TOKEN); without it there are "
        "none.",
        "at least eight characters",
        min_length=8,
    )
    hosts: tuple[str, ...] = option(
        (),
        "Names that browsers may reach the HTTP address by, beside localhost and IP addresses.",
        "a list of host names",
    )
    console: bool = option(
        True, "Whether the database name 'pgcache' is the operator's console.", "true or false"
    )
    users: tuple[str, ...] = option(
        (), "Who may use the console. Empty: the upstream URL's user.", "a list of role names"
    )


class TlsConfig(Section):
    """TLS towards clients; TLS towards the origin is part of the upstream URL."""

    mode: Literal["disable", "allow", "require"] = option(
        "allow",
        "'allow' offers TLS where a certificate is given, 'require' refuses clients without.",
        "'disable', 'allow' or 'require'",
    )
    cert: str | None = option(None, "Certificate chain, PEM.", "a file name")
    key: str | None = option(None, "The certificate's private key, PEM.", "a file name")

    @model_validator(mode="after")
    def _complete(self) -> TlsConfig:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key belong together; give both or neither")
        if self.mode == "require" and self.cert is None:
            raise ValueError("mode = 'require' needs a certificate; give cert and key")
        return self

    @property
    def is_offered(self) -> bool:
        """Whether clients that ask for TLS get it."""
        return self.mode != "disable" and self.cert is not None


class LogConfig(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = option(
        "info", "The least serious messages shown.", "'debug', 'info', 'warning' or 'error'"
    )
    format: Literal["auto", "console", "json"] = option(
        "auto",
        "'auto' is 'console' on a terminal and 'json' elsewhere.",
        "'auto', 'console' or 'json'",
    )
    redact: bool = option(True, "Literals of query texts are shown as '?'.", "true or false")
    slow_query: PositiveDuration | None = option(
        None, "A statement that PostgreSQL took at least so long for is logged.", DURATION_HELP
    )
    why_not_cached: Literal["off", "once", "all"] = option(
        "off",
        "Why a query was forwarded without a look-up: 'once' for each kind of query and reason, "
        "or each time.",
        "'off', 'once' or 'all'",
    )
    shadow_report: Duration = option(
        "10min",
        "How often a line says what shadow mode would have saved, if that has changed; the last "
        "comes at the end. 0: only that one.",
        DURATION_HELP,
    )


class Config(Section):
    """All of it."""

    listen: ListenConfig = Field(default_factory=ListenConfig)
    upstream: UpstreamConfig
    store: StoreConfig = Field(default_factory=StoreConfig)
    cache: CacheConfig = Field(default_factory=CacheConfig)
    tables: Mapping[str, TableConfig] = Field(default_factory=dict)
    functions: Mapping[str, FunctionConfig] = Field(default_factory=dict)
    events: Mapping[str, EventConfig] = Field(default_factory=dict)
    rules: tuple[RuleConfig, ...] = ()
    invalidation: InvalidationConfig = Field(default_factory=InvalidationConfig)
    warm_up: WarmUpConfig = Field(default_factory=WarmUpConfig)
    warm: tuple[WarmConfig, ...] = ()
    admin: AdminConfig = Field(default_factory=AdminConfig)
    tls: TlsConfig = Field(default_factory=TlsConfig)
    log: LogConfig = Field(default_factory=LogConfig)

    @field_validator("tables")
    @classmethod
    def _table_names(cls, tables: Mapping[str, TableConfig]) -> Mapping[str, TableConfig]:
        for name in tables:
            check_qualified(name, "table")
        return tables

    @field_validator("functions")
    @classmethod
    def _function_names(
        cls, functions: Mapping[str, FunctionConfig]
    ) -> Mapping[str, FunctionConfig]:
        for name in functions:
            check_qualified(name, "function")
        return functions

    @property
    def origin(self) -> Origin:
        """The origin and the service role."""
        return self.upstream.url

    @property
    def console_users(self) -> frozenset[str]:
        """Who may use the console."""
        return frozenset(self.admin.users or (self.origin.user,))

    @property
    def declared(self) -> dict[str, tuple[str, ...]]:
        """Per declared function (``schema.name``) every table it touches."""
        return {
            name: tuple(dict.fromkeys(function.reads + function.writes))
            for name, function in self.functions.items()
        }

"""Configuration: one model with every option; found in flags, environment and a TOML file."""

from __future__ import annotations

from pgcache.config.lifetimes import CacheConfig, RuleConfig, TableConfig
from pgcache.config.load import load_config
from pgcache.config.model import (
    AdminConfig,
    Config,
    FunctionConfig,
    InvalidationConfig,
    ListenConfig,
    LogConfig,
    TlsConfig,
    UpstreamConfig,
)
from pgcache.config.origin import Origin, SslMode
from pgcache.config.store import StoreConfig
from pgcache.config.values import Address

__all__ = [
    "Address",
    "AdminConfig",
    "CacheConfig",
    "Config",
    "FunctionConfig",
    "InvalidationConfig",
    "ListenConfig",
    "LogConfig",
    "Origin",
    "RuleConfig",
    "SslMode",
    "StoreConfig",
    "TableConfig",
    "TlsConfig",
    "UpstreamConfig",
    "load_config",
]

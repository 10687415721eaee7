"""pgcache: a transparent PostgreSQL wire-protocol caching proxy."""

__version__ = "0.1.0"

"""Counts of what pgcache does; showing them is the business of ``admin/``."""

from __future__ import annotations

from pgcache.metrics.counters import Counters, Source

__all__ = ["Counters", "Source"]

"""The command line: reads flags, calls the rest, and turns every error into one line of advice."""

from __future__ import annotations

from pgcache.cli.app import main

__all__ = ["main"]

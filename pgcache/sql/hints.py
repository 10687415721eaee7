"""Directives in comments: ``/* pgcache: ttl=60 tags=a,b */``, ``-- pgcache: off`` (C-03).

Counterpart: the people who write queries and the tools that put comments into them. Comments count
only outside of literals, so a text that comes from data can never become a directive. What is
written wrongly is reported and otherwise ignored: a comment never fails a query.

Must not know: what the hints lead to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pgcache.sql.lexer import Token, comment_end
from pgcache.sql.model import Hints

__all__ = ["NO_HINTS", "read_hints"]

NO_HINTS = Hints()

_MARK = re.compile(r"\s*pgcache\s*:(.*)", re.IGNORECASE | re.DOTALL)
_TIME = re.compile(r"(\d+(?:\.\d*)?)(us|ms|s|min|m|h|d)?")
_KNOWN = "the hints are off, refresh, ttl=…, stale_if_error=… and tags=…"
_MOST = 64  # tags, and problems told: more than that is no one's intention
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_COMMENT = re.compile(r"--[^\n\r]*|/\*")


def read_hints(text: str, tokens: Sequence[Token]) -> Hints:
    """Find the directives in the comments of ``text``, whose tokens are given."""
    if "pgcache" not in text and "pgcache" not in text.lower():
        return NO_HINTS
    hints = NO_HINTS
    for comment in _comments(text, tokens):
        mark = _MARK.match(comment)
        if mark is not None:
            hints = _add_directives(hints, mark[1])
    return hints


def _comments(text: str, tokens: Sequence[Token]) -> Iterator[str]:
    """Yield what stands in the comments between tokens, without the comment marks."""
    starts = [token.start for token in tokens] + [len(text)]
    ends = [0] + [token.end for token in tokens]
    for position, gap_end in zip(ends, starts, strict=True):
        while (opening := _COMMENT.search(text, position, gap_end)) is not None:
            if opening[0] == "/*":
                position = comment_end(text, opening.start()) or gap_end
                yield text[opening.end() : position - 2]
            else:
                position = opening.end()
                yield opening[0][2:]


def _add_directives(hints: Hints, body: str) -> Hints:
    compact = " ".join(body.replace(";", " ").split())
    for mark in "=,":
        compact = compact.replace(f" {mark}", mark).replace(f"{mark} ", mark)
    for word in compact.split(" "):
        parts = [word] if word.lower().startswith("tag") else word.split(",")
        for part in filter(None, parts):
            hints = _add_directive(hints, part)
    return hints


def _add_directive(hints: Hints, word: str) -> Hints:
    name, assigned, value = word.partition("=")
    name = name.lower()
    if name == "off" and not assigned:
        return replace(hints, off=True)
    if name == "refresh" and not assigned:
        return replace(hints, refresh=True)
    if name in ("ttl", "stale_if_error") and assigned:
        seconds = _parse_seconds(value)
        if seconds is None:
            return _add_problem(hints, f"{name}={value}: write a time such as 60, 60s, 5m, 1h")
        return (
            replace(hints, ttl=seconds) if name == "ttl" else replace(hints, stale_if_error=seconds)
        )
    if name in ("tag", "tags") and assigned:
        found = tuple(tag for tag in value.split(",", _MOST) if tag)
        if not found:
            return _add_problem(hints, "tags=: write one tag or more, such as tags=a,b")
        return replace(hints, tags=tuple(dict.fromkeys(hints.tags + found))[:_MOST])
    return _add_problem(hints, f"{word}: {_KNOWN}")


def _parse_seconds(value: str) -> float | None:
    match = _TIME.fullmatch(value.strip("'\"").lower())
    if match is None:
        return None
    seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    return seconds if math.isfinite(seconds) else None


def _add_problem(hints: Hints, problem: str) -> Hints:
    return replace(hints, problems=(*hints.problems, problem)[:_MOST])

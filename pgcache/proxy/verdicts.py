"""What became of a statement, in the words of RFC 9211 (Cache-Status), for notices and SHOW.

``pgcache; hit; ttl=287; key=…``, ``pgcache; fwd=miss; stored``, ``pgcache; fwd=bypass; detail=…``.
Made on every statement, so it only keeps what it needs to say it later.
"""

from __future__ import annotations

from enum import Enum
from math import isfinite
from typing import NamedTuple

from pgcache.errors.reasons import EXPLANATIONS, Reason, Refusal
from pgcache.policy.key import digest


class Outcome(Enum):
    """The verdict's first word."""

    NONE = "none"
    HIT = "hit"
    STALE = "stale"  # a hit past its lifetime
    SHARED = "shared"  # another client's execution answered it
    MISS = "miss"
    BYPASS = "bypass"


class Verdict(NamedTuple):
    """One statement's fate. ``key``: the entry's.

    ``expires_at``: monotonic seconds; minus infinity of an entry that was dropped meanwhile.
    """

    outcome: Outcome
    refusal: Refusal | None = None
    expires_at: float = 0.0
    key: bytes = b""
    stored: bool = False

    def describe(self, now: float) -> str:
        """The verdict in one line."""
        parts = ["pgcache"]
        if self.outcome is Outcome.STALE:
            # RFC 9211, 2.3: the remaining freshness may be negative, to indicate staleness
            parts += ["hit", f"ttl={min(-1, self._left(now))}"]
            parts += ["detail=stale"] if self.refusal is None else []
        elif self.outcome in (Outcome.HIT, Outcome.SHARED):
            parts += ["hit"] if self.outcome is Outcome.HIT else ["fwd=miss", "collapsed"]
            parts.append(f"ttl={max(0, self._left(now))}")
        elif self.outcome is Outcome.MISS:
            parts.append("fwd=miss")
            if self.stored:
                parts += ["stored", f"ttl={max(0, self._left(now))}"]
        elif self.outcome is Outcome.BYPASS:
            parts.append("fwd=bypass")
        if self.refusal is not None:
            parts.append(f"detail={self.refusal.reason.value}")
            if self.refusal.detail:
                parts.append(f'about="{self.refusal.detail}"')
        if self.key:
            parts.append(f"key={key_name(self.key)}")
        return "; ".join(parts)

    def _left(self, now: float) -> int:
        """Whole seconds to its end; none of an entry that was dropped while it answered."""
        return round(self.expires_at - now) if isfinite(self.expires_at) else 0

    def explain(self) -> str:
        """The sentence behind the reason, '' where there is none."""
        return "" if self.refusal is None else EXPLANATIONS[self.refusal.reason]


NO_VERDICT = Verdict(Outcome.NONE)


def bypass(reason: Reason, detail: str = "") -> Verdict:
    """A verdict of not looking anything up."""
    return Verdict(Outcome.BYPASS, Refusal(reason, detail))


def key_name(key: bytes) -> str:
    """How a key is shown: the first eight bytes of its hash."""
    return digest(key)[:8].hex()

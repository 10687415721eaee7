"""When a cached result deserves a second look: to be renewed before its end, or to be checked.

Hits are served without a thought until an entry's next look; there chance decides once for all
hits since the last look, as if it had decided for each of them. Refreshing ahead is XFetch
(Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015): a
hit renews with the probability exp(-gap / (cost · beta)), where gap is what is left of the lifetime
and cost is what the result took. Must not know: entries, the clock. All times are seconds.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["any_of", "first_look", "next_look", "renews"]

# Earlier than so many costs before the end, one hit in 22 000 would renew.
_WINDOW: Final = 10.0
# Looks within one cost.
_LOOKS: Final = 8
_SHORTEST: Final = 0.01
# How often a result is looked at to be checked.
_CHECK_EVERY: Final = 1.0


def first_look(start: float, end: float, cost: float, beta: float, ratio: float) -> float:
    """The first look at a result that lives from ``start`` to ``end``, not before its middle.

    ``ratio`` is the part of the hits that are checked: then it is looked at all the time.
    """
    look = end if beta <= 0 else max(end - _WINDOW * cost * beta, (start + end) / 2)
    return min(look, start + _CHECK_EVERY) if ratio > 0 else look


def next_look(now: float, end: float, cost: float, beta: float, ratio: float) -> float:
    """The look after one at ``now`` that had no consequence."""
    look = end
    if beta > 0:
        window = end - _WINDOW * cost * beta
        look = max(now + max(cost * beta / _LOOKS, _SHORTEST), window)
    if ratio > 0:
        look = min(look, now + _CHECK_EVERY)
    return min(look, end)


def renews(gap: float, cost: float, beta: float, hits: int, chance: float) -> bool:
    """Whether one of so many hits renews; ``chance`` is drawn from 0 to 1."""
    if beta <= 0 or cost <= 0:
        return False
    return chance < any_of(math.exp(-max(gap, 0.0) / (cost * beta)), hits)


def any_of(probability: float, hits: int) -> float:
    """The probability that what befalls each hit befalls one of them at least."""
    if probability >= 1:
        return 1.0 if hits > 0 else 0.0
    return -math.expm1(hits * math.log1p(-probability))

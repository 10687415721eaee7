"""References from a part to its whole: what a session's parts call it by, without keeping it.

A session that ends is freed at once then, with all that it held, and not when the collector of
garbage comes by. Which is seldom where there are many entries (see ``heap``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar
from weakref import ref

_P = ParamSpec("_P")
_R = TypeVar("_R")


def upward(method: Callable[_P, _R], otherwise: _R) -> Callable[_P, _R]:
    """The bound ``method``, whose object is not kept; ``otherwise`` once that is gone."""
    owner, function = ref(method.__self__), method.__func__  # type: ignore[attr-defined]

    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        found = owner()
        return otherwise if found is None else function(found, *args, **kwargs)

    return call

"""The heap of a process that holds many entries: who looks for cycles, where, and how often.

CPython's collector of garbage visits every object it knows, and nobody is served meanwhile: with a
million entries for a quarter of a second. But what pgcache holds for long is freed by its
reference counts: entries, and sessions when they end (``proxy.upward``). So whatever a full
collection has found alive is left out of the next ones (``gc.freeze``, which is a few pointers),
and each object is looked at once in its life. Cycles that were alive at such a moment and died
later (of a task that was cancelled, say) are looked for in all objects, but seldom: ``tidy``.

Counterpart: ``runtime.serve``. Must not know: what the objects are.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from time import thread_time
from typing import Final

_OLDEST: Final = 2
# The part of the time that looking at all objects may take.
_SHARE: Final = 1 / 10_000
# Seconds between two looks at least.
_PAUSE: Final = 600.0


def settle() -> None:
    """Leave out what the process has loaded, and from now on whatever lives long.

    For a process that does nothing but serve: it is the whole process' collector.
    """
    gc.collect()
    gc.freeze()
    if _freeze not in gc.callbacks:
        gc.callbacks.append(_freeze)


def unsettle() -> None:
    """Let the collector be as Python has it."""
    if _freeze in gc.callbacks:
        gc.callbacks.remove(_freeze)
    gc.unfreeze()


def _freeze(phase: str, info: dict[str, int]) -> None:
    if phase == "stop" and info["generation"] == _OLDEST:
        gc.freeze()


async def tidy(clock: Callable[[], float] = thread_time) -> None:
    """Look at all objects now and then: as seldom as it takes long."""
    pause = _PAUSE
    while True:
        await asyncio.sleep(pause)
        pause = max(_PAUSE, look_at_all(clock) / _SHARE)


def look_at_all(clock: Callable[[], float] = thread_time) -> float:
    """Free every cycle that nothing refers to; how long that took, by ``clock``."""
    began = clock()
    gc.unfreeze()
    gc.collect()  # ``_freeze`` hears of its end
    return clock() - began

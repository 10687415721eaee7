"""Long texts are analysed beside the event loop, while only those wait who sent them.

Analysing takes some microseconds a byte: a loader's INSERT of a megabyte would hold up every other
client for seconds. It is done in a thread, one text at a time. The interpreter runs one thread at
once, so the loop asks for its turn whenever something comes, and gets it within ``_TURN``.

Counterpart: ``learning`` has the session wait. Must not know: sessions.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pgcache.sql.analyses import Analyses, Found, Text

# Bytes; what is shorter takes less time than handing it over is worth: some milliseconds.
LONG_TEXT: Final = 4 * 1024
_TURN: Final = 0.0005  # seconds that the analysis may go on when the loop has something to do
_STACK: Final = 16 * 1024 * 1024  # bytes, as the main thread has or more; parsers recurse


class Reader:
    """Analyses texts in a thread of its own, which exists from the first long text on."""

    __slots__ = ("_analyses", "_executor", "_underway")

    def __init__(self, analyses: Analyses) -> None:
        self._analyses = analyses
        self._executor: ThreadPoolExecutor | None = None
        self._underway: dict[Text, asyncio.Future[Found]] = {}

    def wants(self, text: Text) -> bool:
        """Whether analysing ``text`` would hold up the loop."""
        return len(text.raw) >= LONG_TEXT and not self._analyses.knows(text)

    async def read(self, text: Text) -> None:
        """Return when ``text`` is known; whoever asks for the same meanwhile waits for the same."""
        underway = self._underway.get(text)
        if underway is not None:
            await asyncio.wait((underway,))
            return
        if self._executor is None:
            self._executor = _start()
        loop = asyncio.get_running_loop()
        underway = loop.run_in_executor(self._executor, self._find, text)
        self._underway[text] = underway
        try:
            self._analyses.keep(await underway)
        finally:
            del self._underway[text]

    def _find(self, text: Text) -> Found:
        """In the thread. Tokens are no cycles, but by their number they would have all objects of
        the process looked at again and again, which nothing can interrupt."""
        gc.disable()
        try:
            return self._analyses.find(text)
        finally:
            gc.enable()

    def close(self) -> None:
        """Begin no more."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


def _start() -> ThreadPoolExecutor:
    sys.setswitchinterval(_TURN)
    executor = ThreadPoolExecutor(1, thread_name_prefix="pgcache-analysis")
    before = threading.stack_size(_STACK)
    try:
        executor.submit(int)  # the thread starts with its first work
    finally:
        threading.stack_size(before)
    return executor

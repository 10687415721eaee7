"""A server that runs as long as a ``with`` block: started, waited for, stopped, cleaned up."""

from __future__ import annotations

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pgcache.demo import process
from pgcache.errors import StartError

_POLL = 0.02  # seconds


class Child(ABC):
    """A process of ours; subclasses say how it is started and what it leaves behind.

    Leaving the block, or failing to enter it, stops the process and cleans up.
    """

    called = ""
    """Its name in errors."""
    stop_signal = signal.SIGTERM
    start_timeout = 30.0
    """Seconds that it may take to be ready."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is still there."""
        return self._process is not None and self._process.poll() is None

    @abstractmethod
    def _start(self) -> None:
        """Start the process and return once it serves; StartError if it never does."""

    def _launch(
        self,
        arguments: list[str],
        environment: dict[str, str],
        account: process.Account | None = None,
        **options: Any,
    ) -> None:
        self._process = process.start(
            arguments, environment=environment, account=account, sent=self.stop_signal, **options
        )

    def _await(self, is_ready: Callable[[], bool], said: Callable[[], str]) -> None:
        """Wait for the process to serve; ``said``: what to tell of one that does not."""
        deadline = time.monotonic() + self.start_timeout
        while not is_ready():
            if not self.is_running or time.monotonic() > deadline:
                raise StartError(f"{self.called} did not start: {said() or 'it said nothing'}")
            time.sleep(_POLL)

    def _close(self) -> None:
        """Stop the process; called once, also when it was never started."""
        if self._process is not None:
            process.stop(self._process, self.stop_signal)

"""Child processes of the demo: they end with it, and a server never runs as root.

PostgreSQL refuses to run as root, so a root's demo runs it as an ordinary user. Knows nothing of
what the children do.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgcache.errors import StartError

_PR_SET_PDEATHSIG = 1  # Linux: prctl(2)
_STOP_TIMEOUT = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a server runs as; None: as we are."""

    uid: int | None = None
    gid: int | None = None

    @property
    def popen_options(self) -> dict[str, Any]:
        """The arguments of ``subprocess`` that become this user."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}

    def own(self, path: Path) -> None:
        """Give a file or folder to this user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, path: Path) -> bool:
        """Whether this user may pass through all folders above ``path``."""
        if self.uid is None:
            return True
        return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def choose_account() -> Account:
    """An ordinary user: ourselves, or ``nobody`` (every system has it) where we are root."""
    if os.geteuid() != 0:
        return Account()
    for name in ("nobody", "postgres", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StartError(
        "PostgreSQL refuses to run as root, and this system has no user 'nobody'",
        hint="run the demo as an ordinary user",
    )


def start(
    arguments: list[str],
    *,
    environment: dict[str, str],
    account: Account | None = None,
    sent: signal.Signals = signal.SIGTERM,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches us and we stop it in order.

    Should we be killed, the kernel sends the child ``sent`` (on Linux; elsewhere it stays).
    """
    return subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        preexec_fn=_die_with_parent(sent),
        **options,
        **(account or Account()).popen_options,
    )


def _die_with_parent(sent: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    # Runs between fork and exec, after the change of user, which would clear the request.
    def arm() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(sent), 0, 0, 0)

    return arm


def stop(process: subprocess.Popen[bytes], sent: signal.Signals) -> None:
    """Ask a child to end, wait for it, and end it if it does not."""
    if process.poll() is not None:
        return
    process.send_signal(sent)
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port(wanted: int = 0) -> int:
    """``wanted`` if nobody listens there on the loopback interface, else any free port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
        port: int = probe.getsockname()[1]
        return port

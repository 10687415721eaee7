"""Child processes of the test run that must not outlive it, and must not run as root.

A server started here dies with the process that started it (the kernel sends it a signal, so a
killed test run leaves nothing behind), and when the run is root it runs as an ordinary user,
since PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system user that servers run as; `None` fields mean: as we are."""

    uid: int | None = None
    gid: int | None = None

    def popen_options(self) -> dict[str, Any]:
        """Return the arguments of `subprocess` that become this user."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}

    def own(self, *paths: Path) -> None:
        """Give the files and folders to this user."""
        if self.uid is not None and self.gid is not None:
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def own_tree(self, root: Path) -> None:
        """Give a folder and everything in it to this user."""
        if self.uid is not None:
            self.own(root, *root.rglob("*"))

    def can_reach(self, path: Path) -> bool:
        """Tell whether this user may read the path through all of its parents."""
        if self.uid is None:
            return True
        return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def server_account() -> Account:
    """Choose `postgres` if the machine has it, else `nobody`; ourselves when we are not root."""
    if os.getuid() != 0:
        return Account()
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise RuntimeError("neither the user postgres nor nobody exists, and servers cannot be root")


def die_with_parent(sent: signal.Signals) -> Callable[[], None]:
    """Return a function for the child that asks the kernel for a signal when we end."""

    # Runs between fork and exec, after the change of user (which would clear the request).
    def arm() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(sent), 0, 0, 0)

    return arm


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""What a worker is given when it starts: who it is, the configuration, the sockets it serves.

It goes over the channel that only the supervisor and this worker hold, as text: passwords stay
out of command lines and environments, and a configuration file that was edited since does not
make a worker that is started again differ from the others.
"""

from __future__ import annotations

import base64
import pickle
import socket
from collections.abc import Callable
from dataclasses import dataclass

from pgcache.config import Config

# Reads the configuration again; raises ConfigError. It is a function of a module, or made of one.
Load = Callable[[], Config]


@dataclass(frozen=True, slots=True)
class Assignment:
    """``listen`` and ``admin`` are file descriptors that the worker has inherited."""

    number: int
    count: int
    config: Config
    load: Load
    listen: tuple[int, ...]
    admin: tuple[int, ...]

    def dump(self) -> str:
        """As text for the channel."""
        return base64.b64encode(pickle.dumps(self)).decode()

    @classmethod
    def read(cls, text: str) -> Assignment:
        """Read what the supervisor sent."""
        loaded = pickle.loads(base64.b64decode(text))  # noqa: S301 - our own parent's bytes
        assert isinstance(loaded, Assignment)
        return loaded

    def listen_sockets(self) -> list[socket.socket]:
        """The sockets for clients, this worker's own."""
        return _adopt(self.listen)

    def admin_sockets(self) -> list[socket.socket]:
        """The sockets of the admin address, which all workers accept on."""
        return _adopt(self.admin)


def _adopt(descriptors: tuple[int, ...]) -> list[socket.socket]:
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    for sock in sockets:
        sock.setblocking(False)
    return sockets

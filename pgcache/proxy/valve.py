"""A valve before a peer: what is written to it waits, in order, while something is not known yet.

Before the origin it keeps what may commit until the others know of it, before the client it keeps
the news of a success until then (T-10). Counterpart: ``shared`` closes it. Must not know: what is
waited for.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Iterable, Sequence

from pgcache.proxy.flow import Hold, Peer


class Valve:
    """Writes to ``peer``. While closed ``feeder``, whose bytes end up here, is not read from.

    ``issued`` gives what has to be waited for before anything more is written.
    """

    __slots__ = ("_awaited", "_feeder", "_issued", "_kept", "_peer", "_then")

    def __init__(self, peer: Peer, feeder: Peer, issued: Callable[[], list[Future[None]]]) -> None:
        self._peer = peer
        self._feeder = feeder
        self._issued = issued
        self._awaited = 0
        self._kept: list[bytes | memoryview] = []
        self._then: list[Callable[[], None]] = []

    def send(self, data: bytes | memoryview) -> None:
        """Write, now or later."""
        issued = self._issued()
        if issued:
            self._wait(issued)
        if self._awaited:
            self._kept.append(data)
        else:
            self._peer.send(data)

    def send_all(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Write several pieces, now or later."""
        for piece in pieces:
            self.send(piece)

    def hold(self, why: Hold, held: bool) -> None:
        """Stop reading what the peer sends, or go on."""
        self._peer.hold(why, held)

    def close(self) -> None:
        """End it, once everything written so far has gone on."""
        self.when_open(self._peer.close)

    def _wait(self, futures: Iterable[Future[None]]) -> None:
        for future in futures:
            self._awaited += 1
            future.add_done_callback(self._on_done)
        self._feeder.hold(Hold.STORE, True)

    @property
    def is_open(self) -> bool:
        """Whether nothing is kept back."""
        return not self._awaited

    def when_open(self, then: Callable[[], None]) -> None:
        """Call ``then`` once everything written so far has gone on."""
        if self._awaited:
            self._then.append(then)
        else:
            then()

    def _on_done(self, _future: Future[None]) -> None:
        self._awaited -= 1
        if self._awaited:
            return
        kept, self._kept = self._kept, []
        for data in kept:
            self._peer.send(data)
        self._feeder.hold(Hold.STORE, False)
        after, self._then = self._then, []
        for then in after:
            then()

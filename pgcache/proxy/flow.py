"""Backpressure: reading one peer stops while the other, or a decision, cannot keep up (W-43)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Protocol

Then = Callable[[], None]


class Hold(IntEnum):
    """Why a peer is not read from: bits, so that reasons add up."""

    WAITING = 1  # too many of its runs wait to be decided
    OTHER_FULL = 2  # what it sends goes to a peer that reads too slowly
    OWN_FULL = 4  # it does not read the answers it has already got
    LOGIN = 8  # not its turn during login
    BACKGROUND = 16  # work of pgcache's own on the connection is about to end
    STORE = 32  # what it sends waits until other proxies know of it
    ORIGIN = 64  # it is being found out whether the origin is still there


class Readable(Protocol):
    """The part of a transport that this needs."""

    def pause_reading(self) -> None:
        """Stop."""

    def resume_reading(self) -> None:
        """Go on."""

    def is_closing(self) -> bool:
        """Whether it no longer matters."""


class Peer(Protocol):
    """One of the two connections, as far as the session needs it."""

    def send(self, data: bytes | memoryview) -> None:
        """Write."""

    def send_all(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Write several pieces, together and without putting them into one."""

    def close(self) -> None:
        """Write what is to be written, and end it."""

    def hold(self, why: Hold, held: bool) -> None:
        """Stop reading what this peer sends, or go on once no reason is left."""


class FlowControl:
    """Reasons not to read one transport."""

    __slots__ = ("_held", "_transport")

    def __init__(self, transport: Readable) -> None:
        self._transport = transport
        self._held = 0

    @property
    def held(self) -> int:
        """The reasons in force, as bits."""
        return self._held

    def hold(self, why: Hold, held: bool) -> None:
        """Add or drop one reason."""
        before = self._held
        after = before | why if held else before & ~why
        if after == before:
            return
        self._held = after
        if self._transport.is_closing():
            return
        if not before:
            self._transport.pause_reading()
        elif not after:
            self._transport.resume_reading()

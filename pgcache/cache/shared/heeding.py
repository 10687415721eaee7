"""What a member does about the messages of its database's channels.

Counterpart: ``channel`` takes them apart, ``membership`` listens. Must not know: redis.
"""

from __future__ import annotations

from typing import Protocol

from pgcache.cache.shared.beats import Beats
from pgcache.cache.shared.cancels import Cancels
from pgcache.cache.shared.channel import (
    CancelAsked,
    CancelTaken,
    Landed,
    Message,
    Moved,
    Ordered,
    Redefined,
)
from pgcache.cache.shared.generations import SharedGenerations
from pgcache.cache.shared.landings import Landings


class Hearer(Protocol):
    """A member, as far as this needs it."""

    id: bytes
    beats: Beats
    cancels: Cancels
    generations: SharedGenerations
    landings: Landings

    def redefined(self, token: bytes, *, is_own: bool = False) -> None:
        """The definitions' token is this one now."""

    def take_orders(self, version: bytes, orders: bytes) -> None:
        """These orders stand now."""


def heed(hearer: Hearer, message: Message) -> None:
    """Do what ``message`` asks for."""
    if isinstance(message, Moved):
        if message.sender != hearer.id:
            hearer.generations.hear(message.tags)
    elif isinstance(message, Redefined):
        hearer.redefined(message.token, is_own=message.sender == hearer.id)
    elif isinstance(message, Ordered):
        hearer.take_orders(message.version, message.orders)  # one's own too: it stands only now
    elif isinstance(message, CancelAsked):
        if message.sender != hearer.id:
            hearer.cancels.requested(message.digest)
    elif isinstance(message, CancelTaken):
        hearer.cancels.claimed(message.digest)
    elif isinstance(message, Landed):
        hearer.landings.land(message)
    else:
        hearer.beats.hear(message.number)

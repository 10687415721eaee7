"""What the store's other modules need of a connection to Redis, what they hear if it fails, and
what they tell a database.

Counterpart: ``client`` knows the library; tests have clients of their own. Must not know: redis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pgcache.cache.shared.cancels import Work
from pgcache.cache.shared.orders import Fits

Reply = list[Any]


class StoreLost(Exception):
    """An operation was not carried out, or nobody knows: no answer, or one that makes no sense."""


class StoreRefused(StoreLost):
    """The server says that it has not carried it out, or not to its end."""


class StoreChanged(StoreRefused):
    """The server has not seen this process before: it may have lost what it was told (T-13)."""


Fields = tuple[list[bytes | None], int]  # values of fields, and the server's time in ms
Peeked = Callable[[Fields | StoreLost], None]
# Fields and time as above, a value (None: there is none), and for how many ms it is kept (negative:
# without an end, or gone).
Found = tuple[list[bytes | None], int, bytes | None, int]
Fetched = Callable[[Found | StoreLost], None]
Ran = Callable[[Reply | StoreLost], None]
Stop = Callable[[], None]


class Subscription(Protocol):
    """Messages of one database's channels."""

    async def next(self) -> bytes:
        """Wait for the next message. Raises StoreLost where none can come any more."""


class Client(Protocol):
    """What ``space`` needs of Redis; tests have their own."""

    async def run(self, name: str, keys: Sequence[bytes], *arguments: Any) -> Reply:
        """Run a script. Raises StoreLost or StoreChanged."""

    def run_soon(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[Any], call: Ran
    ) -> Stop | None:
        """The same without a task: ``call`` gets what it returns, or what it raises, but never at
        once. Returns what stops the waiting; None where ``run`` has to be used."""

    async def peek(self, key: bytes, fields: Sequence[bytes]) -> Fields:
        """Read fields of a hash and the server's time. Raises StoreLost or StoreChanged."""

    def peek_soon(self, key: bytes, fields: Sequence[bytes], call: Peeked) -> Stop | None:
        """The same without a task, as ``run_soon``."""

    def fetch_soon(
        self, key: bytes, fields: Sequence[bytes], name: bytes, call: Fetched
    ) -> Stop | None:
        """The same, and the value of ``name``, which is read after the fields."""

    async def load(self) -> None:
        """Make the scripts known. Raises StoreLost."""

    async def version(self) -> tuple[int, ...]:
        """The server's version. Raises StoreLost."""

    def subscribe(self, *channels: bytes) -> Any:
        """Listen, as an asynchronous context with a ``Subscription``. Raises StoreLost."""


class Owner(Protocol):
    """The database that a space belongs to."""

    def told_redefined(self) -> None:
        """Definitions changed elsewhere: the catalogs have to be read again."""

    def told_order(self, fits: Fits) -> None:
        """Results whose key fits are to be forgotten."""

    def told_cancel(self, digest: bytes) -> Work | None:
        """What carries out another proxy's cancel request; None: its session is not here."""

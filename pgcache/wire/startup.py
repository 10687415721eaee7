"""The packets before the first message: startup, SSL, GSS encryption, cancel.

They have no type byte. Limits follow PostgreSQL's ProcessStartupPacket: the length word is not
counted, 4 to 10 000 bytes may follow it, anything else gets no answer (W-07).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from pgcache.errors import ProtocolViolation

PROTOCOL_3_0 = 0x0003_0000
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102
MAX_PACKET = 10_000

_PAIR = Struct("!II")
_FALSE = frozenset(
    word[:cut]
    for word in ("false", "no", "off")
    for cut in range(1, len(word) + 1)
    if word[:cut] != "o"
) | {"0"}


@dataclass(frozen=True, slots=True)
class Packet:
    """A pre-startup packet: ``code`` is a request code or a protocol version."""

    code: int
    raw: bytes

    @property
    def is_startup(self) -> bool:
        """Whether this is a startup packet of any protocol version."""
        return self.code not in (SSL_REQUEST, GSSENC_REQUEST, CANCEL_REQUEST)


def take_packet(buffer: bytes | bytearray) -> Packet | None:
    """The first packet in ``buffer``; None until it is complete.

    Raises ProtocolViolation where the length is out of bounds; the connection is then closed
    without an answer, as PostgreSQL does.
    """
    if len(buffer) < 4:
        return None
    length = int.from_bytes(buffer[:4], "big")
    if not 8 <= length <= MAX_PACKET + 4:
        raise ProtocolViolation("invalid length of startup packet")
    if len(buffer) < length:
        return None
    raw = bytes(buffer[:length])
    return Packet(int.from_bytes(raw[4:8], "big"), raw)


def parse_parameters(packet: Packet) -> dict[str, str] | None:
    """The parameters of a protocol 3 startup packet; None where the layout is wrong.

    Names and values are decoded as latin-1, one character for each byte, because the encoding
    is not known yet. The last of several equal names wins, as in PostgreSQL.
    """
    if packet.code >> 16 != 3 or packet.raw[-1:] != b"\0":
        return None
    parts = packet.raw[8:].decode("latin-1").split("\0")
    # "name\0value\0 … \0": the terminator gives one empty name and the split one more.
    found: dict[str, str] = {}
    for index in range(0, len(parts) - 1, 2):
        if not parts[index]:
            return found if index == len(parts) - 2 else None
        if index + 1 >= len(parts) - 1:
            return None
        found[parts[index]] = parts[index + 1]
    return None


def build_startup(code: int, parameters: dict[str, str]) -> bytes:
    """A startup packet of protocol version ``code``."""
    body = "".join(f"{name}\0{value}\0" for name, value in parameters.items()) + "\0"
    raw = body.encode("latin-1")
    return _PAIR.pack(len(raw) + 8, code) + raw


def is_replication(parameters: dict[str, str]) -> bool:
    """Whether the session asks for the replication protocol (W-10).

    The value is "database" or a boolean in any of PostgreSQL's spellings; what is not surely
    false is relayed blindly, which is right for every answer the origin may give.
    """
    value = parameters.get("replication")
    return value is not None and value.lower() not in _FALSE


def build_ssl_request() -> bytes:
    """SSLRequest."""
    return _PAIR.pack(8, SSL_REQUEST)


def parse_cancel(packet: Packet) -> tuple[int, bytes]:
    """``(pid, secret)`` of a CancelRequest; the secret is 4 to 256 bytes (W-06)."""
    if not 16 <= len(packet.raw) <= 12 + 256:
        raise ProtocolViolation("invalid length of cancel request")
    return int.from_bytes(packet.raw[8:12], "big"), packet.raw[12:]


def build_cancel(pid: int, secret: bytes) -> bytes:
    """CancelRequest."""
    return _PAIR.pack(12 + len(secret), CANCEL_REQUEST) + pid.to_bytes(4, "big") + secret

"""What has to be known of SASL to relay it between legs with different encryption (W-21).

pgcache never sees a password: it relays. Channel binding is the one thing that relaying cannot
carry, because it ties the login to the TLS connection that the client sees.
"""

from __future__ import annotations

from pgcache.wire.messages import build

AUTH_OK = 0
AUTH_SASL = 10
AUTH_SASL_FINAL = 12
PLUS = b"SCRAM-SHA-256-PLUS"


def auth_code(message: bytes) -> int:
    """The request code of an Authentication message."""
    return int.from_bytes(message[5:9], "big")


def wants_answer(message: bytes) -> bool:
    """Whether an Authentication message asks the client for one."""
    return auth_code(message) not in (AUTH_OK, AUTH_SASL_FINAL)


def mechanisms(message: bytes) -> list[bytes]:
    """The mechanisms that an AuthenticationSASL offers."""
    return [name for name in message[9:].split(b"\0") if name]


def without_channel_binding(message: bytes) -> bytes:
    """AuthenticationSASL without the mechanisms that need channel binding."""
    kept = [name for name in mechanisms(message) if not name.endswith(b"-PLUS")]
    return build(message[0], message[5:9] + b"".join(name + b"\0" for name in kept) + b"\0")


def binding_flag(message: bytes) -> str:
    """The GS2 channel binding flag of a SASLInitialResponse: 'n', 'y', 'p'; '' where unclear."""
    end = message.find(0, 5)
    if end < 0 or not message[5:end].startswith(b"SCRAM-"):
        return ""
    return chr(message[end + 5]) if len(message) > end + 5 else ""

"""A client's side of password logins: SCRAM-SHA-256 (RFC 5802, 7677) and MD5.

For pgcache's own clients only, which warm the cache; everybody else's login is relayed. Without
channel binding, since the other end is pgcache, which could not carry it.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from base64 import b64decode, b64encode
from typing import Final

from pgcache.errors import ProtocolViolation

MECHANISM: Final = b"SCRAM-SHA-256"
_HEADER: Final = b"n,,"  # no channel binding, no other identity


class ScramClient:
    """One login: ``first``, then ``final`` with the server's answer, then ``verify``.

    ``nonce``: random printable ASCII without a comma. Raises ProtocolViolation for answers that
    do not fit.
    """

    def __init__(self, password: str, nonce: bytes) -> None:
        # PostgreSQL applies SASLprep, of which this is the part that changes anything.
        self._password = unicodedata.normalize("NFKC", password).encode()
        self._nonce = nonce
        self._bare = b"n=,r=" + nonce  # the user's name is the startup packet's
        self._signature = b""

    def first(self) -> bytes:
        """The client's first message."""
        return _HEADER + self._bare

    def final(self, challenge: bytes) -> bytes:
        """The proof, given the server's first message."""
        given = _attributes(challenge)
        try:
            nonce, salt, rounds = given[b"r"], b64decode(given[b"s"], validate=True), given[b"i"]
            iterations = int(rounds)
        except (KeyError, ValueError) as error:
            raise ProtocolViolation("invalid SCRAM challenge") from error
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce) or iterations < 1:
            raise ProtocolViolation("invalid SCRAM challenge")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, iterations)
        client_key = _sign(salted, b"Client Key")
        without_proof = b"c=" + b64encode(_HEADER) + b",r=" + nonce
        said = b",".join((self._bare, challenge, without_proof))
        proof = _xor(client_key, _sign(hashlib.sha256(client_key).digest(), said))
        self._signature = _sign(_sign(salted, b"Server Key"), said)
        return without_proof + b",p=" + b64encode(proof)

    def verify(self, answer: bytes) -> None:
        """Check that the server knows the password too."""
        signature = _attributes(answer).get(b"v", b"")
        if not self._signature or not hmac.compare_digest(signature, b64encode(self._signature)):
            raise ProtocolViolation("the SCRAM answer does not prove that the server knows us")


def md5_password(user: str, password: str, salt: bytes) -> bytes:
    """What AuthenticationMD5Password asks for."""
    inner = _md5(password.encode() + user.encode())
    return b"md5" + _md5(inner + salt)


def _md5(data: bytes) -> bytes:
    # the protocol's choice; an origin that asks for it has stored nothing better
    return hashlib.md5(data, usedforsecurity=False).hexdigest().encode()


def _sign(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _attributes(message: bytes) -> dict[bytes, bytes]:
    return {part[:1]: part[2:] for part in message.split(b",") if part[1:2] == b"="}

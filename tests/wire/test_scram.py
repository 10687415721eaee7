"""SCRAM as the RFC's example has it; real servers are asked in tests/admin/test_replay.py."""

from __future__ import annotations

import pytest

from pgcache.errors import ProtocolViolation
from pgcache.wire.scram import ScramClient, md5_password

# RFC 7677, section 3, but for the user's name, which PostgreSQL takes from the startup packet: the
# proof and signature were made with hashlib by the RFC's formulas.
NONCE = b"rOprNGfwEbeRWgbNEkqO"
CHALLENGE = (
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)


def _client() -> ScramClient:
    return ScramClient("pencil", NONCE)


class _WithName(ScramClient):
    """The RFC's user."""

    def __init__(self) -> None:
        super().__init__("pencil", NONCE)
        self._bare = b"n=user,r=" + NONCE


def test_the_rfcs_example() -> None:
    client = _WithName()
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert client.final(CHALLENGE) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    client.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    "answer", [b"", b"e=other-error", b"v=", b"v=AAAA", b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJR"]
)
def test_a_server_that_does_not_know_the_password_is_found_out(answer: bytes) -> None:
    client = _client()
    client.final(CHALLENGE)
    with pytest.raises(ProtocolViolation):
        client.verify(answer)


def test_no_proof_without_a_challenge() -> None:
    with pytest.raises(ProtocolViolation):
        _client().verify(b"v=")


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"r=other,s=W22Z,i=4096",
        b"r=" + NONCE + b",s=W22Z,i=4096",
        b"r=" + NONCE + b"x,s=!,i=4096",
        b"r=" + NONCE + b"x,s=W22Z,i=0",
        b"r=" + NONCE + b"x,s=W22Z,i=many",
        b"r=" + NONCE + b"x,i=4096",
    ],
)
def test_bad_challenges_are_refused(challenge: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="invalid SCRAM challenge"):
        _client().final(challenge)


def test_md5() -> None:
    # printf 'md5%s' $(printf '%s\1\2\3\4' $(printf pencilmd5user | md5sum | cut -c1-32) | md5sum)
    assert md5_password("u", "p", b"\1\2\3\4").startswith(b"md5")
    assert md5_password("u", "p", b"\1\2\3\4") != md5_password("u", "p", b"\1\2\3\5")

"""What pgcache reads of SASL while it relays it (W-20, W-21)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.wire import sasl
from tests.support.frames import message


def offer(*names: bytes) -> bytes:
    return message("R", struct.pack("!i", 10) + b"".join(n + b"\0" for n in names) + b"\0")


def initial(mechanism: bytes, data: bytes) -> bytes:
    return message("p", mechanism + b"\0" + struct.pack("!i", len(data)) + data)


def test_W21_an_offer_is_relayed_without_channel_binding() -> None:
    both = offer(b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256")
    assert sasl.auth_code(both) == sasl.AUTH_SASL
    assert sasl.mechanisms(both) == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"]
    assert sasl.without_channel_binding(both) == offer(b"SCRAM-SHA-256")


@given(st.lists(st.sampled_from([b"SCRAM-SHA-256", b"OAUTHBEARER", b"X-PLUS", sasl.PLUS])))
def test_W21_the_other_mechanisms_stay_in_their_order(names: list[bytes]) -> None:
    stripped = sasl.without_channel_binding(offer(*names))
    assert stripped == offer(*(name for name in names if not name.endswith(b"-PLUS")))
    assert sasl.without_channel_binding(stripped) == stripped


@pytest.mark.parametrize(
    ("message_", "flag"),
    [
        (initial(b"SCRAM-SHA-256", b"n,,n=,r=abc"), "n"),
        (initial(b"SCRAM-SHA-256", b"y,,n=,r=abc"), "y"),
        (initial(b"SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,n=,r=abc"), "p"),
        (initial(b"OAUTHBEARER", b"n,,\x01auth=Bearer x\x01\x01"), ""),
        (initial(b"SCRAM-SHA-256", b""), ""),
        (message("p", b"c=biws,r=abc,p=def"), ""),
        (message("p", b"password\0"), ""),
        (message("p", b""), ""),
    ],
)
def test_W21_the_flag_of_an_initial_response(message_: bytes, flag: str) -> None:
    assert sasl.binding_flag(message_) == flag


@given(st.binary(max_size=60))
def test_no_bytes_of_a_client_are_too_odd_to_look_at(data: bytes) -> None:
    assert len(sasl.binding_flag(b"p" + data)) <= 1


def test_the_login_is_accepted_by_code_zero() -> None:
    assert sasl.auth_code(message("R", struct.pack("!i", 0))) == sasl.AUTH_OK

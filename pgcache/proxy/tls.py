"""TLS on both legs: contexts from the configuration, and what PostgreSQL expects of a handshake.

Rules W-02, W-03, W-21. Must not know: sessions.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from pgcache.config import Origin, TlsConfig
from pgcache.config.origin import SslMode
from pgcache.errors import ConfigError
from pgcache.wire.messages import build_error

ALPN = "postgresql"
PLAIN = frozenset((SslMode.DISABLE,))
MUST = frozenset((SslMode.REQUIRE, SslMode.VERIFY_CA, SslMode.VERIFY_FULL))
_STUFFED = (
    "This could be either a client-software bug or evidence of an attempted man-in-the-middle "
    "attack."
)


def client_context(config: TlsConfig) -> ssl.SSLContext | None:
    """The context for clients, None where no TLS is offered. Raises ConfigError."""
    if not config.is_offered:
        return None
    assert config.cert is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN])
    try:
        context.load_cert_chain(config.cert, config.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot load the certificate {config.cert}: {error}",
            hint="tls.cert and tls.key must name a PEM certificate chain and its private key",
        ) from error
    return context


def origin_context(origin: Origin) -> ssl.SSLContext | None:
    """The context towards the origin, None for none. Raises ConfigError."""
    if origin.sslmode in PLAIN or origin.is_unix:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN])
    verifies = origin.sslmode in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL)
    context.check_hostname = origin.sslmode is SslMode.VERIFY_FULL
    # As in libpq, a root certificate that was given is used whatever the mode asks for.
    given = origin.sslrootcert not in (None, "system")
    if not (verifies or (given and origin.sslmode is SslMode.REQUIRE)):
        context.verify_mode = ssl.CERT_NONE
    try:
        if given:
            context.load_verify_locations(origin.sslrootcert)
        elif verifies:
            context.load_default_certs()
        if origin.sslcert is not None:
            context.load_cert_chain(origin.sslcert, origin.sslkey)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot load the TLS files of the upstream URL: {error}",
            hint="sslrootcert, sslcert and sslkey must name readable PEM files",
        ) from error
    return context


def own_certificate(config: TlsConfig) -> bytes | None:
    """The certificate that clients see, in DER, to compare with the origin's (W-21)."""
    if not config.is_offered or config.cert is None:
        return None
    text = Path(config.cert).read_text(encoding="ascii", errors="replace")
    begin = text.find("-----BEGIN CERTIFICATE-----")
    end = text.find("-----END CERTIFICATE-----", begin)
    if begin < 0 or end < 0:
        return None
    return ssl.PEM_cert_to_DER_cert(text[begin : end + len("-----END CERTIFICATE-----")] + "\n")


def build_stuffed(request: str) -> bytes:
    """The error for a client whose ``request`` came in one piece with more bytes (W-02).

    As PostgreSQL says it: those could be anybody's.
    """
    return build_error(
        "08P01",
        f"received unencrypted data after {request} request",
        detail=_STUFFED,
        severity="FATAL",
    )

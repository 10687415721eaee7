"""TLS on either leg and on both, with libpq and with bare sockets (W-01 to W-03, W-21, W-31)."""

from __future__ import annotations

import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import psycopg.errors
import pytest

from tests.support import frames
from tests.support.postgres import Cluster, Server, password_of
from tests.support.proxy import SERVICE, Proxy, start_proxy
from tests.support.tls import Certificates, Pair

pytestmark = pytest.mark.driver
_STARTUP = frames.startup({"user": "app", "database": "postgres"})


def _start(server: Server, folder: Path, pair: Pair | None, query: str = "", **more: str) -> Proxy:
    environment = dict(more)
    if pair is not None:
        environment |= {
            "PGCACHE_TLS__CERT": str(pair.certificate),
            "PGCACHE_TLS__KEY": str(pair.key),
        }
    upstream = server.url(SERVICE) + query
    return start_proxy(server, folder, upstream=upstream, environment=environment)


@pytest.fixture(scope="module")
def tls_proxy(
    newest_postgres: Server, certificates: Certificates, cluster: Cluster
) -> Iterator[Proxy]:
    """Yield a proxy that offers TLS to clients in front of a server without."""
    proxy = _start(newest_postgres, cluster.root, certificates.proxy)
    yield proxy
    proxy.stop()
    assert proxy.complaints() == []


@pytest.fixture(scope="module")
def tls_both(postgres_tls: Server, certificates: Certificates, cluster: Cluster) -> Iterator[Proxy]:
    """Yield a proxy with TLS on both legs, the origin's certificate verified."""
    query = f"?sslmode=verify-full&sslrootcert={certificates.authority}"
    proxy = _start(postgres_tls, cluster.root, certificates.proxy, query)
    yield proxy
    proxy.stop()
    assert proxy.complaints() == []


@pytest.fixture(scope="module")
def tls_upstream(
    postgres_tls: Server, certificates: Certificates, cluster: Cluster
) -> Iterator[Proxy]:
    """Yield a proxy with TLS towards the origin only."""
    proxy = _start(postgres_tls, cluster.root, None, "?sslmode=require")
    yield proxy
    proxy.stop()
    assert proxy.complaints() == []


def _conninfo(proxy: Proxy, options: str) -> str:
    return (
        f"host=localhost hostaddr={proxy.host} port={proxy.port} user=app dbname=postgres"
        f" password={password_of('app')} {options}"
    )


def _ask(proxy: Proxy, options: str) -> bool:
    """Log in and run a query; return whether the client's leg was encrypted."""
    with psycopg.connect(_conninfo(proxy, options)) as connection:
        assert connection.execute("select 40 + 2").fetchone() == (42,)
        return connection.pgconn.ssl_in_use


def test_client_may_choose(tls_proxy: Proxy, certificates: Certificates) -> None:
    verified = f"sslmode=verify-full sslrootcert={certificates.authority}"
    assert _ask(tls_proxy, verified)
    assert _ask(tls_proxy, "sslmode=require channel_binding=disable")
    assert _ask(tls_proxy, "sslmode=prefer")
    assert not _ask(tls_proxy, "sslmode=disable")
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        _ask(tls_proxy, "sslmode=require channel_binding=require")


def test_without_a_certificate_there_is_no_tls(newest_proxy: Proxy) -> None:
    assert not _ask(newest_proxy, "sslmode=prefer")
    with pytest.raises(psycopg.OperationalError, match="SSL"):
        _ask(newest_proxy, "sslmode=require")


def test_required_tls_refuses_others(
    newest_postgres: Server, certificates: Certificates, cluster: Cluster
) -> None:
    proxy = _start(newest_postgres, cluster.root, certificates.proxy, PGCACHE_TLS__MODE="require")
    try:
        assert _ask(proxy, "sslmode=require")
        with pytest.raises(psycopg.OperationalError, match=r"SSL|TLS|encrypt"):
            _ask(proxy, "sslmode=disable")
    finally:
        proxy.stop()
    assert proxy.complaints() == []


@pytest.mark.parametrize("binding", ["disable", "prefer"])
def test_tls_upstream_only(tls_upstream: Proxy, binding: str) -> None:
    """SCRAM-SHA-256-PLUS is taken out of the offer, or libpq would give up (W-21)."""
    assert not _ask(tls_upstream, f"sslmode=disable channel_binding={binding}")


def test_tls_on_both_legs(tls_both: Proxy) -> None:
    assert _ask(tls_both, "sslmode=require channel_binding=disable")


@pytest.mark.parametrize("binding", ["prefer", "require"])
def test_what_relaying_cannot_do_says_what_to_change(tls_both: Proxy, binding: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"channel_binding|channel binding"):
        _ask(tls_both, f"sslmode=require channel_binding={binding}")


def test_an_origin_that_cannot_be_verified(
    postgres_tls: Server, certificates: Certificates, cluster: Cluster, tmp_path: Path
) -> None:
    """The origin's certificate is not signed by whom the URL trusts: say so, serve nobody."""
    query = f"?sslmode=verify-full&sslrootcert={certificates.stranger.certificate}"
    proxy = _start(postgres_tls, cluster.root, None, query)
    try:
        with pytest.raises(psycopg.OperationalError, match=r"(?i)certificate|TLS|SSL"):
            _ask(proxy, "sslmode=disable")
    finally:
        proxy.stop()
    assert proxy.complaints() == []


def _context(certificates: Certificates, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates.authority))
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def _read_to_end(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except OSError:
        pass
    return received


def test_bytes_stuffed_after_the_request_are_refused(tls_proxy: Proxy) -> None:
    """W-02: what came in plain before the handshake must never be taken as encrypted."""
    with socket.create_connection(tls_proxy.address, timeout=20) as connection:
        connection.sendall(frames.SSL_REQUEST + _STARTUP)
        answer = _read_to_end(connection)
    assert b"SCRAM" not in answer
    assert answer[:1] in (b"", b"S", b"E")


def test_direct_tls_with_alpn(tls_proxy: Proxy, certificates: Certificates) -> None:
    context = _context(certificates, "postgresql")
    with (
        socket.create_connection(tls_proxy.address, timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.selected_alpn_protocol() == "postgresql"
        connection.sendall(frames.SSL_REQUEST)
        assert connection.recv(1) == b"N"
        connection.sendall(frames.GSS_REQUEST)
        assert connection.recv(1) == b"N"
        connection.sendall(_STARTUP)
        assert connection.recv(1) == b"R"


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)], ids=str)
def test_direct_tls_needs_alpn(
    tls_proxy: Proxy, certificates: Certificates, protocols: tuple[str, ...]
) -> None:
    context = _context(certificates, *protocols)
    with socket.create_connection(tls_proxy.address, timeout=20) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.sendall(_STARTUP)
                assert b"SCRAM" not in _read_to_end(connection)
        except OSError:
            pass  # Refused in the handshake itself.


def test_negotiated_tls_offers_alpn(tls_proxy: Proxy, certificates: Certificates) -> None:
    context = _context(certificates, "postgresql")
    with socket.create_connection(tls_proxy.address, timeout=20) as plain:
        plain.sendall(frames.SSL_REQUEST)
        assert plain.recv(1) == b"S"
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            assert connection.selected_alpn_protocol() == "postgresql"
            connection.sendall(_STARTUP)
            assert connection.recv(1) == b"R"


@pytest.mark.skipif(psycopg.pq.version() < 170000, reason="needs libpq 17")
def test_direct_negotiation_of_libpq(tls_proxy: Proxy) -> None:
    assert _ask(tls_proxy, "sslmode=require sslnegotiation=direct")


@pytest.mark.skipif(psycopg.pq.version() < 170000, reason="needs libpq 17")
def test_cancel_over_tls_ends_properly(tls_proxy: Proxy) -> None:
    """libpq 17 and later report an error unless the cancel's own TLS is closed properly (W-31)."""
    with psycopg.connect(_conninfo(tls_proxy, "sslmode=require"), autocommit=True) as connection:
        ready = threading.Event()

        def cancel() -> None:
            with tls_proxy.server.connect() as watcher:
                state = "select 1 from pg_stat_activity where pid = %s and state = 'active'"
                pid = connection.info.backend_pid
                while not watcher.execute(state, [pid]).fetchone():
                    pass
            connection.cancel_safe(timeout=20)
            ready.set()

        helper = threading.Thread(target=cancel)
        helper.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("select pg_sleep(60)")
        helper.join()
        assert ready.is_set(), "the cancel request ended with an error"
        for _ in range(50):
            assert connection.execute("select 1").fetchone() == (1,)


def test_a_client_that_stops_in_its_handshake(tls_proxy: Proxy) -> None:
    for cut in itertools.chain(range(1, 8), (8,)):
        with socket.create_connection(tls_proxy.address, timeout=20) as connection:
            connection.sendall(frames.SSL_REQUEST[:cut])
            if cut == 8:
                assert connection.recv(1) == b"S"
                connection.sendall(struct.pack("!BHH", 22, 0x0301, 5) + b"hello")
    assert _ask(tls_proxy, "sslmode=require")

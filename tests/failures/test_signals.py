"""What signals do: SIGTERM drains, a second one does not wait, SIGHUP reloads."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.frames import SSL_REQUEST, fields, query
from tests.support.postgres import Cluster, Server
from tests.support.proxy import Proxy, await_line, start_proxy
from tests.support.raw import PATIENCE, RawClient, errors_of, kinds
from tests.support.tls import Certificates


@pytest.fixture
def own_proxy(cluster: Cluster, newest_postgres: Server) -> Iterator[Proxy]:
    """A proxy of this test's own."""
    proxy = start_proxy(newest_postgres, Path(cluster.root))
    yield proxy
    proxy.stop()
    assert not proxy.complaints()


def test_a_draining_proxy_lets_work_end(own_proxy: Proxy) -> None:
    address = own_proxy.address
    with RawClient(address) as idle, RawClient(address) as busy, RawClient(address) as inside:
        inside.query("begin")
        busy.send(query("select pg_sleep(0.5)"))
        own_proxy.process.send_signal(signal.SIGTERM)
        assert fields(idle.read().body)["C"] == "57P01"
        found = busy.replies()
        assert kinds(found) == "TDCZ"
        assert errors_of([busy.read()]) == ["57P01"]
        assert inside.rows("select 1") == [("1",)]
        with pytest.raises(ConnectionRefusedError):
            RawClient.bare(address)
        assert kinds(inside.query("commit")) == "CZ"
        assert errors_of([inside.read()]) == ["57P01"]
        assert own_proxy.process.wait(PATIENCE) == 0


def test_a_second_sigterm_does_not_wait(own_proxy: Proxy) -> None:
    with RawClient(own_proxy.address) as inside:
        inside.query("begin")
        own_proxy.process.send_signal(signal.SIGTERM)
        await_line(own_proxy, "stopping")
        own_proxy.process.send_signal(signal.SIGTERM)
        await_line(own_proxy, "cut off")
        assert own_proxy.process.wait(PATIENCE) == 0


def test_sighup_reads_the_certificates_again(
    cluster: Cluster, newest_postgres: Server, certificates: Certificates, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    shutil.copy(certificates.proxy.certificate, certificate)
    shutil.copy(certificates.proxy.key, key)
    config = tmp_path / "pgcache.toml"
    config.write_text(f'[tls]\ncert = "{certificate}"\nkey = "{key}"\n')
    proxy = start_proxy(newest_postgres, Path(cluster.root), "--config", str(config))
    with RawClient(proxy.address) as client:
        before = _certificate(proxy)
        shutil.copy(certificates.stranger.certificate, certificate)
        proxy.process.send_signal(signal.SIGHUP)
        await_line(proxy, "not reloaded")  # the key is another's
        assert _certificate(proxy) == before
        shutil.copy(certificates.stranger.key, key)
        proxy.process.send_signal(signal.SIGHUP)
        await_line(proxy, "certificates reloaded")
        assert _certificate(proxy) != before
        assert client.rows("select 1") == [("1",)]
    with RawClient.bare(proxy.address) as client:
        client.start_tls()
        client.login()
        # It does not read, so it never says goodbye: nobody waits for that.
        assert proxy.stop() == 0
    assert not proxy.complaints()
    assert "cut off" not in proxy.log.read_text()


def _certificate(proxy: Proxy) -> bytes | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(proxy.address, PATIENCE) as plain:
        plain.sendall(SSL_REQUEST)
        assert plain.recv(1) == b"S"
        with context.wrap_socket(plain) as wrapped:
            return wrapped.getpeercert(binary_form=True)

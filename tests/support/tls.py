"""Certificates for the tests: an authority made anew for the run, and leaves that it signs."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.postgres import Server

# From Python 3.13 on, clients that verify insist on these.
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """What one test run needs: who signs, PostgreSQL's leaf, pgcache's leaf, a stranger's."""

    authority: Path
    origin: Pair
    proxy: Pair
    stranger: Pair

    def install(self, server: Server) -> None:
        """Turn TLS on in a server that is not running yet."""
        certificate, key = server.data / "server.crt", server.data / "server.key"
        shutil.copyfile(self.origin.certificate, certificate)
        shutil.copyfile(self.origin.key, key)
        key.chmod(0o600)
        server.account.own(certificate, key)
        server.settings["ssl"] = "on"
        server.ssl = True


def issue_certificates(folder: Path) -> Certificates:
    """Make an authority and its leaves in a folder, created if need be."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("pgcache tests authority")
    authority = (
        _builder(subject, subject, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_SIGNS, critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    path = folder / "authority.crt"
    path.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    return Certificates(
        authority=path,
        origin=_leaf(folder, "origin", ["localhost"], authority, authority_key),
        proxy=_leaf(folder, "proxy", ["localhost"], authority, authority_key),
        stranger=_leaf(folder, "stranger", ["elsewhere.invalid"], authority, authority_key),
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
    )


def _leaf(
    folder: Path,
    name: str,
    hosts: list[str],
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
    if "localhost" in hosts:
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate = (
        _builder(_name(hosts[0]), authority.subject, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    pair.key.chmod(0o600)
    return pair

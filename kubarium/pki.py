"""The cluster's own certificate authorities, and every certificate that they sign.

Two authorities, as in any real cluster: one for Kubernetes' own conversations, one for etcd, so that no
component's certificate opens the door to etcd but the apiserver's (law 1 of DESIGN.md). Keys are P-256;
files are written with mode 0600 (keys) and 0644 (certificates), and an existing pair is kept.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubarium.core.certificates import Certificate

_LIFETIME = timedelta(days=3650)
_SKEW = timedelta(minutes=5)  # a clock that is a little behind still accepts a fresh certificate


class Pki:
    """The folder of keys and certificates of one cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def certificate(self, name: str) -> Path:
        """Name the file of a certificate."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Name the file of a private key."""
        return self.folder / f"{name}.key"

    def ensure_authority(self, name: str = "ca") -> None:
        """Make an authority, unless it is there."""
        if self.certificate(name).exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"kubarium-{name}")])
        usage = _usage(key_cert_sign=True, crl_sign=True, digital_signature=True)
        builder = (
            _builder(subject, subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        self._write(name, key, builder.sign(key, hashes.SHA256()))

    def ensure(self, wanted: Certificate) -> None:
        """Make a certificate for clients and, where it names hosts, servers, unless it is there."""
        if self.certificate(wanted.name).exists() and self.key(wanted.name).exists():
            return
        self.ensure_authority(wanted.authority)
        signer = x509.load_pem_x509_certificate(self.certificate(wanted.authority).read_bytes())
        signer_key = self._load_key(wanted.authority)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_subject(wanted), signer.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_purposes(wanted)), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()),
                critical=False,
            )
        )
        if wanted.hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in wanted.hosts])
            builder = builder.add_extension(names, critical=False)
        self._write(wanted.name, key, builder.sign(signer_key, hashes.SHA256()))

    def ensure_signing_key(self, name: str = "sa") -> None:
        """Make the key pair that signs ServiceAccount tokens, unless it is there."""
        if self.key(name).exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        _write_private(self.key(name), _pem(key))

    def _load_key(self, name: str) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self.key(name).read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self.key(name)} holds no elliptic-curve key")
        return key

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_private(self.key(name), _pem(key))
        self.certificate(name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _subject(wanted: Certificate) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, item) for item in wanted.organizations]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, wanted.common_name)])


def _purposes(wanted: Certificate) -> list[x509.ObjectIdentifier]:
    server = [ExtendedKeyUsageOID.SERVER_AUTH] if wanted.hosts else []
    return [ExtendedKeyUsageOID.CLIENT_AUTH, *server]


def _usage(
    *,
    digital_signature: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_private(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)

"""Requests for certificates, and what signs them in a test's own process."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
_ENDS = datetime(2036, 1, 1, tzinfo=UTC)


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _subject(common_name: str, *organizations: str) -> x509.Name:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@cache
def requested(common_name: str, *organizations: str) -> str:
    """Return a request in PEM, in Base64."""
    built = x509.CertificateSigningRequestBuilder().subject_name(_subject(common_name, *organizations))
    pem = built.sign(_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return b64encode(pem).decode()


def serving_request(host: str) -> tuple[str, bytes]:
    """Return a request for a server's certificate as kubernetes.io/kubelet-serving signs it, and its key, both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    built = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_subject(f"system:node:{host}", "system:nodes"))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    )
    pem = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    return pem.decode(), key.private_bytes(serialization.Encoding.PEM, private, plain)


def sign_anything(_request: str, _usages: tuple[str, ...], _begins_s: float, _ends_s: float) -> bytes:
    """Return a certificate, the same for everybody."""
    return _certificate()


@cache
def _certificate() -> bytes:
    name = _subject("anybody")
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(1)
        .not_valid_before(_BEGINS)
        .not_valid_after(_ENDS)
    )
    return built.sign(_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

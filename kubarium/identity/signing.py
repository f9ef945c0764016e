"""Keys and certificates as bytes: what the cluster's authorities sign, and how.

Only what makes certificates imports this, since the library behind it is large.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubarium.core.certificates import Certificate
from machinery.process.clock import WALL

Pair = tuple[bytes, bytes]  # a private key and a certificate, both PEM

_LIFETIME = timedelta(days=3650)
_SKEW = timedelta(minutes=5)  # a clock that is a little behind still accepts a fresh certificate


def new_key() -> bytes:
    """Make a private key."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def new_token_key() -> bytes:
    """Make a private key that signs tokens.

    It is an RSA key, as kubeadm's: RS256 is what OpenID Connect (Discovery 1.0, 3) demands of an issuer, and the only
    algorithm that many verifiers take when nobody tells them of others.
    """
    return _pem(rsa.generate_private_key(65537, 2048))


def new_authority(common_name: str) -> Pair:
    """Make an authority that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = _usage(key_cert_sign=True, crl_sign=True, digital_signature=True)
    builder = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _pem(key), _certificate_pem(builder.sign(key, hashes.SHA256()))


def new_certificate(wanted: Certificate, authority: Pair) -> Pair:
    """Make a certificate for clients and, where it names hosts, servers."""
    signer = x509.load_pem_x509_certificate(authority[1])
    signer_key = _load_key(authority[0])
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
    return _pem(key), _certificate_pem(builder.sign(signer_key, hashes.SHA256()))


def new_request(common_name: str) -> Pair:
    """Make a key and a request (PKCS #10) for a client's certificate of that name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return _pem(key), request.public_bytes(serialization.Encoding.PEM)


def public_key_of(certificate: bytes) -> bytes:
    """Return the public key of a certificate (PEM) as DER, SubjectPublicKeyInfo.

    Raises:
        ValueError: that is no certificate.
    """
    public = x509.load_pem_x509_certificate(certificate).public_key()
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is no elliptic-curve key")
    return key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.fromtimestamp(WALL.wall_ns() / 1e9, UTC)
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
    client = [ExtendedKeyUsageOID.CLIENT_AUTH] if wanted.is_client else []
    return [*client, *server]


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


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)

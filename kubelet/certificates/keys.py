"""Keys, and the requests (PKCS #10) for their certificates. The library behind them is large: it is imported when it is needed."""

from __future__ import annotations

import ipaddress

from kubelet.core.certificates import Wish, request_name


def new_key() -> bytes:
    """Return a new private key (P-256) as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def asked_with(key: bytes, wish: Wish) -> tuple[str, bytes]:
    """Return the name of the request for a key's certificate, and the request as PEM.

    Raises:
        ValueError: that is no key.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private = serialization.load_pem_private_key(key, password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError("that is no elliptic-curve key")  # noqa: TRY004 - a file's content, no caller's mistake
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, wish.organization),
            x509.NameAttribute(NameOID.COMMON_NAME, wish.common_name),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    names: list[x509.GeneralName] = [x509.DNSName(each) for each in wish.dns_names]
    names += [x509.IPAddress(ipaddress.ip_address(each)) for each in wish.addresses]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pem = builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return request_name(wish.kind.encode() + public), pem

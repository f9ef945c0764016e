"""The certificate that is shown where there is none to show: the replica's own, which nobody trusts."""

from __future__ import annotations

import datetime as dt
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME: Final = "kubarium-ingress-default"
_DAYS: Final = 3650


def make_default_certificate(now_s: float) -> bytes:
    """Return a new self-signed certificate and its key, as one PEM text; `now_s` is Unix time."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    begin = dt.datetime.fromtimestamp(now_s, dt.UTC) - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{NAME}.invalid")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form, unencrypted = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, form, unencrypted)
    return certificate.public_bytes(serialization.Encoding.PEM) + private

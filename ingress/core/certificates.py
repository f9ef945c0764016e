"""Secrets as certificates that the proxy can use.

https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from machinery.model.k8s.core_v1 import Secret

TYPE: Final = "kubernetes.io/tls"
_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"


class CertificateError(ValueError):
    """A Secret that no server can use; the text says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain of certificates and the key of the first, as one PEM text."""

    namespace: str
    secret: str
    pem: bytes


def read_secret(secret: Secret) -> Certificate:
    """Read a Secret of the type kubernetes.io/tls.

    Raises:
        CertificateError: it has no certificate and key that belong together.
    """
    chain, key = (_value(secret, name) for name in (_CERTIFICATE, _KEY))
    return Certificate(secret.metadata.namespace, secret.metadata.name, _joined(chain, key))


def _value(secret: Secret, name: str) -> bytes:
    try:
        value = base64.b64decode(secret.data.get(name, ""), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if not value:
        raise CertificateError(f"it has no {name}")
    return value


@lru_cache(maxsize=4096)  # Secrets change far less often than what refers to them
def _joined(chain: bytes, key: bytes) -> bytes:
    """Return both as PEM again, so that nothing goes along that is neither."""
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise CertificateError(f"{_CERTIFICATE} holds no certificate in PEM") from error
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise CertificateError(f"{_KEY} holds no key in PEM that is not encrypted") from error
    if private.public_key() != certificates[0].public_key():
        raise CertificateError(f"{_KEY} is not the key of the first certificate of {_CERTIFICATE}")
    texts = [certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates]
    form, unencrypted = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    texts.append(private.private_bytes(serialization.Encoding.PEM, form, unencrypted))
    return b"".join(texts)

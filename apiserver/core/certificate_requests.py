"""What is in a CertificateSigningRequest: PEM, a PKCS #10 request that is signed by its own key, certificates.

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
"""

from __future__ import annotations

import base64
import re
from typing import Final

_BLOCK: Final = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]+)-----[ \t\r]*\n(.*?)-----END \1-----[ \t\r]*(?:\n|\Z)", re.DOTALL
)
_REQUEST: Final = "CERTIFICATE REQUEST"
_CERTIFICATE: Final = "CERTIFICATE"


def request_error(data: bytes) -> str:
    """Return what keeps bytes from being a request that its own key has signed; "" where nothing does."""
    from cryptography import x509  # seldom needed

    blocks = _blocks(data)
    if not blocks or blocks[0][0] != _REQUEST:
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        request = x509.load_der_x509_csr(_der(blocks[0][1]))
        is_signed = request.is_signature_valid
    except Exception as error:  # noqa: BLE001 - whatever the parser does not know is no request
        return f"the certificate request cannot be read: {error or type(error).__name__}"
    return "" if is_signed else "x509: the signature of the certificate request does not fit its key"


def certificates_error(data: bytes) -> str:
    """Return what keeps bytes from being certificates in PEM; "" where nothing does, or where there are none."""
    from cryptography import x509  # seldom needed

    if not data:
        return ""
    blocks = _blocks(data)
    for type_, body in blocks:
        if type_ != _CERTIFICATE:
            return f'only CERTIFICATE PEM blocks are allowed, found "{type_}"'
        if b":" in body:
            return "no PEM block headers are permitted"
        try:
            x509.load_der_x509_certificate(_der(body))
        except Exception as error:  # noqa: BLE001 - whatever the parser does not know is no certificate
            return f"a certificate cannot be read: {error or type(error).__name__}"
    return "" if blocks else "must contain at least one CERTIFICATE PEM block"


def _blocks(data: bytes) -> list[tuple[str, bytes]]:
    return [(type_.decode(), body) for type_, body in _BLOCK.findall(data)]


def _der(body: bytes) -> bytes:
    return base64.b64decode(b"".join(body.split()), validate=True)

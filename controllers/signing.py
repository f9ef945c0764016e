"""The cluster's authority, as it signs what the controllers have decided to sign."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_USAGES: Final = {
    "digital signature": "digital_signature",
    "signing": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment",
    "key agreement": "key_agreement",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_PURPOSES: Final = {  # by the names that CertificateSigningRequests have for them
    "any": "2.5.29.37.0",
    "server auth": "1.3.6.1.5.5.7.3.1",
    "client auth": "1.3.6.1.5.5.7.3.2",
    "code signing": "1.3.6.1.5.5.7.3.3",
    "email protection": "1.3.6.1.5.5.7.3.4",
    "s/mime": "1.3.6.1.5.5.7.3.4",
    "ipsec end system": "1.3.6.1.5.5.7.3.5",
    "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
    "ipsec user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8",
    "ocsp signing": "1.3.6.1.5.5.7.3.9",
    "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
    "netscape sgc": "2.16.840.1.113730.4.1",
}


class Authority:
    """An authority in two files, which are read when there is something to sign."""

    def __init__(self, certificate_file: str, key_file: str) -> None:
        self._files = (certificate_file, key_file)

    def sign(self, request: str, usages: tuple[str, ...], begins_s: float, ends_s: float) -> bytes:
        """Return the certificate of a request (PEM in Base64) as PEM; times are wall seconds since 1970.

        It never outlives its authority.

        Raises:
            ValueError: the request is none, its signature is wrong, or a usage is unknown.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization

        asked = x509.load_pem_x509_csr(b64decode(request, validate=True))
        if not asked.is_signature_valid:
            raise ValueError("unable to verify certificate request signature")
        certificate, key = self._read()
        builder = _with_extensions(_builder(asked, certificate, begins_s, ends_s), asked, usages, certificate)
        signed = builder.sign(key, hashes.SHA256())
        return bytes(signed.public_bytes(serialization.Encoding.PEM))

    def _read(self) -> tuple[Any, Any]:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        certificate_pem, key_pem = (Path(file).read_bytes() for file in self._files)
        return x509.load_pem_x509_certificate(certificate_pem), load_pem_private_key(key_pem, password=None)


def _builder(asked: Any, authority: Any, begins_s: float, ends_s: float) -> Any:
    from cryptography import x509

    begins, ends = (datetime.fromtimestamp(int(at_s), UTC) for at_s in (begins_s, ends_s))
    return (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(authority.subject)
        .public_key(asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(min(ends, authority.not_valid_after_utc))
    )


def _with_extensions(builder: Any, asked: Any, usages: tuple[str, ...], authority: Any) -> Any:
    from cryptography import x509

    unknown = [usage for usage in usages if usage not in _USAGES and usage not in _PURPOSES]
    if unknown:
        raise ValueError(f"unrecognized usages: {unknown}")
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    bits = {_USAGES[usage] for usage in usages if usage in _USAGES}
    if bits:
        every = dict.fromkeys(_USAGES.values(), False)
        builder = builder.add_extension(
            x509.KeyUsage(**{**every, **dict.fromkeys(bits, True)}), critical=True
        )
    purposes = dict.fromkeys(_PURPOSES[usage] for usage in usages if usage in _PURPOSES)
    if purposes:
        oids = [x509.ObjectIdentifier(oid) for oid in purposes]
        builder = builder.add_extension(x509.ExtendedKeyUsage(oids), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    builder = builder.add_extension(issuer, critical=False)
    try:
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return builder
    return builder.add_extension(names.value, critical=False)

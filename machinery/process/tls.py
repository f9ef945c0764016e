"""The server's side of TLS, and who a peer is by its certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from machinery.client.tls import ClientTls
from machinery.rpc.service import CallContext

__all__ = ["ANONYMOUS", "ClientTls", "Peer", "ServerTls", "peer_of_certificate", "peer_of_rpc"]


@dataclass(frozen=True, slots=True)
class ServerTls:
    """As whom a server shows itself, and whose clients it knows."""

    cert_file: str
    key_file: str
    client_ca_file: str
    require_client: bool = True  # a client without a certificate is turned away in the handshake

    def ssl_context(self) -> ssl.SSLContext:
        """Read the files.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.client_ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert_file, self.key_file)
        context.verify_mode = ssl.CERT_REQUIRED if self.require_client else ssl.CERT_OPTIONAL
        return context


@dataclass(frozen=True, slots=True)
class Peer:
    """Who a client certificate says it is; Kubernetes reads CN as the user and O as the groups."""

    common_name: str = ""
    organizations: tuple[str, ...] = ()


ANONYMOUS: Final = Peer()


def peer_of_rpc(context: CallContext) -> Peer:
    """Return who calls; ANONYMOUS where there is no certificate (a unix socket)."""
    certificate = context.certificate
    return peer_of_certificate(certificate) if certificate else ANONYMOUS


@lru_cache(maxsize=1024)
def peer_of_certificate(certificate: bytes) -> Peer:
    """Read a certificate, PEM or DER, that TLS has verified already."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    pem = certificate.startswith(b"-----")
    subject = (x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(certificate).subject
    names = [str(item.value) for item in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = tuple(str(item.value) for item in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    return Peer(names[0] if names else "", groups)

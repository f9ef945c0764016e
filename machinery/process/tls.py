"""The server's side of TLS, and who a peer is by its certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import grpc

from machinery.client.tls import ClientTls

__all__ = ["ANONYMOUS", "ClientTls", "Peer", "ServerTls", "peer_of_certificate", "peer_of_rpc"]


@dataclass(frozen=True, slots=True)
class ServerTls:
    """As whom a server shows itself, and whose clients it knows."""

    cert_file: str
    key_file: str
    client_ca_file: str
    require_client: bool = True  # a client without a certificate is turned away in the handshake

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Read the files for gRPC."""
        pair = (Path(self.key_file).read_bytes(), Path(self.cert_file).read_bytes())
        return grpc.ssl_server_credentials(
            [pair], Path(self.client_ca_file).read_bytes(), require_client_auth=self.require_client
        )

    def ssl_context(self) -> ssl.SSLContext:
        """Read the files for HTTPS."""
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


def peer_of_rpc(context: Any) -> Peer:
    """Return who calls; ANONYMOUS where there is no certificate (a unix socket)."""
    certificates = context.auth_context().get("x509_pem_cert")
    return peer_of_certificate(bytes(certificates[0])) if certificates else ANONYMOUS


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

"""The client's side of TLS: files in, credentials out."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from machinery.model.clock import Clock
from machinery.rpc.channel import Channel
from machinery.wire.stubs import secure_channel


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Whom a client trusts, and as whom it comes (without a certificate: as nobody).

    The server's certificate has to carry `server_name`, wherever the server is; without one, the host that is dialled.
    """

    ca_file: str
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""

    def channel(self, server: str, clock: Clock) -> Channel:
        """Open a gRPC channel to host:port; it connects at the first call.

        A renewed certificate is read when the process starts again.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        context = self.ssl_context()
        context.set_alpn_protocols(["h2"])
        return secure_channel(server, context, clock, server_name=self.server_name)

    def ssl_context(self) -> ssl.SSLContext:
        """Read the files for HTTPS.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

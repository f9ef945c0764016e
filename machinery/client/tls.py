"""The client's side of TLS: files in, credentials out."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinery.model.clock import Clock

if TYPE_CHECKING:
    from machinery.rpc.channel import Channel  # with protobuf, which clients of the REST door do without


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Whom a client trusts, and as whom it comes (without a certificate: as nobody).

    The server's certificate has to carry `server_name`, wherever the server is; without one, the host that is dialled.
    """

    ca_file: str
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    is_verified: bool = True  # whether the server's certificate is; else whoever answers is believed

    def channel(self, server: str, clock: Clock) -> Channel:
        """Open a gRPC channel to host:port; it connects at the first call.

        The files are read once: `RenewableTls` is for certificates that are renewed.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        from machinery.wire.stubs import secure_channel

        return secure_channel(server, self.grpc_context(), clock, server_name=self.server_name)

    def grpc_context(self) -> ssl.SSLContext:
        """Read the files for gRPC.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        context = self.ssl_context()
        context.set_alpn_protocols(["h2"])
        return context

    def ssl_context(self) -> ssl.SSLContext:
        """Read the files for HTTPS.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.is_verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


class RenewableTls:
    """What `ClientTls` says, as it is at present: its certificate can be renewed while connections are open."""

    def __init__(self, tls: ClientTls) -> None:
        self.now = tls
        self._told: list[Callable[[ClientTls], None]] = []

    @property
    def server_name(self) -> str:
        """The name that the server's certificate has to carry."""
        return self.now.server_name

    def channel(self, server: str, clock: Clock) -> Channel:
        """Open a gRPC channel as `ClientTls.channel` does, which goes over to a renewed certificate.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        channel = self.now.channel(server, clock)
        self.subscribe(lambda tls: channel.renew(tls.grpc_context()))
        return channel

    def ssl_context(self) -> ssl.SSLContext:
        """Read the files for HTTPS.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate.
        """
        return self.now.ssl_context()

    def subscribe(self, callback: Callable[[ClientTls], None]) -> None:
        """Call for every renewal from now on."""
        self._told.append(callback)

    def renew(self, tls: ClientTls) -> None:
        """Show another certificate from now on; connections that show the old one are closed soon.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) holds no key or certificate. Then nothing changes.
        """
        tls.ssl_context()
        self.now = tls
        for callback in self._told:
            callback(tls)

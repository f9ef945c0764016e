"""Both certificates of a kubelet: where they come from, and who is told when one is new.

What the kubelet was given (--cert-file, --tls-cert-file) holds until there is one of its own; a kubelet that was given no
client certificate asks for its first one as the bootstrap kubeconfig says.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from kubelet.certificates.rotation import CertificateRotation, Door
from kubelet.certificates.store import CertificateStore
from kubelet.config import KubeletConfig
from kubelet.core.certificates import Wish, client_wish, serving_wish
from machinery.client.api import Api
from machinery.client.tls import ClientTls, RenewableTls
from machinery.process.run import Process
from machinery.process.tls import ServerTls

FOLDER: Final = "pki"  # in the kubelet's own


class NodeCertificates:
    """The certificates of one kubelet; without a client certificate and a bootstrap kubeconfig it has none."""

    def __init__(
        self, config: KubeletConfig, process: Process, *, draw: Callable[[], float] = random.random
    ) -> None:
        self._config = config
        self._process = process
        self._draw = draw
        self._tls: RenewableTls | None = None
        given = (config.cert_file, config.key_file) if config.cert_file else None
        self._client = self._rotation(client_wish(config.node_name), given, self._show)
        serving = serving_wish(config.node_name, config.node_ips)
        self._serving = self._rotation(
            serving, None, self._serve
        )  # what was given only bridges the time until
        self._on_serving: Callable[[str, str], None] = lambda _certificate, _key: None

    def client_ttl_s(self) -> float | None:
        """Return how many wall seconds the client certificate is still valid; None where there is none."""
        return self._client.ttl_s

    def renewal_errors(self) -> tuple[int, int]:
        """Return how often the client certificate could not be renewed, and the serving certificate."""
        return self._client.errors, self._serving.errors

    async def identity(self) -> RenewableTls | None:
        """Return as whom the kubelet comes to the apiserver, once it has a certificate; None where it needs none."""
        config = self._config
        if not (config.cert_file or config.bootstrap_kubeconfig):
            return RenewableTls(tls) if (tls := self._process.identity()) else None
        given = (config.cert_file, config.key_file) if config.cert_file else None
        files = given
        if config.rotate_certificates or not given:
            files = self._client.present() or given
        if files is None or (self._client.is_expired and config.bootstrap_kubeconfig):
            self._process.log.info("bootstrapping", kubeconfig=config.bootstrap_kubeconfig)
            files = await self._client.obtain(self._bootstrap)
        self._tls = RenewableTls(self._client_tls(*files))
        return self._tls

    def serving(self) -> ServerTls:
        """Return what the kubelet shows to the apiserver."""
        config = self._config
        files = self._serving.present() if config.rotate_server_certificates else None
        return ServerTls(*(files or config.serving_files or ("", "")), config.ca_file)

    async def run(self, api: Api, on_serving: Callable[[str, str], None]) -> None:
        """Renew what is to be renewed, until cancelled; `on_serving` takes the files of a new serving certificate."""
        self._on_serving = on_serving
        async with asyncio.TaskGroup() as tasks:
            if self._tls is not None and self._config.rotate_certificates:
                tasks.create_task(self._client.run(self._door(api)), name="client-certificate")
            if self._config.rotate_server_certificates:
                tasks.create_task(self._serving.run(self._door(api)), name="serving-certificate")

    def _rotation(
        self, wish: Wish, given: tuple[str, str] | None, use: Callable[[str, str], None]
    ) -> CertificateRotation:
        process = self._process
        store = CertificateStore(self._config.root / FOLDER, wish.kind)
        return CertificateRotation(
            wish, store, process.clock, process.log, given=given, use=use, draw=self._draw
        )

    def _door(self, api: Api) -> Door:
        """Return the way to the apiserver: with the kubelet's own certificate, or as it came first where that is over."""

        @asynccontextmanager
        async def door() -> AsyncIterator[Api]:
            if self._client.is_expired and self._config.bootstrap_kubeconfig:
                async with self._bootstrap() as other:
                    yield other
            else:
                yield api

        return door

    @asynccontextmanager
    async def _bootstrap(self) -> AsyncIterator[Api]:
        from kubelet.certificates.bootstrap import connect_bootstrap  # few nodes come so

        config, process = self._config, self._process
        api = await asyncio.to_thread(
            connect_bootstrap,
            Path(config.bootstrap_kubeconfig),
            ca_file=config.ca_file,
            folder=config.root / FOLDER,
            caller=process.name,
            clock=process.clock,
            seam=process.seam,
            log=process.log,
        )
        try:
            yield api
        finally:
            await api.aclose()

    def _show(self, certificate: str, key: str) -> None:
        tls = self._client_tls(certificate, key)
        if self._tls is None:
            tls.ssl_context()
        else:
            self._tls.renew(tls)

    def _serve(self, certificate: str, key: str) -> None:
        self._on_serving(certificate, key)

    def _client_tls(self, certificate: str, key: str) -> ClientTls:
        return ClientTls(self._config.ca_file, certificate, key, self._config.tls_server_name)
